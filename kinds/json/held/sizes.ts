// The sizes of the values in a document, so that removing, moving or testing a value never has to walk
// through it. Owns the sizes of containers and the conversion of values to held ones; never edits a
// document.
//
// A container's size is known if the container is large, or if an edit has passed through it. Any other
// container is small and has not changed since it came, so it can be walked.
import type { Json } from '../../../protocol/messages.ts';
import { bytesOf, memberBytes, setOwn } from '../value.ts';
import {
  type Container,
  type Held,
  HeldList,
  HeldMembers,
  type HeldShape,
  isContainer,
  ListBuilder,
  membersOf,
  type PlainMembers,
} from './held.ts';

export interface Size {
  /** Bytes in JSON, counted as in value.ts. */
  readonly bytes: number;
  /** Lists and objects in the value, itself included. */
  readonly containers: number;
  /** Containers on the longest way down, this one included. The number may be too high after a removal. */
  readonly height: number;
}

/** The size of a container that an edit may change. */
export interface KnownSize extends Size {
  bytes: number;
  containers: number;
  height: number;
  /** Number of the last application that noted the size before its changes. */
  noted: number;
}

export class Sizes {
  readonly #known = new WeakMap<Container, KnownSize>();
  readonly #shape: HeldShape;
  // The results of `#visit` so far.
  #bytes = 0;
  #containers = 0;
  #height = 0;

  constructor(shape: HeldShape) {
    this.#shape = shape;
  }

  get pieceBytes(): number {
    return this.#shape.pieceBytes;
  }

  /** Converts a value to a held one, in place. The caller gives the value away. */
  hold(value: Json): { readonly value: Held; readonly size: Size } {
    this.#bytes = 0;
    this.#containers = 0;
    const held = this.#visit(value);
    const size = { bytes: this.#bytes, containers: this.#containers, height: this.#height };
    return { value: held, size };
  }

  /** A list that is put together from pieces. */
  listBuilder(): ListBuilder {
    return new ListBuilder(this.#shape);
  }

  /** Registers a container of held values that was put together from pieces and has this size. */
  assembled(container: Container, size: Size): Held {
    this.#known.set(container, { ...size, noted: 0 });
    return container;
  }

  /** True if a plain list of this many elements is too long. */
  tooLong(length: number): boolean {
    return length > this.#shape.plainItems;
  }

  /** True if a plain object of this many bytes is too large. */
  tooLarge(bytes: number): boolean {
    return bytes > this.#shape.plainBytes;
  }

  /** The same object, in buckets. The members are shared, and the size is kept. */
  bucketed(members: PlainMembers): HeldMembers {
    const bucketed = HeldMembers.of(members);
    this.#known.set(bucketed, { ...this.of(members), noted: 0 });
    return bucketed;
  }

  /** The same list, chunked. The elements are shared, and the size is kept. */
  chunked(list: readonly Held[]): HeldList {
    const chunked = new HeldList(list, this.#shape.fanOut);
    this.#known.set(chunked, { ...this.of(list as Held[]), noted: 0 });
    return chunked;
  }

  /** O(1), except for strings, whose characters are counted, and for small containers. */
  of(value: Held): Size {
    if (!isContainer(value)) return { bytes: bytesOf(value), containers: 0, height: 0 };
    return this.#known.get(value) ?? this.#walk(value);
  }

  known(container: Container): KnownSize | undefined {
    return this.#known.get(container);
  }

  /** The size of a container that is about to change. */
  track(container: Container): KnownSize {
    let size = this.#known.get(container);
    if (size === undefined) {
      size = { ...this.#walk(container), noted: 0 };
      this.#known.set(container, size);
    }
    return size;
  }

  /** True if `value` nests deeper than `depth`, judged by the values below it. O(value). */
  isDeeper(value: Held, depth: number): boolean {
    if (!isContainer(value)) return false;
    if (depth <= 0) return true;
    if ((this.#known.get(value)?.height ?? Number.POSITIVE_INFINITY) <= depth) return false;
    for (const item of childrenOf(value)) if (this.isDeeper(item, depth - 1)) return true;
    return false;
  }

  #walk(container: Container): Size {
    let bytes = 2;
    let containers = 1;
    let height = 0;
    const add = (item: Held, around: number): void => {
      const size = this.of(item);
      bytes += size.bytes + around;
      containers += size.containers;
      height = Math.max(height, size.height);
    };
    if (Array.isArray(container)) for (const item of container) add(item, 1);
    else if (container instanceof HeldList) for (const item of childrenOf(container)) add(item, 1);
    else if (container instanceof HeldMembers)
      for (const [key, member] of container.entries()) add(member, memberBytes(key));
    else for (const key of Object.keys(container)) add(container[key] ?? null, memberBytes(key));
    return { bytes, containers, height: height + 1 };
  }

  #visit(value: Held): Held {
    if (!isContainer(value)) {
      this.#bytes += bytesOf(value);
      this.#height = 0;
      return value;
    }
    const from = this.#bytes;
    const containersBefore = this.#containers;
    this.#bytes += 2;
    this.#containers += 1;
    let height = 0;
    let held: Container = value;
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) {
        const item = value[i] ?? null;
        const within = this.#visit(item);
        if (within !== item) value[i] = within;
        this.#bytes += 1;
        height = Math.max(height, this.#height);
      }
      if (this.tooLong(value.length)) held = new HeldList(value, this.#shape.fanOut);
    } else if (!(value instanceof HeldList || value instanceof HeldMembers)) {
      for (const key of Object.keys(value)) {
        const member = value[key] ?? null;
        const within = this.#visit(member);
        if (within !== member) setOwn(value, key, within);
        this.#bytes += memberBytes(key);
        height = Math.max(height, this.#height);
      }
      if (this.tooLarge(this.#bytes - from)) held = HeldMembers.of(value);
    }
    this.#height = height + 1;
    const bytes = this.#bytes - from;
    if (bytes >= this.#shape.largeBytes) {
      const containers = this.#containers - containersBefore;
      this.#known.set(held, { bytes, containers, height: this.#height, noted: 0 });
    }
    return held;
  }
}

function* childrenOf(container: Container): Generator<Held, undefined> {
  if (Array.isArray(container)) yield* container;
  else if (container instanceof HeldList) for (const items of container.chunks()) yield* items;
  else for (const [, member] of membersOf(container)) yield member;
}
