// A patch as a program writes it over HTTP: a content that is like no other one of the run, and the request that carries it.
// Makes no request.
import * as Y from 'yjs';
import { bytesToBase64 } from '../../protocol/base64.ts';
import type { KindName, Wire } from '../../protocol/messages.ts';

/**
 * A patch that contains a marker, and finds its place in any document of the kind. `name`: of its writer, a-z and 0-9. `doc`:
 * of kind `yjs` the document that the writer has for itself, with its earlier patches.
 */
export function markedPatch(kind: KindName, name: string, marker: string, doc: () => Y.Doc): Wire {
  switch (kind) {
    case 'json':
      return [{ op: 'add', path: `/http-${name}`, value: marker }];
    case 'rich-text':
      return [{ insert: marker }];
    case 'yjs': {
      const own = doc();
      const before = Y.encodeStateVector(own);
      own.getText('text').insert(0, marker);
      return Y.encodeStateAsUpdate(own, before);
    }
  }
}

export interface PatchRequest {
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
}

/** The headers and the body of the PATCH. Without a base it is made on the head. */
export function patchRequest(
  kind: KindName,
  { op, base, key }: { readonly op: Wire; readonly base?: number; readonly key?: string },
): PatchRequest {
  const wire = op instanceof Uint8Array ? bytesToBase64(op) : op;
  const isJsonPatch = kind === 'json' && base === undefined;
  return {
    headers: {
      'content-type': isJsonPatch ? 'application/json-patch+json' : 'application/json',
      ...(key !== undefined && { 'idempotency-key': key }),
    },
    body: JSON.stringify(isJsonPatch ? wire : { op: wire, ...(base !== undefined && { base }) }),
  };
}
