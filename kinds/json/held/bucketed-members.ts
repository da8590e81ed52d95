// An object of many members. A plain object of a million members has to be listed at once, and now and then
// grows at once, either of which takes tenths of a second. Here the members are listed one by one, and from
// some thousands on they are in buckets that grow by themselves. Owns its members; never looks at them.
// They are in the order of their setting while they share one bucket; the order of keys means nothing.

/** Most members of one bucket alone. */
const ONE_BUCKET = 4096;
const BUCKETS = 128;
/** Characters at each end of a key that decide its bucket. */
const HASHED = 16;

export class BucketedMembers<T> {
  #buckets: Map<string, T>[] = [new Map()];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(key: string): boolean {
    return this.#bucketOf(key).has(key);
  }

  get(key: string): T | undefined {
    return this.#bucketOf(key).get(key);
  }

  set(key: string, value: T): void {
    const bucket = this.#bucketOf(key);
    this.#size -= bucket.size;
    bucket.set(key, value);
    this.#size += bucket.size;
    if (this.#size > ONE_BUCKET && this.#buckets.length === 1) this.#split();
  }

  delete(key: string): void {
    if (this.#bucketOf(key).delete(key)) this.#size--;
  }

  *entries(): Generator<readonly [key: string, value: T], undefined> {
    for (const bucket of this.#buckets) yield* bucket;
  }

  #split(): void {
    const all = [...this.entries()];
    this.#buckets = Array.from({ length: BUCKETS }, () => new Map());
    for (const [key, value] of all) this.#bucketOf(key).set(key, value);
  }

  #bucketOf(key: string): Map<string, T> {
    const at = this.#buckets.length === 1 ? 0 : hashOf(key) % BUCKETS;
    return this.#buckets[at] as Map<string, T>;
  }
}

function hashOf(key: string): number {
  const { length } = key;
  let hash = length;
  for (let i = 0; i < length && i < HASHED; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
  for (let i = Math.max(HASHED, length - HASHED); i < length; i++)
    hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
  // The low bits of such a hash follow the last characters alone.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 12)) >>> 0;
}
