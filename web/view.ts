// What the frame around the views asks of each of them. A view shows one document and lives as
// long as the page; being hidden takes it out of sight and its presence away, nothing more.
import type { Me } from './people.ts';

export interface DocumentView {
  readonly element: HTMLElement;
  /** The title that the content gives itself; empty where it has none. */
  readonly title: string;
  readonly untitled: string;
  /** The document's content is here for the first time. */
  ready(): void;
  shown(): void;
  hidden(): void;
  setMe(me: Me): void;
  /** Brings a person's place into view, as far as it is known. */
  reveal(client: string): void;
}

export interface ViewEvents {
  titleChanged(): void;
  /** An edit was not taken; `error` says why. */
  refused(error: unknown): void;
  notify(message: string): void;
  /** Something was taken away; the message offers to undo it until the next edit. */
  offerUndo(message: string): void;
  /** Another edit was made here: what was offered to be undone is no longer the last one. */
  withdrawUndo(): void;
  undo(): void;
  redo(): void;
  /** For screen readers alone. */
  announce(message: string): void;
}
