// A document rebuilt from its committed patches, by the same kinds that server and SDK use, and the
// comparison of two such documents. Knows no clients and no sockets.
import * as Y from 'yjs';
import type { DocumentKind, KindLimits } from '../../kinds/kind.ts';
import { KINDS } from '../../kinds/registry.ts';
import type { KindName, Wire } from '../../protocol/messages.ts';

export interface Replica {
  readonly kind: KindName;
  readonly version: number;
  /** Applies the next committed patch. Throws if it does not apply. */
  apply(op: Wire): void;
  /** The snapshot in wire form. */
  content(): Wire;
}

export interface Replay extends Replica {
  /**
   * The committed form on this version of `op`, made on version `base`: the patch, or the code with which it
   * is refused. Leaves the replay as it was. Only for a replay from version 0.
   */
  expected(op: Wire, base: number): { readonly op: Wire } | { readonly code: string };
}

/** A replica that begins at a snapshot. Throws if the snapshot is invalid for the kind. */
export function replicaOf(kind: KindName, snapshot: Wire, version: number): Replica {
  return build(kind, { snapshot, version });
}

/** The document from its beginning. */
export function replayOf(kind: KindName): Replay {
  return build(kind, undefined);
}

/** Equal as documents: the order of keys and the encoding of a yjs update do not matter. */
export function sameContent(kind: KindName, left: Wire, right: Wire): boolean {
  if (kind !== 'yjs') return sameWire(left, right);
  return Y.equalSnapshots(yjsState(left), yjsState(right));
}

/** Equal as values: bytes by content, maps without order, and 0 equals -0. */
export function sameWire(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (left instanceof Uint8Array || right instanceof Uint8Array) {
    if (!(left instanceof Uint8Array) || !(right instanceof Uint8Array)) return false;
    return left.length === right.length && left.every((byte, at) => byte === right[at]);
  }
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  return names.every(
    (name) =>
      Object.hasOwn(right, name) &&
      sameWire(left[name as keyof typeof left], right[name as keyof typeof right]),
  );
}

function yjsState(wire: Wire): Y.Snapshot {
  if (!(wire instanceof Uint8Array)) throw new TypeError('a yjs snapshot is bytes');
  const doc = new Y.Doc();
  Y.applyUpdate(doc, wire);
  return Y.snapshot(doc);
}

type Start = { readonly snapshot: Wire; readonly version: number } | undefined;

function build(name: KindName, start: Start): Replay {
  switch (name) {
    case 'json':
      return new KindReplay(KINDS.json, start);
    case 'rich-text':
      return new KindReplay(KINDS['rich-text'], start);
    case 'yjs':
      return new KindReplay(KINDS.yjs, start);
  }
}

/** Limits that no committed patch exceeds. */
const LIMITS: KindLimits = { documentBytes: 1 << 30, depth: 100, workMs: 60_000 };

class KindReplay<State, Op, Undo> implements Replay {
  version: number;
  readonly #of: DocumentKind<State, Op, Undo>;
  readonly #state: State;
  readonly #log: Op[] = [];
  readonly #undos: Undo[] = [];

  constructor(of: DocumentKind<State, Op, Undo>, start: Start) {
    this.#of = of;
    this.version = start?.version ?? 0;
    this.#state = start === undefined ? of.create() : of.load(start.snapshot);
  }

  get kind(): KindName {
    return this.#of.name;
  }

  apply(wire: Wire): void {
    const parsed = this.#of.parse(wire, LIMITS);
    const applied = parsed.ok ? this.#of.apply(this.#state, parsed.value) : parsed;
    if (!applied.ok) {
      throw new Error(`version ${this.version + 1} does not apply: ${applied.code} ${applied.message}`);
    }
    this.#log.push(applied.value.op);
    this.#undos.push(applied.value.undo);
    this.version += 1;
  }

  content(): Wire {
    return this.#of.snapshot(this.#state);
  }

  expected(wire: Wire, base: number): { readonly op: Wire } | { readonly code: string } {
    const parsed = this.#of.parse(wire, LIMITS);
    if (!parsed.ok) return { code: parsed.code };
    const past = this.#log.slice(base);
    const undos = this.#undos.slice(base);
    const committed = this.#of.commit(this.#state, parsed.value, past, LIMITS, { undos });
    if (!committed.ok) return { code: committed.code };
    const op = this.#of.wire(committed.value.op);
    this.#of.revert(this.#state, committed.value.undo);
    return { op };
  }
}
