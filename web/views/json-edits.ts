// The edits that a view makes in a `json` document, and the drawings that follow from all changes. The view itself draws.
import type { JsonDocument, JsonStep } from '../../client/index.ts';
import type { ViewEvents } from './view.ts';

export class JsonEdits {
  readonly #doc: JsonDocument;
  readonly #events: Pick<ViewEvents, 'withdrawUndo' | 'refused'>;
  readonly #draw: () => void;
  #isDue = false;

  constructor(doc: JsonDocument, events: Pick<ViewEvents, 'withdrawUndo' | 'refused'>, draw: () => void) {
    this.#doc = doc;
    this.#events = events;
    this.#draw = draw;
  }

  /** Calls `allow` now and whenever the person's rights change, and draws now and after each change. */
  begin(allow: () => void): void {
    this.#doc.on('change', () => this.#drawSoon());
    this.#doc.on('role', allow);
    this.#doc.on('closed', allow);
    allow();
    this.draw();
  }

  get mayEdit(): boolean {
    return this.#doc.role === 'editor' || this.#doc.role === 'owner';
  }

  /** Makes an edit as a step of undo of its own, and shows it at once. Returns false if it was refused. */
  make(patch: readonly JsonStep[]): boolean {
    this.#events.withdrawUndo();
    try {
      this.#doc.undoGroup();
      this.#doc.edit(patch);
      return true;
    } catch (error) {
      this.#events.refused(error);
      return false;
    } finally {
      this.draw();
    }
  }

  draw(): void {
    this.#isDue = false;
    this.#draw();
  }

  /** Draws once for all the changes of a turn. */
  #drawSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      if (this.#isDue) this.draw();
    });
  }
}
