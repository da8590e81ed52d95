// The limits a server tells in `welcome.limits`. Their defaults and the configuration keys that
// change them are in config/schema.ts.

/** Every limit of the wire contract, section Limits. Sizes in bytes, times in milliseconds. */
export interface Limits {
  /** Largest frame a client may send. */
  readonly frameBytes: number;
  /** Largest patch a client may send, as encoded in its subprotocol. */
  readonly opBytes: number;
  /** Largest frame a client must be able to take. */
  readonly receiveBytes: number;
  /** Largest document, as its snapshot in JSON. */
  readonly documentBytes: number;
  /** Documents one socket may have open at once. */
  readonly openDocuments: number;
  /** Submits per second of one client, over all its documents. */
  readonly submitsPerSecond: number;
  /** Presence messages per second of one client, over all its documents. */
  readonly presencesPerSecond: number;
  /** Largest presence `data`, as encoded in JSON. */
  readonly presenceBytes: number;
  /** Submits of one client to one document without an answer. */
  readonly inflight: number;
  /** Nesting of a value: patch, snapshot or presence. */
  readonly depth: number;
  /** What transforming and applying one patch may cost the server, in estimated milliseconds. */
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
