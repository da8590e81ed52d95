// A text that is edited by code-point positions and returns UTF-16 positions, at the cost of the edit and not
// of the text. Knows plain text alone.

const CHUNK_UNITS = 1024;

interface Chunk {
  text: string;
  points: number;
}

/** A range in UTF-16 code units. */
export interface UnitRange {
  readonly position: number;
  readonly deleted: number;
}

/** The part of a rich-text step that concerns text. */
export interface DeltaStep {
  readonly insert?: unknown;
  readonly retain?: unknown;
  readonly delete?: number | undefined;
}

export class CodePointText {
  readonly #chunks: Chunk[] = [];

  /** Code points in the whole text. */
  get points(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.points, 0);
  }

  /** A range of code points, in UTF-16 units. Throws RangeError past the end. */
  range(position: number, length: number): UnitRange {
    const from = this.#find(position, pointsIn, unitsOfPoints);
    const to = this.#find(position + length, pointsIn, unitsOfPoints);
    return { position: from.units, deleted: to.units - from.units };
  }

  /** Replaces by code points. Throws RangeError past the end. Returns the same range in UTF-16 units. */
  splice(position: number, deleted: number, inserted: string): UnitRange {
    const from = this.#find(position, pointsIn, unitsOfPoints);
    const to = this.#find(position + deleted, pointsIn, unitsOfPoints);
    this.#replace(from, to, inserted);
    return { position: from.units, deleted: to.units - from.units };
  }

  /** Replaces by UTF-16 units. */
  spliceUnits(position: number, deleted: number, inserted: string): void {
    const from = this.#find(position, unitsIn, unitsOfUnits);
    const to = this.#find(position + deleted, unitsIn, unitsOfUnits);
    this.#replace(from, to, inserted);
  }

  /** Applies a rich-text patch by UTF-16 units; an embed becomes U+FFFC. */
  applyDelta(steps: readonly DeltaStep[]): void {
    let position = 0;
    for (const { insert, retain, delete: deleted } of steps) {
      if (insert !== undefined) {
        const text = typeof insert === 'string' ? insert : '\ufffc';
        this.spliceUnits(position, 0, text);
        position += text.length;
      } else if (typeof retain === 'number') position += retain;
      else if (deleted !== undefined) this.spliceUnits(position, deleted, '');
    }
  }

  toString(): string {
    return this.#chunks.map((chunk) => chunk.text).join('');
  }

  #find(
    target: number,
    sizeOf: (chunk: Chunk) => number,
    offsetIn: (text: string, count: number) => number,
  ): Place {
    let left = target;
    let units = 0;
    for (const [index, chunk] of this.#chunks.entries()) {
      const size = sizeOf(chunk);
      if (left <= size) {
        const offset = offsetIn(chunk.text, left);
        return { index, offset, units: units + offset };
      }
      left -= size;
      units += chunk.text.length;
    }
    if (left > 0) throw new RangeError(`position ${target} is past the end`);
    return { index: this.#chunks.length, offset: 0, units };
  }

  #replace(from: Place, to: Place, inserted: string): void {
    const head = this.#chunks[from.index]?.text.slice(0, from.offset) ?? '';
    const tail = this.#chunks[to.index]?.text.slice(to.offset) ?? '';
    const last = Math.min(to.index, this.#chunks.length - 1);
    this.#chunks.splice(from.index, last - from.index + 1, ...cut(head + inserted + tail));
  }
}

const pointsIn = (chunk: Chunk) => chunk.points;
const unitsIn = (chunk: Chunk) => chunk.text.length;
const unitsOfUnits = (_: string, units: number) => units;

interface Place {
  readonly index: number;
  readonly offset: number;
  /** UTF-16 units before it in the whole text. */
  readonly units: number;
}

function cut(text: string): Chunk[] {
  const chunks: Chunk[] = [];
  for (let from = 0; from < text.length; ) {
    let to = text.length - from <= 2 * CHUNK_UNITS ? text.length : from + CHUNK_UNITS;
    if (to < text.length && isHighSurrogate(text.charCodeAt(to - 1))) to += 1;
    const piece = text.slice(from, to);
    chunks.push({ text: piece, points: countPoints(piece) });
    from = to;
  }
  return chunks;
}

const isHighSurrogate = (unit: number) => unit >= 0xd800 && unit <= 0xdbff;

function countPoints(text: string): number {
  let points = text.length;
  for (let at = 0; at < text.length; at++) if (isHighSurrogate(text.charCodeAt(at))) points -= 1;
  return points;
}

function unitsOfPoints(text: string, points: number): number {
  let units = 0;
  for (let left = points; left > 0; left--) units += isHighSurrogate(text.charCodeAt(units)) ? 2 : 1;
  return units;
}
