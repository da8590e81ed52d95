// The limits that a server sends in `welcome.limits`. config/schema.ts has their defaults and the
// configuration keys that change them.

/** Every limit of the wire contract, section Limits. Sizes in bytes, times in milliseconds. */
export interface Limits {
  /** Largest frame a client may send. */
  readonly frameBytes: number;
  /** Largest patch a client may send, encoded in the client's subprotocol. Of kind yjs: the bytes of the update. */
  readonly opBytes: number;
  /** Largest frame a client must be able to take. */
  readonly receiveBytes: number;
  /** Largest document, measured as its snapshot in JSON. */
  readonly documentBytes: number;
  /** Documents one socket may have open at once. */
  readonly openDocuments: number;
  /** Opens per second of one socket. As many may come at once, or `openDocuments` if that is more. */
  readonly opensPerSecond: number;
  /** Submits per second of one client, over all its documents. */
  readonly submitsPerSecond: number;
  /** Presence messages per second of one client, over all its documents. */
  readonly presencesPerSecond: number;
  /** Largest presence `data`, encoded in JSON. */
  readonly presenceBytes: number;
  /** Unanswered submits of one client to one document. */
  readonly inflight: number;
  /** Deepest nesting of a value (patch, snapshot or presence). */
  readonly depth: number;
  /** Largest cost to the server of transforming and applying one patch, in estimated milliseconds. */
  readonly workMs: number;
  /** `since` and `base` reach back at least this long. */
  readonly historyMs: number;
  /** `since` and `base` reach back at least this many versions. */
  readonly historyOps: number;
  /** A client's committed seqs are remembered at least this long. */
  readonly clientMemoryMs: number;
  /** A client should send an application message (`ping` will do) at least this often. */
  readonly pingMs: number;
  /** A socket that sends no application message for this long is closed. */
  readonly idleMs: number;
}
