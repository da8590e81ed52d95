// Chooses the kind as which the document of a place is opened, and the view that shows it. The page makes
// rich text and boards. A document that another program has made may be of any kind, which is known only
// after the server has refused another kind.
import type {
  JsonDocument,
  KindName,
  RichTextDocument,
  TroupeClient,
  YjsDocument,
} from '../../client/index.ts';
import type { Me } from '../frame/people.ts';
import { isBoard } from '../views/board/model.ts';
import { BoardView } from '../views/board/view.ts';
import { TextView } from '../views/text/view.ts';
import { TreeView } from '../views/tree/view.ts';
import type { DocumentView, ViewEvents } from '../views/view.ts';
import { YjsView } from '../views/yjs/view.ts';
import { documentOf, type Place, type View } from './place.ts';

export interface OpenedDocument {
  readonly doc: RichTextDocument | JsonDocument | YjsDocument;
  readonly view: DocumentView;
}

/**
 * The kinds in the order in which they are tried. The first one creates a missing document; the others only
 * find existing ones.
 */
const KINDS: Readonly<Record<View, readonly KindName[]>> = {
  text: ['rich-text', 'json', 'yjs'],
  board: ['json', 'rich-text', 'yjs'],
};

/** The kind to try after `refused`, which the document did not have. Undefined if there is none left. */
export function nextKind(view: View, refused: KindName | undefined): KindName | undefined {
  return KINDS[view][refused === undefined ? 0 : KINDS[view].indexOf(refused) + 1];
}

export function openAs(
  kind: KindName,
  client: TroupeClient,
  place: Place,
  me: Me,
  events: ViewEvents,
): OpenedDocument {
  const name = documentOf(place);
  switch (kind) {
    case 'rich-text': {
      const doc = client.open(name, kind);
      return { doc, view: new TextView(doc, me, events) };
    }
    case 'json': {
      const doc = client.open(name, kind);
      const view = place.view === 'board' ? new BoardView(doc, me, events) : new TreeView(doc, me, events);
      return { doc, view };
    }
    case 'yjs': {
      const doc = client.open(name, kind);
      return { doc, view: new YjsView(doc, me, events) };
    }
    default:
      throw new TypeError(`no such kind: ${String(kind satisfies never)}`);
  }
}

/** The view for its content, which has arrived; `opened.view` if that is the right one. */
export function viewOfContent({ doc, view }: OpenedDocument, me: Me, events: ViewEvents): DocumentView {
  const isOther = view instanceof BoardView && doc.kind === 'json' && !isBoard(doc.content);
  return isOther ? new TreeView(doc, me, events) : view;
}

/** Whether the page could have made the document: a text with a board beside it. */
export const isOurs = ({ view }: OpenedDocument): boolean =>
  view instanceof TextView || view instanceof BoardView;
