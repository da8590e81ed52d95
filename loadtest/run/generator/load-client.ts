// A virtual client of the load test: one socket, one document, and the part it plays. Edits are made when they
// are due, whether or not earlier ones have their answers, and their times count from then. Owns its timers; its
// records are with the bare client.
import { wireBytes } from '../../../protocol/codec.ts';
import type { KindName, Wire } from '../../../protocol/messages.ts';
import type { SubmitRecord } from '../../checker/records.ts';
import type { BareClient } from '../../clients/bare-client.ts';
import type { BareDocument } from '../../clients/bare-document.ts';
import type { Random } from '../../clients/random-edits.ts';
import type { Scenario } from '../../scenarios/scenario.ts';
import type { Figures } from '../figures.ts';
import type { Course } from './course.ts';
import type { LoadEdits } from './load-edits.ts';
import type { Stroke, Typing } from './typing.ts';

export interface LoadClientOptions {
  readonly client: BareClient;
  readonly doc: string;
  readonly kind: KindName;
  /** Undefined for a reader. */
  readonly editor: { readonly typing: Typing; readonly edits: LoadEdits } | undefined;
  readonly scenario: Scenario;
  readonly course: Course;
  readonly random: Random;
  readonly figures: Figures;
  /** The times at which edits of this process were due, by client and seq. */
  readonly due: DueTimes;
}

/** Edits that wait for answers at once; the `inflight` of the server bounds how many of them are sent. */
const MOST_OUTSTANDING = 64;
/** Due edits that wait to be made. Above it an edit has failed. */
const MOST_WAITING = 1000;
const RETRY_MS = 50;

export class LoadClient {
  readonly client: BareClient;
  readonly document: BareDocument;
  /** Connections that this run cut and that the bare client counts as lost. */
  dropped = 0;
  /** Rejections by code. */
  readonly rejections = new Map<string, number>();
  readonly #options: LoadClientOptions;
  readonly #waiting: { readonly at: number; readonly stroke: Stroke | undefined }[] = [];
  /** Time at which the beginning of the run was, by performance.now(). */
  #began = 0;
  #isTyping = false;
  #isResting = false;
  /** When the rest began, after the beginning of the run. */
  #restedAt = 0;
  /** The next edit, at its time after the beginning of the run. */
  #nextEdit: { readonly at: number; readonly stroke: Stroke | undefined } | undefined;
  /** When its presence goes with its next edit, by performance.now(). */
  #presenceDue = 0;
  #isPresent = false;
  #hasConnected = false;
  /** Edits without an answer: the time at which each was due, by its seq. */
  readonly #unanswered = new Map<number, number>();
  /** Time since which the client is due, until its document is open. */
  #dueSince: number | undefined;
  readonly #timers = new Map<'edit' | 'presence' | 'churn', NodeJS.Timeout>();

  constructor(options: LoadClientOptions) {
    this.#options = options;
    this.client = options.client;
    const { doc, kind, editor, figures } = options;
    this.document = options.client.open(doc, {
      kind,
      listener: {
        opened: (message) => {
          if (this.#dueSince !== undefined) figures.time('open', performance.now() - this.#dueSince);
          this.#dueSince = undefined;
          if ('ops' in message) for (const { op } of message.ops) editor?.edits.take(this.#bytes(op));
          else editor?.edits.reset(this.#bytes(message.snapshot));
          this.#make();
        },
        committed: (_version, ops) => {
          const now = performance.now();
          for (const { client, seq, op } of ops) {
            editor?.edits.take(this.#bytes(op));
            if (client === this.client.options.client) continue;
            figures.counts.delivered += 1;
            const at = options.due.of(client, seq);
            if (at !== undefined) figures.time('delivery', now - at);
          }
        },
        decided: (submit) => this.#decided(submit),
        presence: (states) => {
          figures.counts.presenceReceived += Object.keys(states).length;
        },
      },
    });
  }

  get isConnected(): boolean {
    return this.#isPresent;
  }

  /** Edits that have no answer, or are not made yet. */
  get outstanding(): number {
    return this.#waiting.length + this.document.outstanding;
  }

  /** Connects before the run begins; not timed. */
  async arriveEarly(): Promise<void> {
    this.#isPresent = true;
    this.#hasConnected = true;
    await this.client.connect();
    await this.document.opened();
  }

  /** `began`: when the run begins. */
  begin(began: number): void {
    this.#began = began;
    const { editor, scenario, random } = this.#options;
    this.#isTyping = true;
    if (editor !== undefined) this.#scheduleEdit(0);
    const { everyMs } = scenario.presence;
    if (everyMs > 0) this.#schedulePresence(random() * everyMs);
    if (this.#isPresent) this.#scheduleLeave();
  }

  /** Connects because the course of the run says so. `at`: when it was due. */
  arrive(at: number): void {
    if (this.#isPresent) return;
    this.#isPresent = true;
    this.#dueSince = at;
    // A refusal shows in the counts of errors and losses.
    if (this.#hasConnected) this.client.comeBack();
    else this.client.connect().catch(() => undefined);
    this.#hasConnected = true;
    this.#scheduleLeave();
  }

  /** Leaves without a close frame, when its edits have their answers. */
  leave(): void {
    clearTimeout(this.#timers.get('churn'));
    if (!this.#isPresent) return;
    this.#isPresent = false;
    this.#goWhenQuiet(() => undefined);
  }

  /** The connection is cut at once, as by a fault of the network; the client comes back by itself. */
  drop(): void {
    if (!this.#isPresent || !this.client.live) return;
    this.dropped += 1;
    this.#dueSince = performance.now();
    this.client.drop();
  }

  /** Makes no edit until `goOn`, and forgets those that were due. */
  rest(): void {
    if (this.#isResting) return;
    this.#isResting = true;
    this.#restedAt = performance.now() - this.#began;
    clearTimeout(this.#timers.get('edit'));
    this.#waiting.length = 0;
  }

  /** The typing goes on where it was. A client in a pause stays in it for as long as it would have. */
  goOn(): void {
    if (!this.#isResting) return;
    this.#isResting = false;
    const next = this.#nextEdit;
    const now = performance.now() - this.#began;
    if (next !== undefined && next.at > this.#restedAt)
      this.#editAt(now + next.at - this.#restedAt, next.stroke);
    else this.#scheduleEdit(now);
  }

  /** Makes no more edits. */
  stop(): void {
    this.#isTyping = false;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  /** Counts the edits that have had no answer; their times are as long as they have waited. */
  giveUp(): void {
    const { figures } = this.#options;
    const now = performance.now();
    for (const { at } of this.#waiting.splice(0)) {
      figures.counts.failed += 1;
      figures.time('commit', now - at);
    }
    for (const at of this.#unanswered.values()) {
      figures.counts.failed += 1;
      figures.time('commit', now - at);
    }
    this.#unanswered.clear();
  }

  #bytes(wire: Wire): Wire {
    return this.#options.kind === 'yjs' ? (wireBytes(wire) ?? wire) : wire;
  }

  /** `last`: time of the edit before, after the beginning of the run. */
  #scheduleEdit(last: number): void {
    const { editor, course } = this.#options;
    if (editor === undefined || !this.#isTyping || this.#isResting) return;
    const { afterMs, stroke } = editor.typing.next();
    // A trace has its own times.
    const at =
      stroke === undefined ? course.afterTyping(last, afterMs) : within(last + afterMs, course.lastsMs);
    if (at !== undefined) this.#editAt(at, stroke);
  }

  /** `at`: time after the beginning of the run. */
  #editAt(at: number, stroke: Stroke | undefined): void {
    const { figures } = this.#options;
    this.#nextEdit = { at, stroke };
    this.#later('edit', this.#began + at, () => {
      // A person without a connection of their own accord does not type.
      if (this.#isPresent) {
        figures.counts.asked += 1;
        figures.time('late', performance.now() - this.#began - at);
        if (this.#waiting.length >= MOST_WAITING) figures.counts.failed += 1;
        else this.#waiting.push({ at: this.#began + at, stroke });
        this.#make();
      }
      this.#scheduleEdit(at);
    });
  }

  #make(): void {
    const { editor, kind } = this.#options;
    const { document } = this;
    while (editor !== undefined && document.live && document.outstanding < MOST_OUTSTANDING) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      const op = editor.edits.next(next.stroke);
      this.#submit(op, kind === 'yjs' ? undefined : document.version, next.at);
      this.#presentTyping();
    }
  }

  #submit(op: Wire, base: number | undefined, at: number): void {
    // An answer never comes before submit() returns.
    const seq = this.document.submit(op, base);
    this.#unanswered.set(seq, at);
    this.#options.due.set(this.client.options.client, seq, at);
  }

  #decided(submit: SubmitRecord): void {
    const { figures, kind } = this.#options;
    const at = this.#unanswered.get(submit.seq);
    if (submit.fate.type !== 'unknown') this.#unanswered.delete(submit.seq);
    switch (submit.fate.type) {
      case 'ok':
        figures.counts.committed += 1;
        if (at !== undefined) figures.time('commit', (submit.decidedAt ?? performance.now()) - at);
        break;
      case 'rejected': {
        const { code } = submit.fate;
        // Later patches of a Y.Doc need this one.
        if (kind === 'yjs' && code === 'seq-used' && at !== undefined) {
          this.#submit(submit.op, undefined, at);
          break;
        }
        figures.counts.failed += 1;
        this.rejections.set(code, (this.rejections.get(code) ?? 0) + 1);
        break;
      }
      case 'unknown':
        // Counted by giveUp(): it may still have been committed.
        break;
    }
    if (this.#isTyping) this.#make();
  }

  /** A cursor moves as its owner types. */
  #presentTyping(): void {
    const { typingMs } = this.#options.scenario.presence;
    const now = performance.now();
    if (typingMs === 0 || now < this.#presenceDue) return;
    this.#presenceDue = now + typingMs;
    this.#sendPresence();
  }

  #schedulePresence(at: number): void {
    const { scenario, course } = this.#options;
    if (at >= course.lastsMs) return;
    this.#later('presence', this.#began + at, () => {
      if (this.document.live) this.#sendPresence();
      this.#schedulePresence(at + scenario.presence.everyMs);
    });
  }

  #sendPresence(): void {
    const { figures, random } = this.#options;
    figures.counts.presenceSent += 1;
    this.document.presence({ name: this.client.options.client, at: Math.floor(random() * 2000) });
  }

  /** Churn: the connection is cut after a time, and the client comes back later. */
  #scheduleLeave(): void {
    const { scenario, random } = this.#options;
    const { stayMs, awayMs } = scenario.churn;
    if (stayMs === 0) return;
    const exponential = (mean: number) => -Math.log(1 - random()) * mean;
    this.#later('churn', performance.now() + exponential(stayMs), () => {
      this.#isPresent = false;
      this.#goWhenQuiet(() => {
        const back = performance.now() + exponential(awayMs);
        this.#later('churn', back, () => this.arrive(back));
      });
    });
  }

  /** Its edits have no part in a cut that the client makes itself: their times would be those of the pause. */
  #goWhenQuiet(then: () => void): void {
    if (this.#isPresent) return;
    if (this.outstanding > 0) {
      this.#later('churn', performance.now() + RETRY_MS, () => this.#goWhenQuiet(then));
      return;
    }
    this.client.goAway();
    then();
  }

  #later(name: 'edit' | 'presence' | 'churn', at: number, run: () => void): void {
    this.#timers.set(name, setTimeout(run, Math.max(0, at - performance.now())));
  }
}

const within = (at: number, end: number): number | undefined => (at < end ? at : undefined);

/** Edits of one client whose times are kept: more than can be on their way. */
const KEPT = 128;

/** When edits were due, for those that see them come: by client and seq, the newest of each client. */
export class DueTimes {
  readonly #clients = new Map<string, Map<number, number>>();

  set(client: string, seq: number, at: number): void {
    let times = this.#clients.get(client);
    if (times === undefined) {
      times = new Map();
      this.#clients.set(client, times);
    }
    times.set(seq, at);
    if (times.size <= KEPT) return;
    for (const oldest of times.keys()) {
      times.delete(oldest);
      return;
    }
  }

  of(client: string, seq: number): number | undefined {
    return this.#clients.get(client)?.get(seq);
  }
}
