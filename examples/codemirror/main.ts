// CodeMirror 6 with y-codemirror.next, over y-websocket. Nothing here is special to Troupe but the URL and the name
// of the document.
import { EditorState } from '@codemirror/state';
import { EditorView, keymap } from '@codemirror/view';
import { basicSetup } from 'codemirror';
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { element, person, place, statusLine } from '../shared/page.ts';

const { node, doc, token } = place('demo/codemirror');

const ydoc = new Y.Doc();
const provider = new WebsocketProvider(`${node}/yjs`, doc, ydoc, {
  params: token === undefined ? {} : { token },
  // Windows of one browser need not talk past the server.
  disableBc: true,
});
const { name, color } = person();
provider.awareness.setLocalStateField('user', { name, color, colorLight: `${color}33` });

const show = statusLine((isOnline) => (isOnline ? provider.connect() : provider.disconnect()));
const tell = (): void =>
  show(!provider.wsconnected ? 'Offline' : provider.synced ? 'Connected' : 'Connecting');
provider.on('status', tell);
provider.on('sync', tell);
// A refusal that trying again cannot mend, such as a token that has ended.
provider.on('closed', ({ reason }) => show(`Not allowed: ${reason}`));

const text = ydoc.getText('codemirror');
new EditorView({
  parent: element('editor'),
  state: EditorState.create({
    doc: text.toString(),
    extensions: [
      keymap.of([...yUndoManagerKeymap]),
      basicSetup,
      EditorView.lineWrapping,
      yCollab(text, provider.awareness, { undoManager: new Y.UndoManager(text) }),
    ],
  }),
});
