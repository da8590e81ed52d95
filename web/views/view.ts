// The interface of a view to the frame around it. A view shows one document and lives as long as the page.
// Hiding a view only takes it out of sight and removes its presence.
import type { Me } from '../frame/people.ts';

export interface DocumentView {
  readonly element: HTMLElement;
  /** The title in the document's content; empty if it has none. */
  readonly title: string;
  readonly untitled: string;
  /** Called when the document's content has first arrived. */
  ready(): void;
  shown(): void;
  hidden(): void;
  setMe(me: Me): void;
  /** Scrolls to a person's place, if it is known. */
  reveal(client: string): void;
}

export interface ViewEvents {
  titleChanged(): void;
  /** An edit was not taken; `error` says why. */
  refused(error: unknown): void;
  notify(message: string): void;
  /** Content was deleted; the message offers to undo that until the next edit. */
  offerUndo(message: string): void;
  /** Another edit was made here: the offered undo would no longer take back the last one. */
  withdrawUndo(): void;
  undo(): void;
  redo(): void;
  /** Announces a message to screen readers alone. */
  announce(message: string): void;
}
