// The view of a `json` document that another program has made: a tree in which every value can be edited.
import type { JsonDocument, JsonStep } from '../../../client/index.ts';
import { el } from '../../dom.ts';
import type { Me } from '../../frame/people.ts';
import { keepingFocus } from '../board/arrange.ts';
import { ForeignView } from '../foreign-view.ts';
import type { ViewEvents } from '../view.ts';
import { isContainer } from './model.ts';
import { TreeRow } from './row.ts';

export class TreeView extends ForeignView<JsonDocument> {
  readonly untitled = 'JSON document';
  #root: TreeRow | undefined;
  #drawDue = false;

  constructor(doc: JsonDocument, me: Me, events: ViewEvents) {
    const note = 'A JSON document that another program has made. What you change here, it sees at once.';
    super(doc, me, events, { class: 'tree-view', note });
  }

  ready(): void {
    this.doc.on('change', () => this.#schedule());
    this.doc.on('role', () => this.#allow());
    this.doc.on('closed', () => this.#allow());
    this.#allow();
    this.#draw();
  }

  #allow(): void {
    const writable = this.doc.role === 'editor' || this.doc.role === 'owner';
    this.sheet.toggleAttribute('data-readonly', !writable);
    this.sheet.inert = this.doc.state === 'closed';
  }

  /** Makes an edit as a step of undo of its own, and shows it at once. */
  #edit(patch: readonly JsonStep[]): boolean {
    this.events.withdrawUndo();
    try {
      this.doc.undoGroup();
      this.doc.edit(patch);
      return true;
    } catch (error) {
      this.events.refused(error);
      return false;
    } finally {
      this.#draw();
    }
  }

  /** Schedules one drawing for all the changes of a turn. */
  #schedule(): void {
    if (this.#drawDue) return;
    this.#drawDue = true;
    queueMicrotask(() => {
      if (this.#drawDue) this.#draw();
    });
  }

  #draw(): void {
    this.#drawDue = false;
    const { content } = this.doc;
    const title = isContainer(content) && !Array.isArray(content) ? content.title : undefined;
    this.setTitle(typeof title === 'string' ? title : '');
    if (this.#root !== undefined) {
      const root = this.#root;
      keepingFocus(() => root.update('', content));
      return;
    }
    this.#root = new TreeRow(
      {
        edit: (patch) => this.#edit(patch),
        notify: (message) => this.events.notify(message),
        offerUndo: (message) => this.events.offerUndo(message),
      },
      undefined,
      '',
      content,
    );
    this.sheet.append(el('ul', { class: 'tree-parts' }, this.#root.element));
  }
}
