// A long sequence in which neighbours often have the same value, kept as runs: a length and a value. Owns the
// places of runs; a value is compared by identity and never looked into.
//
// Invariants: no run is empty, no chunk is empty, and the lengths of chunks are the sums over their runs.

/** Most runs in a chunk. An edit moves the runs of one chunk. */
const CHUNK_RUNS = 512;

interface Chunk<Value> {
  readonly lengths: number[];
  readonly values: Value[];
  length: number;
}

export class RunList<Value> {
  #chunks: Chunk<Value>[] = [];
  // The place that `#seek` found: run `#at` of chunk `#chunk`, `#offset` into it, or the end of the last chunk.
  // `#start` is the index at which that chunk begins, and `#before` the length of its runs before that run. The next
  // search starts there.
  #chunk = 0;
  #start = 0;
  #at = 0;
  #before = 0;
  #offset = 0;

  insert(index: number, length: number, value: Value): void {
    if (length === 0) return;
    this.#seek(index);
    const chunk = this.#chunks[this.#chunk];
    if (chunk === undefined) {
      this.#chunks.push({ lengths: [length], values: [value], length });
      return;
    }
    const { lengths, values } = chunk;
    chunk.length += length;
    if (this.#offset > 0) {
      const whole = lengths[this.#at] ?? 0;
      if (values[this.#at] === value) {
        lengths[this.#at] = whole + length;
        return;
      }
      const around = values[this.#at] as Value;
      lengths.splice(this.#at, 1, this.#offset, length, whole - this.#offset);
      values.splice(this.#at, 1, around, value, around);
    } else if (this.#at > 0 && values[this.#at - 1] === value) {
      lengths[this.#at - 1] = (lengths[this.#at - 1] ?? 0) + length;
      this.#before += length;
      return;
    } else if (this.#at < values.length && values[this.#at] === value) {
      lengths[this.#at] = (lengths[this.#at] ?? 0) + length;
      return;
    } else {
      lengths.splice(this.#at, 0, length);
      values.splice(this.#at, 0, value);
    }
    if (lengths.length > CHUNK_RUNS) this.#halve(this.#chunk, chunk);
  }

  /** Throws if the sequence is shorter. */
  remove(index: number, length: number): void {
    let left = length;
    while (left > 0) {
      this.#seek(index);
      const chunk = this.#chunks[this.#chunk];
      const run = chunk?.lengths[this.#at];
      if (chunk === undefined || run === undefined) throw new RangeError('place outside of the sequence');
      const taken = Math.min(left, run - this.#offset);
      if (taken < run) {
        chunk.lengths[this.#at] = run - taken;
        chunk.length -= taken;
        left -= taken;
        continue;
      }
      let end = this.#at + 1;
      let whole = taken;
      for (
        let next = chunk.lengths[end];
        next !== undefined && next <= left - whole;
        next = chunk.lengths[end]
      ) {
        whole += next;
        end++;
      }
      chunk.lengths.splice(this.#at, end - this.#at);
      chunk.values.splice(this.#at, end - this.#at);
      chunk.length -= whole;
      left -= whole;
      if (chunk.lengths.length === 0) {
        this.#chunks.splice(this.#chunk, 1);
        this.#goTo(0, 0);
      }
    }
  }

  /** Throws if the sequence has no such index. */
  at(index: number): Value {
    this.#seek(index);
    const chunk = this.#chunks[this.#chunk];
    if (chunk === undefined || this.#at >= chunk.values.length)
      throw new RangeError('place outside of the sequence');
    return chunk.values[this.#at] as Value;
  }

  set(index: number, value: Value): void {
    this.remove(index, 1);
    this.insert(index, 1, value);
  }

  /** The runs in order. Neighbours may have one value. The sequence must not change meanwhile. */
  *runs(): Generator<readonly [length: number, value: Value]> {
    for (const { lengths, values } of this.#chunks)
      for (const [i, value] of values.entries()) yield [lengths[i] ?? 0, value];
  }

  /** Finds the place `index`: inside a run, at the start of a run, or at the end of a chunk. */
  #seek(index: number): void {
    const chunks = this.#chunks;
    let c = this.#chunk;
    let start = this.#start;
    if (index < start - index) {
      c = 0;
      start = 0;
    }
    let chunk = chunks[c];
    while (index < start && c > 0) {
      chunk = chunks[--c];
      start -= chunk?.length ?? 0;
    }
    while (chunk !== undefined && index >= start + chunk.length && c < chunks.length - 1) {
      start += chunk.length;
      chunk = chunks[++c];
    }
    if (c !== this.#chunk || index - start < this.#before / 2) this.#goTo(c, start);
    let at = this.#at;
    let before = this.#before;
    const inChunk = index - start;
    if (chunk !== undefined) {
      const { lengths } = chunk;
      while (inChunk < before) before -= lengths[--at] ?? 0;
      for (let run = lengths[at]; run !== undefined && inChunk >= before + run; run = lengths[at]) {
        before += run;
        at++;
      }
    }
    this.#at = at;
    this.#before = before;
    this.#offset = inChunk - before;
    if (chunk === undefined ? index > 0 : this.#offset > 0 && at >= chunk.lengths.length) {
      this.#goTo(0, 0);
      throw new RangeError('place outside of the sequence');
    }
  }

  /** The next search starts at the beginning of this chunk. */
  #goTo(chunk: number, start: number): void {
    this.#chunk = chunk;
    this.#start = start;
    this.#at = 0;
    this.#before = 0;
  }

  #halve(c: number, chunk: Chunk<Value>): void {
    const half = chunk.lengths.length >> 1;
    const lengths = chunk.lengths.splice(half);
    const values = chunk.values.splice(half);
    const length = lengths.reduce((sum, each) => sum + each, 0);
    chunk.length -= length;
    this.#chunks.splice(c + 1, 0, { lengths, values, length });
    this.#goTo(c, this.#start);
  }
}
