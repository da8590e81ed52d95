// A server and optimistic clients of one `json` document in one thread, driven by a seed. Owns the client
// algorithm that docs/protocol.md sketches (confirmed, inflight, rest), and checks the invariants after every
// event. It reports a failure by throwing an Error.
import {
  HELD_SHAPE,
  type Held,
  HeldList,
  isContainer,
  membersOf,
  plain,
} from '../../../kinds/json/held/held.ts';
import {
  type JsonOp,
  type JsonState,
  type JsonUndo,
  jsonKind,
  jsonKindOf,
} from '../../../kinds/json/json.ts';
import { bytesOf } from '../../../kinds/json/value.ts';
import type { KindLimits } from '../../../kinds/kind.ts';
import type { Json, Wire } from '../../../protocol/messages.ts';
import { stepsThatApply } from './json-plain-apply.ts';
import { canonical, type Random, randomDocument, randomOf, randomStep, type StepMix } from './json-random.ts';

export const LIMITS: KindLimits = { documentBytes: 1 << 20, depth: 100, workMs: 50 };

/** Chunks hold so few elements that small lists have several, and the size of every container is known. */
const SHAPE = { ...HELD_SHAPE, plainItems: 2, fanOut: 4, largeBytes: 0, plainBytes: 24 };
const inChunks = jsonKindOf(SHAPE);

const contentOf = (state: JsonState): string => canonical(jsonKind.snapshot(state) as Json);

export interface Tally {
  commits: number;
  rejects: Record<string, number>;
  dropped: number;
  /** Patches that were judged with the document at their base. */
  looked: number;
  /** Patches whose result differs from the result with the document at their base. */
  guessed: number;
  /** Own commits at which a client's view equalled the server's document. */
  predicted: number;
}

interface Logged {
  readonly op: JsonOp;
  readonly undo: JsonUndo;
  readonly wire: string;
  readonly note: string | undefined;
}

type Message =
  | { readonly type: 'commit'; readonly version: number; readonly author: number; readonly wire: string }
  | { readonly type: 'reject'; readonly author: number; readonly version: number };

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

const unwrap = (wire: unknown): JsonOp => {
  const parsed = jsonKind.parse(wire, LIMITS);
  check(parsed.ok, `a patch does not parse: ${parsed.ok ? '' : parsed.message} ${JSON.stringify(wire)}`);
  return parsed.value;
};

/** Checks that every list is held in its form, and that all known sizes are right. */
function checkHeld(state: JsonState, value: Held): number {
  if (!isContainer(value)) return 0;
  const children =
    value instanceof HeldList
      ? value.toArray()
      : Array.isArray(value)
        ? value
        : [...membersOf(value)].map(([, member]) => member);
  const height = 1 + children.reduce<number>((most, child) => Math.max(most, checkHeld(state, child)), 0);
  const known = state.sizes.known(value);
  const bytes = bytesOf(plain(value));
  check(known === undefined ? bytes < HELD_SHAPE.largeBytes : known.bytes === bytes, 'a size has drifted');
  check(known === undefined || known.height >= height, 'a container is higher than is known');
  return height;
}

type Committed = ReturnType<typeof jsonKind.commit>;

const outcomeOf = (result: Committed): string =>
  result.ok ? canonical(jsonKind.wire(result.value.op) as Json) : result.code;

class Server {
  readonly state: JsonState;
  readonly log: Logged[] = [];
  /** The canonical document of each version. */
  readonly documents: string[];
  readonly #tally: Tally;

  constructor(document: Json, tally: Tally) {
    this.state = inChunks.load(document);
    this.documents = [canonical(document)];
    this.#tally = tally;
  }

  submit(author: number, base: number, wire: unknown): Message {
    const parsed = jsonKind.parse(wire, LIMITS);
    const past = this.log.slice(base);
    const before = contentOf(this.state);
    const reloaded = past.map((one) => jsonKind.recall(JSON.parse(one.wire), one.note));
    if (parsed.ok) {
      const live = past.reduce((op, one) => jsonKind.transform(op, one.op), parsed.value);
      const again = reloaded.reduce((op, one) => jsonKind.transform(op, one), parsed.value);
      check(JSON.stringify(live) === JSON.stringify(again), 'a recalled patch transforms differently');
    }
    const atBase = parsed.ok ? this.#atBase(parsed.value, base) : undefined;
    const expected = atBase === undefined ? undefined : this.#commitClassified(atBase, past);
    const ops = this.log.length % 2 ? reloaded : past.map((one) => one.op);
    const undos = past.map((one) => jsonKind.looksBack?.kept(one.undo) ?? one.undo);
    const result = parsed.ok ? jsonKind.commit(this.state, parsed.value, ops, LIMITS, { undos }) : parsed;
    if (parsed.ok) this.#checkJudged(parsed.value, base, ops, JSON.parse(before), result);
    if (!result.ok) {
      this.#tally.rejects[result.code] = (this.#tally.rejects[result.code] ?? 0) + 1;
      check(contentOf(this.state) === before, 'a refused patch has left a trace');
      if (expected !== undefined && expected !== result.code) this.#tally.guessed++;
      return { type: 'reject', author, version: this.log.length };
    }
    this.#tally.commits++;
    const { op } = result.value;
    const text = JSON.stringify(jsonKind.wire(op));
    this.log.push({ op, undo: result.value.undo, wire: text, note: jsonKind.note(op) });
    this.documents.push(contentOf(this.state));
    if (expected !== undefined && expected !== text) this.#tally.guessed++;
    this.#checkCommitted(before, result.value.undo, text);
    return { type: 'commit', version: this.log.length, author, wire: text };
  }

  /**
   * The patch with its tokens classified against the document on which it was made. Undefined if it does not
   * apply there.
   */
  #atBase(op: JsonOp, base: number): JsonOp | undefined {
    const applied = jsonKind.apply(jsonKind.load(JSON.parse(this.documents[base] ?? '')), op);
    return applied.ok ? applied.value.op : undefined;
  }

  /** The expected result of a patch, computed the slow way with the document at `base`. */
  #commitClassified(op: JsonOp, past: readonly Logged[]): string | undefined {
    // Only the document tells the length of a list that is gone. So steps after a move or copy to its `-`
    // that name the moved value by number cannot be recognised.
    if (op.steps.slice(0, -1).some((step) => 'from' in step && 'end' in step)) return undefined;
    const copy = jsonKind.load(jsonKind.snapshot(this.state));
    const result = jsonKind.commit(
      copy,
      op,
      past.map((one) => one.op),
      LIMITS,
      { undos: [], fit: { steps: op.steps.length, message: '' } },
    );
    return result.ok ? JSON.stringify(jsonKind.wire(result.value.op)) : result.code;
  }

  /**
   * Checks that a patch is refused as wrong exactly if it does not apply at its base, and that an owner that knows only
   * the log decides the same. `before` is the document before the patch.
   */
  #checkJudged(op: JsonOp, base: number, past: readonly JsonOp[], before: Json, result: Committed): void {
    const wire = JSON.stringify(jsonKind.wire(op));
    const right =
      stepsThatApply(JSON.parse(this.documents[base] ?? ''), JSON.parse(wire)) === op.steps.length;
    const outcome = outcomeOf(result);
    if (outcome !== 'test-failed')
      check(right === (outcome !== 'bad-op'), `right at its base: ${right}, but ${outcome}: ${wire}`);
    const copy = jsonKind.load(before);
    let other = jsonKind.commit(copy, op, past, LIMITS);
    if (!other.ok && other.code === 'needs-base') {
      this.#tally.looked++;
      const fit = jsonKind.looksBack?.fit(inChunks.load(JSON.parse(this.documents[base] ?? '')), op);
      other = jsonKind.commit(copy, op, past, LIMITS, { undos: [], fit });
    }
    check(outcomeOf(other) === outcome, `an owner that knows only the log decides ${outcomeOf(other)}`);
  }

  #checkCommitted(before: string, undo: JsonUndo, text: string): void {
    const after = contentOf(this.state);
    const size = Buffer.byteLength(JSON.stringify(jsonKind.snapshot(this.state)));
    check(this.state.bytes >= size && this.state.bytes <= 2 * size, `size ${this.state.bytes}, is ${size}`);
    jsonKind.revert(this.state, undo);
    check(contentOf(this.state) === before, 'revert does not restore');
    const again = jsonKind.apply(this.state, unwrap(JSON.parse(text)));
    check(again.ok, 'a committed patch does not apply');
    check(contentOf(this.state) === after, 'a committed patch applies differently');
    const snapshot = jsonKind.snapshot(this.state);
    check(canonical(JSON.parse(JSON.stringify(snapshot))) === after, 'not JSON any more');
    check(jsonKind.load(snapshot).bytes === this.state.bytes, 'size has drifted');
    checkHeld(this.state, this.state.root);
  }
}

/** A client: confirmed (the state without `undos`), inflight, rest. */
class Client {
  version = 0;
  readonly inbox: Message[] = [];
  readonly outbox: { base: number; wire: Wire }[] = [];
  readonly #id: number;
  readonly #state: JsonState;
  readonly #undos: JsonUndo[] = [];
  readonly #tally: Tally;
  #inflight: JsonOp | undefined;
  #rest: JsonOp | undefined;

  constructor(id: number, document: Json, tally: Tally) {
    this.#id = id;
    this.#state = (id % 2 === 0 ? jsonKind : inChunks).load(document);
    this.#tally = tally;
  }

  get idle(): boolean {
    return this.#inflight === undefined && this.#rest === undefined && this.inbox.length === 0;
  }

  edit(random: Random, mix: StepMix): void {
    const before = contentOf(this.#state);
    const op = unwrap(this.#randomPatch(random, mix));
    const applied = jsonKind.apply(this.#state, op);
    if (!applied.ok) {
      check(contentOf(this.#state) === before, 'a patch that fails has left a trace');
      // Half of the wrong patches are sent all the same, as a client without a model would send them.
      if (!this.#inflight && !this.#rest && random(2) === 0) {
        this.#inflight = op;
        this.outbox.push({ base: this.version, wire: jsonKind.wire(op) });
      }
      return;
    }
    this.#undos.push(this.#checkInverse(before, applied.value.op, applied.value.undo));
    this.#rest = this.#rest === undefined ? applied.value.op : jsonKind.compose(this.#rest, applied.value.op);
  }

  #randomPatch(random: Random, mix: StepMix): Json {
    const scratch = jsonKind.load(jsonKind.snapshot(this.#state));
    const patch: Json[] = [];
    for (let i = 1 + (random(3) === 0 ? random(4) : 0); i > 0; i--) {
      const step = randomStep(random, jsonKind.snapshot(scratch) as Json, mix);
      patch.push(step);
      if (!jsonKind.apply(scratch, unwrap([step])).ok) break;
    }
    return patch;
  }

  /**
   * Checks that the inverse undoes the patch, without changing the state. Returns the undo that now applies.
   */
  #checkInverse(before: string, op: JsonOp, undo: JsonUndo): JsonUndo {
    const after = contentOf(this.#state);
    jsonKind.revert(this.#state, undo);
    check(contentOf(this.#state) === before, 'revert does not restore');
    const inverse = jsonKind.invert(op, this.#state);
    check(contentOf(this.#state) === before, 'invert has changed the state');
    checkHeld(this.#state, this.#state.root);
    const again = jsonKind.apply(this.#state, op);
    checkHeld(this.#state, this.#state.root);
    check(again.ok, 'a reverted patch does not apply again');
    check(contentOf(this.#state) === after, 'a reverted patch applies differently');
    const scratch = jsonKind.load(jsonKind.snapshot(this.#state));
    check(jsonKind.apply(scratch, unwrap(jsonKind.wire(inverse))).ok, 'an inverse does not apply');
    check(contentOf(scratch) === before, 'an inverse does not undo');
    return again.value.undo;
  }

  send(): void {
    if (this.#inflight !== undefined || this.#rest === undefined) return;
    this.#inflight = this.#rest;
    this.#rest = undefined;
    this.outbox.push({ base: this.version, wire: jsonKind.wire(this.#inflight) });
  }

  receive(message: Message, documents: readonly string[]): void {
    if (message.type === 'reject') {
      if (message.author === this.#id) this.#rejected();
      return;
    }
    const view = contentOf(this.#state);
    this.#takeBack();
    checkHeld(this.#state, this.#state.root);
    check(contentOf(this.#state) === documents[this.version], 'the confirmed state is not the server’s');
    const applied = jsonKind.apply(this.#state, unwrap(JSON.parse(message.wire)));
    check(applied.ok, 'a commit does not apply');
    this.version = message.version;
    check(contentOf(this.#state) === documents[this.version], 'a replica has diverged');
    if (message.author === this.#id) this.#inflight = undefined;
    else {
      let past = applied.value.op;
      if (this.#inflight !== undefined) {
        const inflight = jsonKind.transform(this.#inflight, past);
        past = jsonKind.carry(past, this.#inflight);
        this.#inflight = inflight;
      }
      if (this.#rest !== undefined) this.#rest = jsonKind.transform(this.#rest, past);
    }
    this.#reapply();
    if (message.author === this.#id && contentOf(this.#state) === view) this.#tally.predicted++;
  }

  #rejected(): void {
    this.#takeBack();
    const inflight = this.#inflight;
    this.#inflight = undefined;
    if (inflight !== undefined && this.#rest !== undefined) {
      const tried = jsonKind.apply(this.#state, inflight);
      if (tried.ok) {
        jsonKind.revert(this.#state, tried.value.undo);
        this.#rest = jsonKind.transform(this.#rest, jsonKind.invert(inflight, this.#state));
      }
    }
    this.#reapply();
  }

  #takeBack(): void {
    for (const undo of this.#undos.reverse()) jsonKind.revert(this.#state, undo);
    this.#undos.length = 0;
  }

  #reapply(): void {
    if (this.#inflight !== undefined) {
      const applied = jsonKind.apply(this.#state, this.#inflight);
      if (applied.ok) this.#undos.push(applied.value.undo);
    }
    if (this.#rest === undefined) return;
    const applied = jsonKind.apply(this.#state, this.#rest);
    if (applied.ok) {
      this.#rest = applied.value.op;
      this.#undos.push(applied.value.undo);
    } else {
      this.#rest = undefined;
      this.#tally.dropped++;
    }
  }

  finish(head: string): void {
    this.#takeBack();
    check(contentOf(this.#state) === head, 'a replica has diverged at the end');
  }
}

/** Runs one history. Throws if an invariant does not hold. */
export function simulate(seed: number, mix: StepMix, tally: Tally): void {
  const random = randomOf(seed);
  const document = randomDocument(random);
  const server = new Server(document, tally);
  const clients = Array.from({ length: 2 + random(3) }, (_, id) => new Client(id, document, tally));
  let edits = 4 + random(16);
  for (let turn = 0; turn < 2000; turn++) {
    const id = random(clients.length);
    const client = clients[id];
    if (client === undefined) break;
    const action = random(4);
    if (action === 0 && edits > 0) {
      edits--;
      client.edit(random, mix);
    } else if (action === 1) client.send();
    else if (action === 2) {
      const sent = client.outbox.shift();
      if (sent !== undefined) {
        const answer = server.submit(id, sent.base, JSON.parse(JSON.stringify(sent.wire)));
        for (const each of clients) each.inbox.push(answer);
      }
    } else {
      const message = client.inbox.shift();
      if (message !== undefined) client.receive(message, server.documents);
    }
    if (edits === 0 && clients.every((each) => each.idle && each.outbox.length === 0)) break;
  }
  for (const client of clients)
    if (client.version === server.log.length) client.finish(contentOf(server.state));
}
