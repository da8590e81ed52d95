// A `yjs` document as applications see it: a Y.Doc that is kept in step.
import type * as Y from 'yjs';
import type { KindName } from '../../protocol/messages.ts';
import type { ChangeOrigin, SharedTypes, YjsChange, YjsDocument } from '../api.ts';
import { DocumentBase, type DocumentHost } from '../document/document.ts';
import { TroupeError } from '../errors.ts';
import { mostPatchBytes } from '../limits.ts';
import { YjsReplica } from './yjs-replica.ts';

/** Base64 encodes three bytes as four. */
const BASE64_SHARE = 0.75;

export class YjsDocumentOfClient
  extends DocumentBase<YjsChange, Uint8Array>
  implements Omit<YjsDocument, 'close'>
{
  readonly kind = 'yjs' satisfies KindName;
  readonly #replica: YjsReplica;

  constructor(host: DocumentHost, name: string) {
    const told: { changed: (origin: ChangeOrigin, update: Uint8Array) => void; history: () => void } = {
      changed: () => {},
      history: () => {},
    };
    const replica = new YjsReplica({
      updateBytes: () => mostPatchBytes(host.limits()) * BASE64_SHARE,
      changed: (origin, update) => told.changed(origin, update),
      history: () => told.history(),
    });
    super(host, name, 'yjs', replica);
    this.#replica = replica;
    told.changed = (origin, update) => this.#changed(origin, update);
    told.history = () => this.refreshHistory();
  }

  get content(): Y.Doc {
    return this.#replica.doc;
  }
  get canUndo(): boolean {
    return this.#replica.undoManager.canUndo();
  }
  get canRedo(): boolean {
    return this.#replica.undoManager.canRedo();
  }
  undo(): boolean {
    this.assertEditable();
    return this.#replica.undoManager.undo() !== null;
  }
  redo(): boolean {
    this.assertEditable();
    return this.#replica.undoManager.redo() !== null;
  }
  undoGroup(): void {
    this.#replica.undoManager.stopCapturing();
  }
  undoScope(types: SharedTypes): void {
    this.#replica.undoScope(types);
  }

  protected override dispose(): void {
    this.#replica.destroy();
  }

  #changed(origin: ChangeOrigin, update: Uint8Array): void {
    this.events.emit('change', { origin, update });
    if (origin === 'remote') return;
    if (this.#replica.pendingBytes > this.host.pendingBytes) {
      const { pendingBytes } = this.host;
      this.session.fail(
        new TroupeError('overloaded', `more than ${pendingBytes} bytes of edits are waiting`, true),
      );
      return;
    }
    this.session.edited();
  }
}
