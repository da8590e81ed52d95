// A React application of the SDK, for react.test.ts to bundle: two panels that show one document, in StrictMode.
// Its hooks are those of docs/client.md.
import {
  createElement,
  type ReactElement,
  StrictMode,
  useCallback,
  useEffect,
  useState,
  useSyncExternalStore,
} from 'react';
import { createRoot } from 'react-dom/client';
import { type RichTextDocument, TroupeClient } from '../../../client/index.ts';

function useDocument(client: TroupeClient, name: string): RichTextDocument | undefined {
  const [doc, setDoc] = useState<RichTextDocument>();
  useEffect(() => {
    const opened = client.open(name, 'rich-text');
    setDoc(opened);
    return () => void opened.close({ when: 'saved' });
  }, [client, name]);
  return doc;
}

function People({ doc }: { doc: RichTextDocument }): ReactElement {
  const subscribe = useCallback((changed: () => void) => doc.presence.on('change', changed), [doc]);
  const states = useSyncExternalStore(subscribe, () => doc.presence.states);
  return createElement('p', { className: 'people' }, JSON.stringify([...states.values()]));
}

function Cursors({ doc }: { doc: RichTextDocument }): ReactElement {
  const subscribe = useCallback((changed: () => void) => doc.on('cursors', changed), [doc]);
  const cursors = useSyncExternalStore(subscribe, () => doc.cursors);
  return createElement('p', { className: 'cursors' }, [...cursors.values()].map(({ index }) => index).join());
}

function Text({ doc }: { doc: RichTextDocument }): ReactElement {
  const changes = useCallback((changed: () => void) => doc.on('change', changed), [doc]);
  const content = useSyncExternalStore(changes, () => doc.content);
  const states = useCallback((changed: () => void) => doc.on('state', changed), [doc]);
  const state = useSyncExternalStore(states, () => doc.state);
  return createElement(
    'div',
    null,
    createElement('p', { className: 'text' }, JSON.stringify(content.ops)),
    createElement('p', { className: 'state' }, state),
    createElement('button', { type: 'button', onClick: () => doc.edit([{ insert: 'React ' }]) }, 'Edit'),
  );
}

function Panel({ client, name, id }: { client: TroupeClient; name: string; id: string }): ReactElement {
  const doc = useDocument(client, name);
  const [ready, setReady] = useState(false);
  useEffect(() => {
    let here = true;
    doc?.ready.then(
      () => here && setReady(true),
      () => {},
    );
    return () => {
      here = false;
    };
  }, [doc]);
  const shown = doc !== undefined && ready;
  return createElement(
    'section',
    { id },
    shown ? [People, Cursors, Text].map((Part) => createElement(Part, { key: Part.name, doc })) : 'loading',
  );
}

function App({ client, name }: { client: TroupeClient; name: string }): ReactElement {
  const [two, setTwo] = useState(true);
  return createElement(
    'main',
    null,
    createElement(Panel, { client, name, id: 'one' }),
    two ? createElement(Panel, { client, name, id: 'two' }) : null,
    createElement('button', { id: 'toggle', type: 'button', onClick: () => setTwo(!two) }, 'Toggle'),
  );
}

const client = new TroupeClient({ urls: [`ws://${location.host}/v1/socket`] });
const name = new URLSearchParams(location.search).get('doc') ?? '';
const root = document.getElementById('root');
if (root !== null)
  createRoot(root).render(createElement(StrictMode, null, createElement(App, { client, name })));
