// The interface between a session and the local copy of a document: content and pending edits, nothing of
// sockets. Implemented for operational transformation (ot-replica.ts) and for Yjs (yjs-replica.ts).
import type { Wire } from '../../protocol/messages.ts';

/** The knowledge about the patch in flight when the document arrives anew as a snapshot. */
export type FlightFate = 'none' | 'open' | 'committed' | 'unknown';

/**
 * The pending edits are a queue; the first may be *in flight*: handed out by `fly`, from then on not composed
 * with later ones, and settled by exactly one of `own`, `discard` and `load` (`committed`, `unknown`).
 * `foreign`, `own` and `load` throw ReplicaError if the server's data does not fit: the session then asks for
 * the whole document again.
 */
export interface Replica<Patch> {
  /** Whether a snapshot has been loaded. */
  readonly loaded: boolean;
  /** Whether any edit made here is not settled. */
  readonly pending: boolean;
  /** The number of the latest edit made here; the first is 1. */
  readonly edits: number;
  /** The number of the first edit that is not settled. */
  readonly oldestPending: number | undefined;
  /** Whether patches are made on a version (`base` on the wire). */
  readonly versioned: boolean;
  /** Whether edits made here cannot be taken out again: a refused patch then ends the document. */
  readonly irrevocable: boolean;
  /**
   * The patch in flight as of now (rebased past later commits). If there is none, the next pending patch is
   * put in flight.
   */
  fly(): Wire | undefined;
  /** Takes a patch of another client, as committed. */
  foreign(op: Wire, author: string, version: number): Discarded<Patch>;
  /** Takes the patch in flight, as committed. */
  own(op: Wire, author: string, version: number): Discarded<Patch>;
  /**
   * Ends the patch in flight: it was refused, or (`duplicate`) is part of the document already. Returns it,
   * and with it the edits built on it alone; undefined if no part of an edit was lost.
   */
  discard(why: 'refused' | 'duplicate'): Discarded<Patch>;
  /**
   * Takes the whole document in place of the old one; pending edits are kept on top of it. `sameHistory`: the
   * document is still in the same life.
   */
  load(snapshot: Wire, version: number, flight: FlightFate, sameHistory: boolean): Discarded<Patch>;
  /** Gives up all pending edits and returns them as one patch. */
  giveUp(): Discarded<Patch>;
}

export interface Discarded<Patch> {
  /** The patch that was in flight; undefined if it was empty or there was none. */
  readonly flight: Lost<Patch> | undefined;
  /** Later edits that no longer have a place in the document. */
  readonly followers: readonly Lost<Patch>[];
}

export interface Lost<Patch> {
  readonly patch: Patch;
  /** The number of the first edit in it. */
  readonly edit: number;
}

export const NOTHING_DISCARDED: Discarded<never> = { flight: undefined, followers: [] };

/** The server's data does not fit the local copy. */
export class ReplicaError extends Error {
  override name = 'ReplicaError';
}
