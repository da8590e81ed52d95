// Converts a patch between its wire form (RFC 6902) and its working form, and makes the note that the log
// keeps beside it. Owns every check that needs no document; never applies anything.
import type { Json, Wire } from '../../protocol/messages.ts';
import type { KindFailure, KindLimits, Result } from '../kind.ts';
import { toFull } from './meeting/pointers.ts';
import {
  isAmbiguous,
  type JsonOp,
  type Pointer,
  readPointer,
  type Step,
  type Token,
  targetOf,
  within,
  writePointer,
} from './step.ts';
import { copyChecked, isMalformed } from './value.ts';

/** Checks and copies `wire`. The result keeps no reference into `wire`. */
export function parse(wire: unknown, limits: Pick<KindLimits, 'depth'>): Result<JsonOp> {
  if (!Array.isArray(wire)) return bad('a JSON Patch is an array of steps');
  const steps: Step[] = [];
  let known = true;
  for (let i = 0; i < wire.length; i++) {
    const step = readStep(wire[i], limits.depth);
    if (typeof step === 'string') return bad(`step ${i}: ${step}`);
    known &&= !pointersOf(step).some((pointer) => pointer.some(isAmbiguous));
    steps.push(step);
  }
  return { ok: true, value: { steps, known } };
}

const bad = (message: string): KindFailure => ({ ok: false, code: 'bad-op', message });

/** Returns a step, or a sentence that says what is wrong with it. */
function readStep(wire: unknown, depth: number): Step | string {
  if (typeof wire !== 'object' || wire === null || Array.isArray(wire)) return 'not an object';
  const op = own(wire, 'op');
  const path = readPath(wire, 'path', depth);
  if (typeof path === 'string') return path;
  switch (op) {
    case 'remove':
      return path.length === 0 ? 'the root can not be removed' : { op, path };
    case 'add':
    case 'replace':
    case 'test': {
      if (!Object.hasOwn(wire, 'value')) return 'value is missing';
      const report = { problem: '' };
      const value = copyChecked(own(wire, 'value'), depth - path.length, report);
      return value === undefined ? report.problem : { op, path, value };
    }
    case 'move':
    case 'copy': {
      const from = readPath(wire, 'from', depth);
      if (typeof from === 'string') return from;
      if (path.length === 0 || from.length === 0) return `${op}: the root can not be from or path`;
      if (op === 'move' && path.length > from.length && within(path, from))
        return 'a value can not be moved into itself';
      return { op, from, path };
    }
    default:
      return 'op is none of add, remove, replace, move, copy, test';
  }
}

const own = (object: object, key: string): unknown =>
  Object.hasOwn(object, key) ? Reflect.get(object, key) : undefined;

const BANNED: ReadonlySet<Token> = new Set(['__proto__', 'constructor', 'prototype']);

function readPath(wire: object, member: 'path' | 'from', depth: number): Pointer | string {
  const text = own(wire, member);
  if (typeof text !== 'string') return `${member} is missing or not a string`;
  if (isMalformed(text)) return `${member} holds a lone surrogate`;
  const pointer = readPointer(text);
  if (pointer === undefined) return `${member} is not a JSON pointer`;
  if (pointer.length > depth) return `${member} is nested too deep`;
  for (const token of pointer) if (BANNED.has(token)) return `${member} names ${token}`;
  return pointer;
}

/** The pointers of a step, in the order of the characters of `note`. */
const pointersOf = (step: Step): readonly Pointer[] =>
  step.op === 'move' || step.op === 'copy' ? [step.from, step.path] : [step.path];

/** The returned values belong to the patch and must not be changed. */
export function wireOf(op: JsonOp): Json {
  return op.steps.flatMap(wireStep);
}

function wireStep(step: Step): Json[] {
  switch (step.op) {
    case 'remove':
      return [{ op: 'remove', path: writePointer(step.path) }];
    case 'add':
    case 'replace':
      return [{ op: step.op, path: writePointer(targetOf(step)), value: step.value }];
    case 'test':
      // RFC 6902 has no test that always fails. Two tests that contradict each other stand for it.
      if (step.never) return [0, 1].map((value) => ({ op: 'test', path: '', value }));
      return [{ op: 'test', path: writePointer(step.path), value: step.value }];
    case 'move':
    case 'copy': {
      const path = targetOf(step);
      // RFC 6902 forbids `from` to be a prefix of `path`, even if the list has closed up in between.
      if (step.op === 'move' && path.length > step.from.length && within(path, step.from))
        return [
          { op: 'copy', from: writePointer(step.from), path: writePointer(toFull(path, step.from)) },
          { op: 'remove', path: writePointer(step.from) },
        ];
      return [{ op: step.op, from: writePointer(step.from), path: writePointer(path) }];
    }
    default:
      return step satisfies never;
  }
}

/** O(steps and tokens): values are compared by identity, since steps that apply unchanged keep theirs. */
export function isAsSent(wire: unknown, parsed: JsonOp, { steps }: JsonOp): boolean {
  if (!Array.isArray(wire) || steps.length !== wire.length) return false;
  for (const [i, step] of steps.entries()) {
    const sent = parsed.steps[i];
    if (sent === undefined || sent.op !== step.op || !sameAsSent(sent.path, step)) return false;
    let members = 0;
    for (const _ in wire[i]) members++;
    if (members !== (step.op === 'remove' ? 2 : 3)) return false;
    if ('from' in step && !('from' in sent && sameTokens(sent.from, step.from))) return false;
    if ('value' in step && !('value' in sent && sent.value === step.value)) return false;
  }
  return true;
}

/** True if the path is written as it came. A place at the end of a list came as `-` or as a number. */
const sameAsSent = (path: Pointer, step: Step): boolean => !('end' in step) && sameTokens(path, step.path);

const sameTokens = (a: Pointer, b: Pointer): boolean =>
  a.length === b.length && a.every((token, i) => String(token) === String(b[i]));

/**
 * The note has one character for each token that could be an index, in order: `1` for an index, `0` for the
 * name of a member.
 */
export function noteOf(op: JsonOp): string | undefined {
  let note = '';
  for (const step of op.steps)
    for (const pointer of pointersOf(step))
      for (const token of pointer) {
        if (typeof token === 'number') note += '1';
        else if (isAmbiguous(token)) note += '0';
      }
  return note === '' ? undefined : note;
}

/** Without a note, a patch with ambiguous tokens must be applied before others can be transformed past it. */
export function recall(wire: Wire, note: string | undefined): JsonOp {
  const parsed = parse(wire, { depth: Number.POSITIVE_INFINITY });
  if (!parsed.ok) throw new Error(`not a committed JSON Patch: ${parsed.message}`);
  if (note === undefined) return parsed.value;
  let read = 0;
  const mark = (pointer: Pointer): Pointer =>
    pointer.map((token) => {
      if (!isAmbiguous(token)) return token;
      const bit = note[read++];
      if (bit !== '0' && bit !== '1') throw new Error('the note does not fit its JSON Patch');
      return bit === '1' && token !== '-' ? Number(token) : token;
    });
  const steps = parsed.value.steps.map((step): Step => {
    if (step.op !== 'move' && step.op !== 'copy') return { ...step, path: mark(step.path) };
    const from = mark(step.from);
    return { ...step, from, path: mark(step.path) };
  });
  if (read !== note.length) throw new Error('the note does not fit its JSON Patch');
  return { steps, known: true };
}
