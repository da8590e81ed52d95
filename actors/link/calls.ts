// Calls: requests for a document that need no subscription. A gateway sends one to the document's owner, under a number
// that it never uses again, and gets one answer. The answer depends on nothing that is not durable.
//
// An owner that ends, resets the document or gives its shard away answers `again`, or nothing: the gateway then sends
// the call again, to the owner of that moment. So every call says by itself what must not happen twice: a patch by its
// client, and every other change by a mark that the database keeps.
import type { ErrorCode } from '../../protocol/errors.ts';
import type { KindName } from '../../protocol/messages.ts';

/** The seq of a patch whose client commits nothing else in the document. */
export const CALL_SEQ = 1;

export type OwnerCall =
  /** The document at its head. `unless`: tags of content that the caller has, as `tagOf` writes them. */
  | { readonly type: 'read'; readonly unless: readonly string[] }
  /**
   * Commits a patch under `client` and `seq`. No other call has the client at the same time. A base of -1 stands for
   * the head on arrival. With `ifTag` the head must have one of these tags when the patch comes to its turn, unless the
   * patch has committed before.
   */
  | {
      readonly type: 'write';
      readonly client: string;
      readonly user: string;
      readonly seq: number;
      readonly base: number;
      readonly ifTag: readonly string[] | null;
    }
  /** Creates the document. With a patch, the document and the patch become durable together. */
  | { readonly type: 'create'; readonly client: string; readonly user: string; readonly kind: KindName }
  /** Deletes the document: its subscriptions end, and its name is free. Nodes of earlier versions state no user. */
  | { readonly type: 'remove'; readonly mark: string; readonly user?: string }
  /** Brings back the document of this name that was deleted last, unless that is longer ago than `trashMs`. */
  | { readonly type: 'bringBack'; readonly mark: string; readonly trashMs: number; readonly user?: string };

export type OwnerAnswer =
  /** The content stands beside the answer as JSON text, or in the snapshot of that number (see SNAPSHOT). */
  | {
      readonly type: 'content';
      readonly kind: KindName;
      readonly history: string;
      readonly version: number;
      readonly shared: number | null;
    }
  /** The caller has the content. */
  | { readonly type: 'unchanged'; readonly history: string; readonly version: number }
  /** The patch has committed as this version, or the document was created and is at this version. */
  | { readonly type: 'committed'; readonly history: string; readonly version: number }
  /** The document was deleted, or is back. `id` is its number in the database. */
  | { readonly type: 'changed'; readonly id: number }
  | {
      readonly type: 'refused';
      readonly code: ErrorCode;
      readonly message: string;
      readonly retryAfterMs: number;
    }
  /** Nothing has happened here. */
  | { readonly type: 'again' };

/** Identifies the content of a document: the same tag, the same content. */
export const tagOf = (history: string, version: number): string => `${history}.${version}`;

export const refusedCall = (
  code: ErrorCode,
  message: string,
  retryAfterMs = 0,
): OwnerAnswer & { readonly type: 'refused' } => ({
  type: 'refused',
  code,
  message,
  retryAfterMs,
});

export const AGAIN: OwnerAnswer = { type: 'again' };
