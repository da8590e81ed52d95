// The creation of a document that a message asks for, if there is no document: its kind, its creator, and its first
// patch. Pure.
import type { KindLimits } from '../../kinds/kind.ts';
import { kindOf } from '../../kinds/registry.ts';
import type { Failure } from '../../protocol/errors.ts';
import { CALL_SEQ } from '../link/calls.ts';
import { CALL, type LinkOp, OPEN, type ToOwner } from '../link/link-messages.ts';
import { kindToCreate } from '../link/missing-document.ts';
import type { Creation } from '../storage/store.ts';
import { type AnyKind, fromLink, storedFromLink } from './entry.ts';

/** Undefined if the message creates no document. A failure if its patch is wrong, or too large. */
export function creationOf(message: ToOwner, limits: KindLimits): Creation | Failure | undefined {
  if (message[0] === OPEN) {
    const kind = kindToCreate(message[3]);
    return kind && { kind, user: message[3].user, mark: '' };
  }
  if (message[0] !== CALL || message[3].type !== 'create') return undefined;
  const [, , , { kind, user, client }, op] = message;
  if (op === null) return { kind, user, mark: client };
  const first = firstPatch(kindOf(kind), op, limits);
  return 'code' in first ? first : { kind, user, mark: client, first: { client, seq: CALL_SEQ, ...first } };
}

export const isCreation = (found: Creation | Failure | undefined): found is Creation =>
  found !== undefined && 'kind' in found;

/** The patch in the form of the log, committed on a new document. */
function firstPatch(kind: AnyKind, op: LinkOp, limits: KindLimits): { readonly op: Uint8Array } | Failure {
  const wire = fromLink(kind, op);
  const parsed = kind.parse(wire, limits);
  if (!parsed.ok) return parsed;
  const committed = kind.commit(kind.create(), parsed.value, [], limits);
  if (!committed.ok) {
    if (committed.code === 'needs-base') throw new Error('a patch without newer ones is in doubt');
    return committed;
  }
  return { op: storedFromLink(kind, op, wire, parsed.value, committed.value.op) };
}
