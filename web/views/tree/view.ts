// The view of a `json` document that another program has made: a tree in which every value can be edited.
import type { JsonDocument } from '../../../client/index.ts';
import { el } from '../../dom.ts';
import type { Me } from '../../frame/people.ts';
import { keepingFocus } from '../board/arrange.ts';
import { ForeignView } from '../foreign-view.ts';
import { JsonEdits } from '../json-edits.ts';
import type { ViewEvents } from '../view.ts';
import { isContainer } from './model.ts';
import { TreeRow } from './row.ts';

export class TreeView extends ForeignView<JsonDocument> {
  readonly untitled = 'JSON document';
  readonly #edits: JsonEdits;
  #root: TreeRow | undefined;

  constructor(doc: JsonDocument, me: Me, events: ViewEvents) {
    const note = 'A JSON document that another program has made. What you change here, it sees at once.';
    super(doc, me, events, { class: 'tree-view', note });
    this.#edits = new JsonEdits(doc, events, () => this.#draw());
  }

  ready(): void {
    this.#edits.begin(() => this.#allow());
  }

  #allow(): void {
    this.sheet.toggleAttribute('data-readonly', !this.#edits.mayEdit);
    this.sheet.inert = this.doc.state === 'closed';
  }

  #draw(): void {
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
        edit: (patch) => this.#edits.make(patch),
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
