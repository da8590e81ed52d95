// What a session asks of the local copy of a document: content, edits that are pending, nothing of
// sockets. Implemented for operational transformation (ot-replica.ts) and for Yjs (yjs-replica.ts).
import type { Wire } from '../protocol/messages.ts';

/** What is known of the patch in flight when the document arrives anew as a snapshot. */
export type FlightFate = 'none' | 'open' | 'committed' | 'unknown';

/**
 * The pending edits are a queue; the first may be *in flight*: handed out by `fly`, from then on not
 * composed with later ones, and settled by exactly one of `own`, `discard` and `load` (`committed`, `unknown`).
 * `foreign`, `own` and `load` throw ReplicaError where the server's data does not fit: the session then
 * asks for the whole document again.
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
  /** Whether what was edited here cannot be taken out again: a refused patch then ends the document. */
  readonly irrevocable: boolean;
  /** The patch in flight as of now (rebased past what came since); without one, the next pending is put in flight. */
  fly(): Wire | undefined;
  /** Others' patch, as committed. */
  foreign(op: Wire, author: string, version: number): Discarded<Patch>;
  /** The patch in flight, as committed. */
  own(op: Wire, author: string, version: number): Discarded<Patch>;
  /**
   * The patch in flight is over: refused, or (`duplicate`) part of the document already. Returns it,
   * and with it what was built on it alone; undefined where nothing of an edit was lost.
   */
  discard(why: 'refused' | 'duplicate'): Discarded<Patch>;
  /** The whole document, in place of what was there; pending edits are kept on top of it. `sameHistory`: it is still the same life of the document. */
  load(snapshot: Wire, version: number, flight: FlightFate, sameHistory: boolean): Discarded<Patch>;
  /** Everything pending, as one patch, given up. */
  giveUp(): Discarded<Patch>;
}

export interface Discarded<Patch> {
  /** The patch that was in flight; undefined where it was empty or there was none. */
  readonly flight: Lost<Patch> | undefined;
  /** Later edits that had no ground left to stand on. */
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
