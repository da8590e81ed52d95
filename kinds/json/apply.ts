// Applying steps to a document in place, whole or not at all, with an undo log. Owns the state, its
// size, the classification of tokens against the document, and what is copied when; knows nothing
// of versions or concurrency.
//
// Ownership of values: a state and a patch never share a container. A value is copied when it goes
// from a patch into the state, and when a copy's value goes from the state into a patch. Removed
// values move from the state into the undo log by reference, and back.
import jsonpatch, { type Operation } from 'fast-json-patch';
import type { Json } from '../../protocol/messages.ts';
import type { Applied, KindFailureCode, KindLimits } from '../kind.ts';
import {
  type AddStep,
  escapeToken,
  isNoIndex,
  type JsonOp,
  type Pointer,
  type ReplaceStep,
  type Step,
  samePointer,
  type TestStep,
  type TransferStep,
  targetOf,
  toIndex,
  within,
  withToken,
} from './step.ts';
import { bytesOf, clone, equal, isDeeper, memberBytes, setOwn } from './value.ts';

export interface JsonState {
  root: Json;
  /** Bytes of `root` in JSON, as value.ts counts them. */
  bytes: number;
}

type Members = { [key: string]: Json };

/** How to take one primitive edit back; `old` undefined: there was none. */
type UndoEdit =
  | { readonly type: 'root'; readonly old: Json }
  | { readonly type: 'member'; readonly at: Members; readonly key: string; readonly old: Json | undefined }
  | { readonly type: 'item'; readonly at: Json[]; readonly index: number; readonly old: Json }
  | { readonly type: 'inserted'; readonly at: Json[]; readonly index: number }
  | { readonly type: 'removed'; readonly at: Json[]; readonly index: number; readonly old: Json };

export interface JsonUndo {
  readonly edits: readonly UndoEdit[];
  readonly bytes: number;
}

/** `path`: a place is missing or is no place. `deep`: the document would nest too deep. */
export interface ApplyFailure {
  readonly ok: false;
  readonly code: Exclude<KindFailureCode, 'bad-op' | 'conflict'> | 'path' | 'deep';
  readonly message: string;
}

/**
 * Applies `steps` in sequence, asking for each when those before it have been applied. `limits` given: as a commit (tests left out, `-` a number, copy an
 * add, sizes checked); otherwise the patch stays what it is, with its tokens classified. After a
 * failure the state is as it was.
 */
export function applySteps(
  state: JsonState,
  steps: Iterable<readonly [index: number, step: Step]>,
  limits: KindLimits | undefined,
): { readonly ok: true; readonly value: Applied<JsonOp, JsonUndo> } | ApplyFailure {
  const run = new Run(state, limits);
  for (const [index, step] of steps) {
    const failure = run.step(step);
    if (failure !== undefined) {
      revert(state, run.undo());
      return { ok: false, code: failure.code, message: `step ${index}: ${failure.message}` };
    }
  }
  const grown = run.grewBeyond();
  if (grown !== undefined) {
    revert(state, run.undo());
    return { ok: false, code: 'too-large', message: grown };
  }
  return { ok: true, value: { op: { steps: run.done, known: true }, undo: run.undo() } };
}

export function revert(state: JsonState, undo: JsonUndo): void {
  for (let i = undo.edits.length - 1; i >= 0; i--) {
    const edit = undo.edits[i];
    if (edit !== undefined) takeBack(state, edit);
  }
  state.bytes = undo.bytes;
}

function takeBack(state: JsonState, edit: UndoEdit): void {
  switch (edit.type) {
    case 'root':
      state.root = edit.old;
      return;
    case 'member':
      if (edit.old === undefined) delete edit.at[edit.key];
      else setOwn(edit.at, edit.key, edit.old);
      return;
    case 'item':
      edit.at[edit.index] = edit.old;
      return;
    case 'inserted':
      edit.at.splice(edit.index, 1);
      return;
    case 'removed':
      edit.at.splice(edit.index, 0, edit.old);
      return;
    default:
      edit satisfies never;
  }
}

/** The value at `pointer`; undefined where there is none. */
export function valueAt(root: Json, pointer: Pointer): Json | undefined {
  if (pointer.length === 0) return root;
  const place = locate(root, pointer, false);
  return typeof place === 'string' ? undefined : valueIn(place);
}

/** A place in a container, with its pointer classified. */
type Place = { readonly pointer: Pointer } & (
  | { readonly list: Json[]; readonly index: number }
  | { readonly list: undefined; readonly members: Members; readonly key: string }
);

/** Finds a place, or says why there is none. `slot`: where something may be put; otherwise it holds a value. */
function locate(root: Json, pointer: Pointer, slot: boolean): Place | string {
  let node: Json | undefined = root;
  let seen = pointer;
  const last = pointer.length - 1;
  for (let depth = 0; depth <= last; depth++) {
    const token = pointer[depth];
    if (token === undefined || typeof node !== 'object' || node === null)
      return 'path leads through a scalar';
    if (Array.isArray(node)) {
      const puts = slot && depth === last;
      const index: number = token === '-' && puts ? node.length : toIndex(token);
      if (index < 0) return `${token} is no list index`;
      if (puts ? index > node.length : index >= node.length) return `index ${token} is past the end`;
      if (typeof token !== 'number') seen = withToken(seen, depth, index);
      if (depth === last) return { pointer: seen, list: node, index };
      node = node[index];
      continue;
    }
    if (typeof token === 'number') return `index ${token} on an object`;
    const there = Object.hasOwn(node, token);
    if (depth === last && (slot || there))
      return { pointer: seen, list: undefined, members: node, key: token };
    if (!there) return 'path does not exist';
    node = node[token];
  }
  return 'the root has no container';
}

function valueIn(place: Place): Json | undefined {
  if (place.list !== undefined) return place.list[place.index];
  return Object.hasOwn(place.members, place.key) ? place.members[place.key] : undefined;
}

type StepFailure = Pick<ApplyFailure, 'code' | 'message'>;

/** One application. Each step pushes what it became to `done`, or says why it failed, perhaps half done. */
class Run {
  readonly done: Step[] = [];
  readonly #state: JsonState;
  readonly #limits: KindLimits | undefined;
  readonly #edits: UndoEdit[] = [];
  readonly #bytesBefore: number;
  readonly #work = { left: DEPTH_WORK_MAX };
  #copiedBytes = 0;

  constructor(state: JsonState, limits: KindLimits | undefined) {
    this.#state = state;
    this.#limits = limits;
    this.#bytesBefore = state.bytes;
  }

  undo(): JsonUndo {
    return { edits: this.#edits, bytes: this.#bytesBefore };
  }

  /** Why the document is too large now; one that was so before may shrink. */
  grewBeyond(): string | undefined {
    const most = this.#limits?.documentBytes;
    const { bytes } = this.#state;
    if (most === undefined || bytes <= most || bytes <= this.#bytesBefore) return undefined;
    return `the document would have ${bytes} bytes, ${most} are allowed`;
  }

  step(step: Step): StepFailure | undefined {
    switch (step.op) {
      case 'test':
        return this.#test(step);
      case 'remove':
        return this.#remove(step.path);
      case 'add':
      case 'replace':
        return step.path.length === 0 ? this.#setRoot(step) : this.#write(step);
      case 'copy':
        return this.#copy(step);
      case 'move':
        return this.#move(step);
      default:
        return step satisfies never;
    }
  }

  #test(step: TestStep): StepFailure | undefined {
    if (step.never) return testFailed('what it tests is gone');
    let pointer = step.path;
    let value = this.#state.root;
    if (pointer.length > 0) {
      const place = locate(value, pointer, false);
      if (typeof place === 'string') return this.#isNoPlace(pointer) ? noPlace(place) : testFailed(place);
      value = valueIn(place) ?? null;
      pointer = place.pointer;
    }
    if (!equal(value, step.value)) return testFailed('the test is false');
    if (this.#limits === undefined) this.#push(step, pointer);
    return undefined;
  }

  /** True where `pointer` asks a list for what is no index: nobody could ever make that test true. */
  #isNoPlace(pointer: Pointer): boolean {
    return pointer.some((token, depth) => isNoIndex(token) && this.#isList(pointer.slice(0, depth)));
  }

  #isList(pointer: Pointer): boolean {
    return Array.isArray(valueAt(this.#state.root, pointer));
  }

  #remove(path: Pointer): StepFailure | undefined {
    const place = locate(this.#state.root, path, false);
    if (typeof place === 'string') return noPlace(place);
    const old = this.#takeOut(place);
    this.#state.bytes -= bytesOf(old);
    this.done.push({ op: 'remove', path: place.pointer });
    return undefined;
  }

  #setRoot(step: AddStep | ReplaceStep): undefined {
    this.#edits.push({ type: 'root', old: this.#state.root });
    this.#state.root = clone(step.value);
    this.#state.bytes = bytesOf(step.value);
    this.done.push(step);
  }

  #write(step: AddStep | ReplaceStep): StepFailure | undefined {
    const place = locate(this.#state.root, targetOf(step), step.op === 'add');
    if (typeof place === 'string') return noPlace(place);
    this.#put(place, clone(step.value), bytesOf(step.value), step.op === 'replace');
    if (step.op === 'add') {
      const end = this.#staysEnd(step, place);
      if (end || step.end) {
        const { op, value } = step;
        this.done.push({ op, path: place.pointer, value, ...(end ? { end: true as const } : {}) });
        return undefined;
      }
    }
    this.#push(step, place.pointer);
    return undefined;
  }

  #copy(step: TransferStep): StepFailure | undefined {
    const source = locate(this.#state.root, step.from, false);
    if (typeof source === 'string') return noPlace(`from: ${source}`);
    const place = locate(this.#state.root, targetOf(step), true);
    if (typeof place === 'string') return noPlace(place);
    const value = valueIn(source) ?? null;
    if (this.#tooDeep(value, step.path)) return TOO_DEEP;
    const bytes = bytesOf(value);
    // Before anything is copied: copies of copies double the document with every step.
    const tooMuch = this.#copiesTooMuch(bytes);
    if (tooMuch !== undefined) return tooMuch;
    // Taken first: the copy may go into what it is a copy of.
    const kept = this.#limits === undefined ? undefined : clone(value);
    this.#put(place, clone(value), bytes, false);
    if (kept === undefined) this.#pushTransfer(step, source, place);
    else this.done.push({ op: 'add', path: place.pointer, value: kept });
    return undefined;
  }

  #move(step: TransferStep): StepFailure | undefined {
    const source = locate(this.#state.root, step.from, false);
    if (typeof source === 'string') return noPlace(`from: ${source}`);
    const value = valueIn(source) ?? null;
    if (step.path.length > step.from.length && this.#tooDeep(value, step.path)) return TOO_DEEP;
    this.#takeOut(source);
    const place = locate(this.#state.root, targetOf(step), true);
    if (typeof place === 'string') return noPlace(place);
    this.#put(place, value, 0, false);
    if (this.#limits === undefined) this.#pushTransfer(step, source, place);
    else if (place.pointer.length > source.pointer.length && within(place.pointer, source.pointer)) {
      // RFC 6902 forbids `from` to be a prefix of `path`, though the list has closed up in between.
      const tooMuch = this.#copiesTooMuch(bytesOf(value));
      if (tooMuch !== undefined) return tooMuch;
      this.done.push({ op: 'remove', path: source.pointer });
      this.done.push({ op: 'add', path: place.pointer, value: clone(value) });
    } else if (!samePointer(place.pointer, source.pointer))
      this.done.push({ op: 'move', from: source.pointer, path: place.pointer });
    return undefined;
  }

  #push(step: AddStep | ReplaceStep | TestStep, path: Pointer): void {
    this.done.push(path === step.path ? step : { ...step, path });
  }

  #pushTransfer(step: TransferStep, source: Place, place: Place): void {
    const end = this.#staysEnd(step, place) ? { end: true as const } : {};
    this.done.push({ op: step.op, from: source.pointer, path: place.pointer, ...end });
  }

  /** Its `-` stays one until it commits. */
  #staysEnd(step: AddStep | TransferStep, place: Place): boolean {
    return this.#limits === undefined && place.list !== undefined && targetOf(step).at(-1) === '-';
  }

  #tooDeep(value: Json, path: Pointer): boolean {
    if (this.#limits === undefined) return false;
    return isDeeper(value, this.#limits.depth - path.length, this.#work);
  }

  /** What a commit copies out of the document, all steps together, stays within one document's size. */
  #copiesTooMuch(bytes: number): StepFailure | undefined {
    const most = this.#limits?.documentBytes;
    this.#copiedBytes += bytes;
    if (most === undefined || this.#copiedBytes <= most) return undefined;
    return { code: 'too-large', message: `the patch copies more than ${most} bytes` };
  }

  /** Puts `value` there: replaces an element, inserts one, or sets a member. `bytes`: the value's, 0 where they are counted already. */
  #put(place: Place, value: Json, bytes: number, replaceItem: boolean): void {
    this.#state.bytes += bytes;
    if (place.list === undefined) {
      const old = valueIn(place);
      this.#edits.push({ type: 'member', at: place.members, key: place.key, old });
      this.#state.bytes += old === undefined ? memberBytes(place.key) : -bytesOf(old);
      patch(place.members, { op: 'add', path: `/${escapeToken(place.key)}`, value });
    } else if (replaceItem) {
      const old = place.list[place.index] ?? null;
      this.#edits.push({ type: 'item', at: place.list, index: place.index, old });
      this.#state.bytes -= bytesOf(old);
      patch(place.list, { op: 'replace', path: `/${place.index}`, value });
    } else {
      this.#edits.push({ type: 'inserted', at: place.list, index: place.index });
      this.#state.bytes += 1;
      patch(place.list, { op: 'add', path: `/${place.index}`, value });
    }
  }

  /** Takes the value there out of its container; its bytes are still counted, its key's are not. */
  #takeOut(place: Place): Json {
    const old = valueIn(place) ?? null;
    if (place.list === undefined) {
      this.#edits.push({ type: 'member', at: place.members, key: place.key, old });
      this.#state.bytes -= memberBytes(place.key);
      patch(place.members, { op: 'remove', path: `/${escapeToken(place.key)}` });
    } else {
      this.#edits.push({ type: 'removed', at: place.list, index: place.index, old });
      this.#state.bytes -= 1;
      patch(place.list, { op: 'remove', path: `/${place.index}` });
    }
    return old;
  }
}

/** Values that a commit may look at to see how deep moved and copied ones nest. */
const DEPTH_WORK_MAX = 1_000_000;

const TOO_DEEP: StepFailure = { code: 'deep', message: 'the document would nest too deep' };
const noPlace = (message: string): StepFailure => ({ code: 'path', message });
const testFailed = (message: string): StepFailure => ({ code: 'test-failed', message });

/**
 * One edit of one container. fast-json-patch looks paths up through prototypes, takes any index and
 * reads `01` as 1, so the place is found and checked here, and it is given only the last token.
 */
function patch(container: Members | Json[], edit: Operation): void {
  jsonpatch.applyOperation(container, edit);
}
