// Lexical with its own CollaborationPlugin, over y-websocket. Nothing here is special to Troupe but the URL and the
// name of the document.
import { LexicalCollaboration } from '@lexical/react/LexicalCollaborationContext';
import { CollaborationPlugin } from '@lexical/react/LexicalCollaborationPlugin';
import { LexicalComposer } from '@lexical/react/LexicalComposer';
import { ContentEditable } from '@lexical/react/LexicalContentEditable';
import { LexicalErrorBoundary } from '@lexical/react/LexicalErrorBoundary';
import { RichTextPlugin } from '@lexical/react/LexicalRichTextPlugin';
import type { Provider, ProviderAwareness } from '@lexical/yjs';
import { createRoot } from 'react-dom/client';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { element, person, place, statusLine } from '../shared/page.ts';

const { node, doc, token } = place('demo/lexical');
const { name, color } = person();

/** y-websocket leaves open what the states of awareness have; Lexical says it. */
class LexicalProvider extends WebsocketProvider {
  declare awareness: WebsocketProvider['awareness'] & ProviderAwareness;
}

const providers: WebsocketProvider[] = [];
const show = statusLine((isOnline) => {
  for (const provider of providers) isOnline ? provider.connect() : provider.disconnect();
});

function connect(id: string, documents: Map<string, Y.Doc>): Provider {
  const ydoc = documents.get(id) ?? new Y.Doc();
  documents.set(id, ydoc);
  const provider = new LexicalProvider(`${node}/yjs`, id, ydoc, {
    // The plugin connects.
    connect: false,
    params: token === undefined ? {} : { token },
    disableBc: true,
  });
  providers.push(provider);
  const tell = (): void =>
    show(!provider.wsconnected ? 'Offline' : provider.synced ? 'Connected' : 'Connecting');
  provider.on('status', tell);
  provider.on('sync', tell);
  // A refusal that trying again cannot mend, such as a token that has ended.
  provider.on('closed', ({ reason }) => show(`Not allowed: ${reason}`));
  return provider;
}

function App() {
  return (
    <LexicalCollaboration>
      {/* The document has the content, so the editor begins with none of its own. */}
      <LexicalComposer
        initialConfig={{
          namespace: 'troupe',
          editorState: null,
          onError: (error) => {
            throw error;
          },
        }}
      >
        <RichTextPlugin
          contentEditable={<ContentEditable className="text" />}
          ErrorBoundary={LexicalErrorBoundary}
        />
        <CollaborationPlugin
          id={doc}
          providerFactory={connect}
          shouldBootstrap={false}
          username={name}
          cursorColor={color}
        />
      </LexicalComposer>
    </LexicalCollaboration>
  );
}

createRoot(element('editor')).render(<App />);
