// Others' selections in a rich-text document, moved along with every edit. Positions are kept on the
// confirmed document, at the version that they name, and are translated to the view when read. Owns nothing
// of their transport.
import type { Json } from '../../protocol/messages.ts';
import { isVersion } from '../../protocol/names.ts';
import type { Cursor, Range } from '../api.ts';
import { isRecord } from '../guards.ts';
import { positionAfter, positionBefore, type Steps } from './rich-text-algebra.ts';

/** Committed patches that are remembered, to bring late positions up to date. */
const REMEMBERED = 200;

interface Anchor {
  range: Range;
  /**
   * The version of the confirmed document to which the range refers. A range of a later version is not shown
   * yet.
   */
  version: number;
  readonly data: Json;
}

export class Cursors {
  readonly #anchors = new Map<string, Anchor>();
  #recent: { op: Steps; author: string; version: number }[] = [];
  #version = 0;

  /** Whether no client has a selection. */
  get empty(): boolean {
    return this.#anchors.size === 0;
  }

  /** Forgets the patches: the document was loaded anew. */
  reset(version: number): void {
    this.#recent = [];
    this.#version = version;
    for (const anchor of this.#anchors.values()) anchor.version = Math.max(anchor.version, version);
  }

  confirmed(op: Steps, author: string, version: number): void {
    this.#recent.push({ op, author, version });
    if (this.#recent.length > REMEMBERED) this.#recent.shift();
    this.#version = version;
    for (const [client, anchor] of this.#anchors) this.#catchUp(client, anchor);
  }

  /** Takes a client's presence; null means that it is gone. */
  presence(client: string, data: Json): void {
    const selection = isRecord(data) ? data.selection : undefined;
    const told = isRecord(selection) ? readSelection(selection) : undefined;
    if (told === undefined) {
      this.#anchors.delete(client);
      return;
    }
    const anchor = { ...told, data };
    this.#anchors.set(client, anchor);
    this.#catchUp(client, anchor);
  }

  /** The selections on the view that `pending` leads to, which is `length` long. */
  onView(pending: readonly Steps[], length: number): ReadonlyMap<string, Cursor> {
    const cursors = new Map<string, Cursor>();
    for (const [client, { range, version, data }] of this.#anchors) {
      if (version > this.#version) continue;
      const moved = pending.reduce((seen, op) => rangeAfter(seen, op, false), range);
      const index = Math.min(moved.index, length);
      cursors.set(client, { index, length: Math.min(moved.length, length - index), data });
    }
    return cursors;
  }

  #catchUp(client: string, anchor: Anchor): void {
    for (const { op, author, version } of this.#recent) {
      if (version <= anchor.version) continue;
      anchor.range = rangeAfter(anchor.range, op, author === client);
      anchor.version = version;
    }
    if (anchor.version < this.#version) anchor.version = this.#version;
  }
}

/** The `selection` to send: a range of the view, converted to the confirmed document at `version`. */
export function outgoingSelection(range: Range, pending: readonly Steps[], version: number): Json {
  const start = pending.reduceRight(positionBefore, range.index);
  const end = pending.reduceRight(positionBefore, range.index + range.length);
  return { index: start, length: Math.max(0, end - start), version };
}

/**
 * The range after a patch. With `own` the selection's owner made the patch, and its insert pushes the caret
 * along.
 */
export function rangeAfter(range: Range, op: Steps, own: boolean): Range {
  const index = positionAfter(range.index, op, own);
  if (range.length === 0) return { index, length: 0 };
  return { index, length: Math.max(0, positionAfter(range.index + range.length, op, own) - index) };
}

function readSelection(told: Record<string, unknown>): { range: Range; version: number } | undefined {
  const { index, length, version } = told;
  if (!isVersion(index) || !isVersion(version)) return undefined;
  return { range: { index, length: isVersion(length) ? length : 0 }, version };
}
