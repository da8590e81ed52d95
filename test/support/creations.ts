// Creations of documents, for tests of stores.
import type { Creation } from '../../actors/storage/store.ts';
import type { KindName } from '../../protocol/messages.ts';

/** A creation without a mark and without a first patch, as a socket asks for it. */
export const plain = (kind: KindName): Creation => ({ kind, user: 'ada', mark: '' });
