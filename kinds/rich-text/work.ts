// Estimates the cost of a Delta from the number of its steps and of the values in its attributes. Owns the
// constants, which `npm run work` measures; never looks at a document.
import type { Json } from '../../protocol/messages.ts';
import type { Work } from '../kind.ts';
import type { Delta, Step } from './delta.ts';

/** Microseconds for one step past one version, or for one step of a version that is passed. */
const PAIR_US = 0.045;
/** Added if the step has attributes. */
const FORMAT_PAIR_US = 0.15;
/** Added for each value in the attributes. */
const VALUE_PAIR_US = 0.5;
/** Added for each UTF-16 unit of the strings among these values. */
const UNIT_PAIR_US = 0.0001;

/**
 * Microseconds for checking, applying and encoding one step, without the pieces of the document that it
 * changes.
 */
const STEP_US = 1;
/** Added for each value in the attributes or in an embed. */
const VALUE_US = 0.5;
/** Added for each inserted UTF-16 unit. */
const UNIT_US = 0.01;

/** Microseconds for formatting, or for deleting, one piece of the document. */
const FORMAT_PIECE_US = 0.5;
const DELETE_PIECE_US = 0.4;
/** Added for each byte of the piece's attributes or embed beyond FEW_BYTES, the bytes of a few short ones. */
const FORMAT_BYTE_US = 0.05;
const DELETE_BYTE_US = 0.01;
const FEW_BYTES = 80;
/** Added for each UTF-16 unit of the piece's text. */
const PIECE_UNIT_US = 0.001;

/**
 * Microseconds for formatting a piece: its attributes are written anew. `overhead` is the piece's bytes
 * beside the text.
 */
export const formatUs = (overhead: number, units: number): number =>
  FORMAT_PIECE_US + FORMAT_BYTE_US * Math.max(0, overhead - FEW_BYTES) + PIECE_UNIT_US * units;

/** Microseconds for deleting a piece. */
export const deleteUs = (overhead: number, units: number): number =>
  DELETE_PIECE_US + DELETE_BYTE_US * Math.max(0, overhead - FEW_BYTES) + PIECE_UNIT_US * units;

/**
 * Estimates the cost of `op` past `past`. A version in `past` may split `op`, so that it costs more;
 * `transformPast` counts that.
 */
export function work(op: Delta, past: readonly Delta[]): Work {
  const transformUs = versionUs(op) * past.length + passedUs(past);
  return { transformMs: transformUs / 1000, applyMs: applyUs(op) / 1000 };
}

/** Microseconds for transforming `op` past one version, without the cost of the version's own steps. */
export function versionUs(op: Delta): number {
  let us = 0;
  for (const step of op) {
    us += PAIR_US;
    if (step.attributes === undefined) continue;
    const { values, units } = sizeOf(step.attributes);
    us += FORMAT_PAIR_US + VALUE_PAIR_US * values + UNIT_PAIR_US * units;
  }
  return us;
}

export const stepsUs = (past: Delta): number => PAIR_US * past.length;

function passedUs(past: readonly Delta[]): number {
  let us = 0;
  for (const version of past) us += stepsUs(version);
  return us;
}

function applyUs(op: Delta): number {
  let us = 0;
  for (const step of op) us += STEP_US + VALUE_US * valuesOf(step) + UNIT_US * textUnits(step);
  return us;
}

function valuesOf({ insert, attributes }: Step): number {
  let values = attributes === undefined ? 0 : sizeOf(attributes).values;
  if (typeof insert === 'object') values += sizeOf(insert).values;
  return values;
}

const textUnits = ({ insert }: Step): number => (typeof insert === 'string' ? insert.length : 0);

/** Counts the members and elements in a value, at any depth, and the units of its strings. */
function sizeOf(value: Json | { readonly [name: string]: Json }): { values: number; units: number } {
  if (typeof value === 'string') return { values: 1, units: value.length };
  if (typeof value !== 'object' || value === null) return { values: 1, units: 0 };
  const size = { values: 1, units: 0 };
  for (const member of Object.values(value)) {
    const { values, units } = sizeOf(member);
    size.values += values;
    size.units += units;
  }
  return size;
}
