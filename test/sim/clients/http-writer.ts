// A program that writes documents over HTTP in a simulation. Each write has a client of its own, as a request with an
// Idempotency-Key has, and is sent to one node after the other until it has a final answer. Some read the document
// before, and commit only on the version that they have read.
import { CALL_SEQ, type OwnerCall, tagOf } from '../../../actors/link/calls.ts';
import { jsonOp } from '../../../actors/link/link-messages.ts';
import type { DocumentRecord, Fate, SubmitRecord } from '../../../loadtest/checker/records.ts';
import type { Random } from '../../../loadtest/clients/random-edits.ts';
import type { KindName, Wire } from '../../../protocol/messages.ts';
import type { Answered } from '../../../src/gateway/calls/owner-calls.ts';
import type { SimNode } from '../machines/sim-node.ts';
import { between, type World } from '../world.ts';

export interface HttpWriterOptions {
  readonly world: World;
  readonly name: string;
  readonly nodes: readonly SimNode[];
  readonly documents: readonly { readonly doc: string; readonly kind: KindName }[];
  /** Called for each version that was read, with the time of the request. */
  readonly onRead: (doc: string, version: number, askedAtMs: number) => void;
  readonly onVersion: (doc: string, version: number) => void;
}

const WRITE_MS = [100, 1_500] as const;
const CONDITIONAL_SHARE = 0.4;
/** A request without an answer for this long is sent again, to another node. */
const PATIENCE_MS = 7_000;
const AGAIN_MS = [50, 300] as const;

/** A write that has no final answer yet. */
interface Write {
  readonly doc: string;
  readonly client: string;
  readonly submit: { -readonly [Key in keyof SubmitRecord]: SubmitRecord[Key] };
  /** The version that the document must have. Undefined: any. */
  readonly onVersion: number | undefined;
  readonly ifTag: readonly string[] | null;
}

export class HttpWriter {
  readonly #options: HttpWriterOptions;
  readonly #random: Random;
  readonly #records: DocumentRecord[] = [];
  #isQuiet = false;
  #count = 0;
  #open = 0;

  constructor(options: HttpWriterOptions) {
    this.#options = options;
    this.#random = options.world.random(options.name);
  }

  start(): void {
    this.#later(WRITE_MS, () => this.#next());
  }

  /** Begins no more writes. */
  quiet(): void {
    this.#isQuiet = true;
  }

  /** Writes without a final answer. */
  get outstanding(): number {
    return this.#open;
  }

  records(): readonly DocumentRecord[] {
    return this.#records;
  }

  #next(): void {
    if (this.#isQuiet) return;
    const { documents } = this.#options;
    const found = documents[Math.floor(this.#random() * documents.length)];
    // An update of Yjs has an id of its author, which is no concern of requests.
    if (found === undefined || found.kind === 'yjs') {
      this.start();
      return;
    }
    this.#open++;
    if (this.#random() < CONDITIONAL_SHARE) this.#readAndWrite(found.doc, found.kind);
    else this.#write(this.#begin(found.doc, found.kind, undefined, null));
  }

  #readAndWrite(doc: string, kind: KindName): void {
    const askedAtMs = this.#options.world.scheduler.now();
    this.#ask(doc, { type: 'read', unless: [] }, null, (answered) => {
      if (answered?.answer.type !== 'content') {
        this.#done();
        return;
      }
      const { history, version } = answered.answer;
      this.#options.onRead(doc, version, askedAtMs);
      this.#write(this.#begin(doc, kind, version, [tagOf(history, version)]));
    });
  }

  #begin(doc: string, kind: KindName, onVersion: number | undefined, ifTag: readonly string[] | null): Write {
    const { name, world } = this.#options;
    const number = ++this.#count;
    const client = `${name}-${number}`;
    const op: Wire =
      kind === 'json' ? [{ op: 'add', path: `/${name}`, value: number }] : [{ insert: `${number} ` }];
    const now = world.scheduler.now();
    const submit = {
      seq: 1,
      base: undefined,
      op,
      history: '',
      fate: { type: 'unknown' } as Fate,
      sends: 0,
      changed: false,
      firstSentAt: now,
      lastSentAt: now,
      seenAtLastSend: -1,
      decidedAt: undefined as number | undefined,
    };
    this.#records.push({
      doc,
      client,
      submits: new Map([[1, submit]]),
      streams: [],
      violations: [],
      replica: undefined,
    });
    return { doc, client, submit, onVersion, ifTag };
  }

  #write(write: Write): void {
    const { doc, client, submit, ifTag } = write;
    const call: OwnerCall = { type: 'write', client, user: 'http', seq: CALL_SEQ, base: -1, ifTag };
    submit.sends++;
    submit.lastSentAt = this.#options.world.scheduler.now();
    this.#ask(doc, call, submit.op, (answered) => this.#answered(write, answered?.answer));
  }

  #answered(write: Write, answer: Answered['answer'] | undefined): void {
    const { doc, client, submit, onVersion } = write;
    const { world } = this.#options;
    const isOpen =
      answer === undefined ||
      (answer.type === 'refused' && (answer.code === 'unavailable' || answer.code === 'overloaded'));
    if (isOpen) {
      this.#later(AGAIN_MS, () => this.#write(write));
      return;
    }
    submit.decidedAt = world.scheduler.now();
    if (answer.type === 'committed') {
      const { version } = answer;
      submit.fate = { type: 'ok', version };
      this.#options.onVersion(doc, version);
      world.count('writes over HTTP');
      if (onVersion !== undefined && version !== onVersion + 1)
        world.violated('if-match-broken', `${doc}: ${client} on ${onVersion} committed as ${version}`);
    } else if (answer.type === 'refused') {
      submit.fate = { type: 'rejected', code: answer.code };
      world.count(`writes over HTTP refused: ${answer.code}`);
    } else world.violated('crash', `a write was answered ${answer.type}`);
    this.#done();
  }

  #done(): void {
    this.#open--;
    this.start();
  }

  /** Sends a request to some node that runs. `then` is called once; without an answer, after a while. */
  #ask(doc: string, call: OwnerCall, op: Wire | null, then: (answered: Answered | undefined) => void): void {
    const { world, nodes } = this.#options;
    const { scheduler, delays } = world;
    const up = nodes.filter(({ isUp }) => isUp);
    const node = up[Math.floor(this.#random() * up.length)];
    let isOver = false;
    const end = (answered: Answered | undefined): void => {
      if (isOver) return;
      isOver = true;
      cancel();
      then(answered);
    };
    const cancel = scheduler.after(PATIENCE_MS, () => end(undefined));
    const linkOp = op === null ? null : jsonOp(JSON.stringify(op));
    scheduler.after(between(this.#random, delays.client), () =>
      node?.ask(doc, call, linkOp, (answered) =>
        scheduler.after(between(this.#random, delays.client), () => end(answered)),
      ),
    );
  }

  #later(ms: readonly [number, number], run: () => void): void {
    this.#options.world.scheduler.after(between(this.#random, ms), run);
  }
}
