// Patches in the bodies of requests, as they go to a document's owner.
import { jsonOp, type LinkOp } from '../../../actors/link/link-messages.ts';
import { base64Size } from '../../../protocol/base64.ts';
import type { Limits } from '../../../protocol/limits.ts';
import type { KindName } from '../../../protocol/messages.ts';
import { notPlain } from '../../../protocol/plain-value.ts';
import { BEYOND_DEPTH } from '../../gateway/requests.ts';
import { Refusal } from '../api/refusals.ts';

/** A patch of a client. `bytes`: the most that it may take as JSON. */
export function patchOf(op: unknown, { depth }: Pick<Limits, 'depth'>, bytes: number): LinkOp {
  if (op === undefined) throw new Refusal('bad-op', 'op is missing');
  const wrong = notPlain(op, depth + BEYOND_DEPTH);
  if (wrong !== undefined) throw new Refusal('bad-op', wrong);
  const text = JSON.stringify(op);
  const size = typeof op === 'string' ? base64Size(op) : Buffer.byteLength(text);
  if (size > bytes) throw new Refusal('too-large', `the patch is above ${bytes} bytes`);
  return jsonOp(text);
}

/** The patch that brings a new document of this kind to this content. */
export function contentPatch(kind: KindName, content: unknown): unknown {
  switch (kind) {
    case 'json':
      return [{ op: 'add', path: '', value: content }];
    case 'rich-text':
      if (!Array.isArray(content))
        throw new Refusal('bad-op', 'the content of a rich-text document is a list of inserts');
      // The newline of the new document goes, since the content brings its own.
      return [...content, { delete: 1 }];
    case 'yjs':
      return content;
    default:
      throw new Error(`unknown kind ${String(kind satisfies never)}`);
  }
}
