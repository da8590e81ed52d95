// Tiptap with its own collaboration extensions, over @hocuspocus/provider. Nothing here is special to Troupe but the
// URL and the name of the document.
import { HocuspocusProvider } from '@hocuspocus/provider';
import { Editor } from '@tiptap/core';
import { Collaboration } from '@tiptap/extension-collaboration';
import { CollaborationCaret } from '@tiptap/extension-collaboration-caret';
import { StarterKit } from '@tiptap/starter-kit';
import { element, person, place, statusLine } from '../shared/page.ts';

const { node, doc, token } = place('demo/tiptap');

const show = statusLine((isOnline) => (isOnline ? provider.connect() : provider.disconnect()));
const provider = new HocuspocusProvider({
  url: `${node}/hocuspocus`,
  name: doc,
  token: token ?? '',
  onStatus: tell,
  onSynced: tell,
  // Troupe confirms an edit once it is on disk, so this is a true "saved".
  onUnsyncedChanges: tell,
  onAuthenticationFailed: ({ reason }) => show(`Not allowed: ${reason}`),
});

new Editor({
  element: element('editor'),
  extensions: [
    // The history of the document undoes the edits of this window alone.
    StarterKit.configure({ undoRedo: false }),
    Collaboration.configure({ document: provider.document }),
    CollaborationCaret.configure({ provider, user: person() }),
  ],
});

function tell(): void {
  // The first event comes while the provider is being made.
  queueMicrotask(() => {
    if (provider.configuration.websocketProvider.status !== 'connected') show('Offline');
    else if (!provider.isSynced) show('Connecting');
    else show(provider.hasUnsyncedChanges ? 'Saving' : 'Saved');
  });
}
