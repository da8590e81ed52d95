// Applies steps to a document in place, whole or not at all, with an undo log. Owns when values are copied,
// what a copy may cost, and how sizes change; knows nothing of versions or concurrency.
//
// Ownership of values: a state and a patch never share a container. A value is copied when it goes from a
// patch into the state, and when a copy's value goes from the state into a patch. Removed values move from
// the state into the undo log by reference, and back.
// Over 400 lines because all steps share the undo log, the sizes and the budget of one application.
import type { Applied, KindFailureCode, KindLimits } from '../kind.ts';
import { tooMuchWork } from '../work.ts';
import {
  type Container,
  type Held,
  HeldList,
  HeldMembers,
  holds,
  insertItem,
  isContainer,
  isList,
  itemOf,
  type List,
  type Members,
  plain,
  putMember,
  removeItem,
  removeMember,
  setItem,
  setMember,
} from './held/held.ts';
import type { Size, Sizes } from './held/sizes.ts';
import { locate, type Place, valueAt, valueIn } from './place.ts';
import { type JsonState, type JsonUndo, memoryOf, revert, type UndoEdit } from './state.ts';
import {
  type AddStep,
  isNoIndex,
  type JsonOp,
  type Pointer,
  type ReplaceStep,
  type Step,
  samePointer,
  type TestStep,
  type TransferStep,
  targetOf,
  within,
} from './step.ts';
import { bytesOf, clone, memberBytes } from './value.ts';

/** `path`: a place is missing, or the pointer names no place. `deep`: the document would nest too deep. */
export interface ApplyFailure {
  readonly ok: false;
  readonly code: Exclude<KindFailureCode, 'bad-op' | 'conflict'> | 'path' | 'deep';
  readonly message: string;
}

/**
 * Applies `steps` in sequence. It asks for each step only when the steps before it have been applied. With
 * `limits` it commits: tests are left out, `-` becomes a number, a copy becomes an add, sizes and work are
 * checked. Without `limits` the patch keeps its steps, with their tokens classified. After a failure the
 * state is as it was.
 */
export function applySteps(
  state: JsonState,
  steps: Iterable<readonly [index: number, step: Step]>,
  limits: KindLimits | undefined,
): { readonly ok: true; readonly value: Applied<JsonOp, JsonUndo> } | ApplyFailure {
  const run = new Run(state, limits);
  for (const [index, step] of steps) {
    const failure = run.step(step) ?? run.costsTooMuch();
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

type StepFailure = Pick<ApplyFailure, 'code' | 'message'>;

/**
 * A document may take this many times `documentBytes` of memory. Nearly empty lists and objects take far
 * more memory than text.
 */
const MEMORY_FACTOR = 8;
/**
 * Microseconds for one byte of a value that a commit copies: into the document, into the patch, and to
 * text.
 */
const COPY_BYTE_US = 0.05;
/** The same for a text, which is not walked but only written. */
const COPY_TEXT_BYTE_US = 0.01;
/** Estimated bytes of memory for one edit of the undo log, and for a container that is held in another form since. */
const EDIT_BYTES = 64;
const EXCHANGED_BYTES = 64 * 1024;
/** Microseconds for one byte of a value that is read. */
const LOOK_BYTE_US = 0.01;

/**
 * One application. Each step pushes its applied form to `done`, or returns the reason of its failure and
 * may be half done then.
 */
class Run {
  readonly done: Step[] = [];
  readonly #state: JsonState;
  readonly #sizes: Sizes;
  readonly #limits: KindLimits | undefined;
  readonly #edits: UndoEdit[] = [];
  readonly #noted: JsonUndo['sizes'][number][] = [];
  readonly #number: number;
  readonly #before: Pick<Size, 'bytes' | 'containers'>;
  #copiedBytes = 0;
  /** The size of the values that only the undo log holds. */
  #goneBytes = 0;
  #goneContainers = 0;
  /**
   * Time left for costs that depend on the document. `work` has counted the costs that depend on the patch
   * alone.
   */
  #leftUs: number;

  constructor(state: JsonState, limits: KindLimits | undefined) {
    this.#state = state;
    this.#sizes = state.sizes;
    this.#limits = limits;
    this.#number = ++state.runs;
    this.#before = { bytes: state.bytes, containers: state.containers };
    this.#leftUs = limits === undefined ? Number.POSITIVE_INFINITY : limits.workMs * 1000;
  }

  undo(): JsonUndo {
    const { bytes, containers } = this.#before;
    const gone = memoryOf({ bytes: this.#goneBytes, containers: this.#goneContainers });
    const memory = EDIT_BYTES * this.#edits.length + gone;
    return { edits: this.#edits, bytes, containers, sizes: this.#noted, memory };
  }

  /** Returns a sentence if the document is too large now. A document that was too large before may shrink. */
  grewBeyond(): string | undefined {
    const most = this.#limits?.documentBytes;
    if (most === undefined) return undefined;
    const { bytes, containers } = this.#state;
    if (bytes > most && bytes > this.#before.bytes)
      return `the document would have ${bytes} bytes, ${most} are allowed`;
    const memory = memoryOf(this.#state);
    if (memory <= MEMORY_FACTOR * most || memory <= memoryOf(this.#before)) return undefined;
    return `the document would take ${memory} bytes of memory for its ${containers} lists and objects, ${MEMORY_FACTOR * most} are allowed`;
  }

  costsTooMuch(): StepFailure | undefined {
    return this.#leftUs < 0 && this.#limits !== undefined ? tooMuchWork(this.#limits.workMs) : undefined;
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
    if (step.never) return testFailed('the tested value is gone');
    let pointer = step.path;
    let value = this.#state.root;
    if (pointer.length > 0) {
      const place = locate(value, pointer, false);
      if (typeof place === 'string') return this.#isNoPlace(pointer) ? noPlace(place) : testFailed(place);
      value = valueIn(place) ?? null;
      pointer = place.pointer;
    }
    // Only values of the same size are compared, so the comparison walks no more of the document than the
    // test's own size.
    const same = !isContainer(value) || this.#sizeOf(value).bytes === bytesOf(step.value);
    if (!same || !holds(value, step.value)) return testFailed('the test is false');
    if (this.#limits === undefined) this.#push(step, pointer);
    return undefined;
  }

  /** True if `pointer` asks a list for a token that is not an index. Such a test can never become true. */
  #isNoPlace(pointer: Pointer): boolean {
    return pointer.some(
      (token, depth) => isNoIndex(token) && isList(valueAt(this.#state.root, pointer.slice(0, depth))),
    );
  }

  #remove(path: Pointer): StepFailure | undefined {
    const place = locate(this.#state.root, path, false);
    if (typeof place === 'string') return noPlace(place);
    this.#takeOut(place, this.#sizeOf(valueIn(place) ?? null));
    this.done.push({ op: 'remove', path: place.pointer });
    return undefined;
  }

  #setRoot(step: AddStep | ReplaceStep): undefined {
    const { value, size } = this.#sizes.hold(clone(step.value));
    this.#edits.push({ type: 'root', old: this.#state.root });
    this.#goneBytes += this.#state.bytes;
    this.#goneContainers += this.#state.containers;
    this.#state.root = value;
    this.#state.bytes = size.bytes;
    this.#state.containers = size.containers;
    this.done.push(step);
  }

  #write(step: AddStep | ReplaceStep): StepFailure | undefined {
    const place = locate(this.#state.root, targetOf(step), step.op === 'add');
    if (typeof place === 'string') return noPlace(place);
    const { value, size } = this.#sizes.hold(clone(step.value));
    this.#put(place, value, size, step.op === 'replace');
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
    const size = this.#sizeOf(value);
    // The check comes before any copying: copies of copies double the document with every step.
    const refused = this.#copiesTooMuch(value, size) ?? this.#tooDeep(value, size, step.path);
    if (refused !== undefined) return refused;
    // The value is copied before it is put: the copy may go into its own source.
    const copied = plain(value);
    const kept = this.#limits === undefined ? undefined : clone(copied);
    const held = this.#sizes.hold(copied);
    this.#put(place, held.value, held.size, false);
    if (kept === undefined) this.#pushTransfer(step, source, place);
    else this.done.push({ op: 'add', path: place.pointer, value: kept });
    return undefined;
  }

  #move(step: TransferStep): StepFailure | undefined {
    const source = locate(this.#state.root, step.from, false);
    if (typeof source === 'string') return noPlace(`from: ${source}`);
    const value = valueIn(source) ?? null;
    const size = this.#sizeOf(value);
    if (step.path.length > step.from.length) {
      const refused = this.#tooDeep(value, size, step.path);
      if (refused !== undefined) return refused;
    }
    this.#takeOut(source, size);
    this.#goneBytes -= size.bytes;
    this.#goneContainers -= size.containers;
    const place = locate(this.#state.root, targetOf(step), true);
    if (typeof place === 'string') return noPlace(place);
    this.#put(place, value, size, false);
    if (this.#limits === undefined) this.#pushTransfer(step, source, place);
    else if (place.pointer.length > source.pointer.length && within(place.pointer, source.pointer)) {
      // RFC 6902 forbids `from` to be a prefix of `path`, even if the list has closed up in between.
      const refused = this.#copiesTooMuch(value, size);
      if (refused !== undefined) return refused;
      this.done.push({ op: 'remove', path: source.pointer });
      this.done.push({ op: 'add', path: place.pointer, value: plain(value) });
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

  /** True if the step's target stays `-` until the patch commits. */
  #staysEnd(step: AddStep | TransferStep, place: Place): boolean {
    return this.#limits === undefined && place.list !== undefined && targetOf(step).at(-1) === '-';
  }

  #sizeOf(value: Held): Size {
    const size = this.#sizes.of(value);
    if (!isContainer(value) || this.#sizes.known(value) === undefined)
      this.#leftUs -= LOOK_BYTE_US * size.bytes;
    return size;
  }

  /**
   * Checks whether `value` at `path` would nest the document too deep. The value is walked if its known
   * height does not decide.
   */
  #tooDeep(value: Held, { bytes, height }: Size, path: Pointer): StepFailure | undefined {
    if (this.#limits === undefined) return undefined;
    const left = this.#limits.depth - path.length;
    if (height <= left) return undefined;
    this.#leftUs -= LOOK_BYTE_US * bytes;
    return this.costsTooMuch() ?? (this.#sizes.isDeeper(value, left) ? TOO_DEEP : undefined);
  }

  /**
   * Checks that all steps of a commit together copy no more out of the document than one document's size
   * and the allowed work.
   */
  #copiesTooMuch(value: Held, { bytes }: Size): StepFailure | undefined {
    const most = this.#limits?.documentBytes;
    this.#copiedBytes += bytes;
    this.#leftUs -= (typeof value === 'string' ? COPY_TEXT_BYTE_US : COPY_BYTE_US) * bytes;
    if (most === undefined || this.#copiedBytes <= most) return this.costsTooMuch();
    return { code: 'too-large', message: `the patch copies more than ${most} bytes` };
  }

  /** Counts a change below all of `around`. `size` is the size of the value that is added, if any. */
  #count(around: readonly Container[], bytes: number, containers: number, size: Size | undefined): void {
    this.#state.bytes += bytes;
    this.#state.containers += containers;
    // All sizes are found first, from the inside, so that an unknown size is walked once and in its state
    // before the change.
    for (let i = around.length - 1; i >= 0; i--) this.#sizes.track(around[i] as Container);
    for (let i = 0; i < around.length; i++) {
      const known = this.#sizes.track(around[i] as Container);
      if (known.noted !== this.#number) {
        known.noted = this.#number;
        const { bytes, containers, height } = known;
        this.#noted.push({ of: known, bytes, containers, height });
      }
      known.bytes += bytes;
      known.containers += containers;
      if (size !== undefined) known.height = Math.max(known.height, around.length - i + size.height);
    }
  }

  /** Puts `value` at `place`: replaces an element, inserts an element, or sets a member. */
  #put(place: Place, value: Held, size: Size, replaceItem: boolean): void {
    if (place.list === undefined) {
      const { key } = place;
      const old = valueIn(place);
      const gone = old === undefined ? { bytes: -memberBytes(key), containers: 0 } : this.#sizeOf(old);
      if (old !== undefined) this.#goneBytes += gone.bytes;
      this.#goneContainers += gone.containers;
      this.#count(place.around, size.bytes - gone.bytes, size.containers - gone.containers, size);
      const held = this.#bucketed(place);
      this.#edits.push({ type: 'member', at: held, key, old });
      setMember(held, key, value);
    } else if (replaceItem) {
      const { list, index } = place;
      const old = itemOf(list, index);
      const gone = this.#sizeOf(old);
      this.#goneBytes += gone.bytes;
      this.#goneContainers += gone.containers;
      this.#count(place.around, size.bytes - gone.bytes, size.containers - gone.containers, size);
      this.#edits.push({ type: 'item', at: list, index, old });
      setItem(list, index, value);
    } else {
      this.#count(place.around, size.bytes + 1, size.containers, size);
      const list = this.#sizes.tooLong(place.list.length + 1) ? this.#chunked(place) : place.list;
      this.#edits.push({ type: 'inserted', at: list, index: place.index });
      insertItem(list, place.index, value);
    }
  }

  /** Returns the list of `place` in chunks. A plain list is replaced by its chunked form. */
  #chunked(place: Place & { readonly list: List }): List {
    const { list } = place;
    if (list instanceof HeldList) return list;
    const chunked = this.#sizes.chunked(list);
    this.#exchange(place, list, chunked);
    return chunked;
  }

  /**
   * Returns the object of `place`, whose new size has been counted. A plain object that has become large is
   * replaced by its form in buckets.
   */
  #bucketed(place: Place & { readonly list: undefined }): Members {
    const { members } = place;
    if (members instanceof HeldMembers || !this.#sizes.tooLarge(this.#sizes.of(members).bytes))
      return members;
    const bucketed = this.#sizes.bucketed(members);
    this.#exchange(place, members, bucketed);
    return bucketed;
  }

  /** Puts another form of the container of `place` in its place. */
  #exchange({ around, pointer }: Place, old: Container, container: Container): void {
    this.#goneBytes += EXCHANGED_BYTES;
    const parent = around.at(-2);
    const token = pointer.at(-2);
    if (parent === undefined || token === undefined) {
      this.#edits.push({ type: 'root', old });
      this.#state.root = container;
    } else if (isList(parent)) {
      const index = Number(token);
      this.#edits.push({ type: 'item', at: parent, index, old });
      setItem(parent, index, container);
    } else {
      const key = String(token);
      this.#edits.push({ type: 'member', at: parent, key, old });
      putMember(parent, key, container);
    }
  }

  /** Takes the value at `place` out of its container. The value has the given size. */
  #takeOut(place: Place, { bytes, containers }: Size): void {
    this.#goneBytes += bytes;
    this.#goneContainers += containers;
    if (place.list === undefined) {
      const { members, key } = place;
      this.#count(place.around, -bytes - memberBytes(key), -containers, undefined);
      this.#edits.push({ type: 'member', at: members, key, old: valueIn(place) });
      removeMember(members, key);
    } else {
      const { list, index } = place;
      this.#count(place.around, -bytes - 1, -containers, undefined);
      this.#edits.push({ type: 'removed', at: list, index, old: itemOf(list, index) });
      removeItem(list, index);
    }
  }
}

const TOO_DEEP: StepFailure = { code: 'deep', message: 'the document would nest too deep' };
const noPlace = (message: string): StepFailure => ({ code: 'path', message });
const testFailed = (message: string): StepFailure => ({ code: 'test-failed', message });
