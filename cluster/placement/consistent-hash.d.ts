// Types for the part of `consistent-hash` (CommonJS, without types of its own) that the ring uses.
declare module 'consistent-hash' {
  class ConsistentHash {
    constructor(options?: { range?: number });
    /** `points`: the node's control points, integers below `range`. Without this argument they are random. */
    add(node: string, count: number, points: readonly number[]): this;
    /** The first `count` different nodes at or after the key. Null if the ring is empty. */
    get(key: string, count: number): string[] | null;
  }
  export = ConsistentHash;
}
