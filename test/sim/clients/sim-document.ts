// One document of a simulated client: its subscription, and its unanswered edits in order. Unanswered edits
// are sent again unchanged over the current connection.

import type { Recorder } from '../../../loadtest/checker/records.ts';
import { type EditSource, editSource, type Random } from '../../../loadtest/clients/random-edits.ts';
import { wireBytes } from '../../../protocol/codec.ts';
import { OPEN_SUBMIT_CODES } from '../../../protocol/errors.ts';
import type {
  ClientMessage,
  ErrorMessage,
  KindName,
  Opened,
  ServerMessage,
  Wire,
} from '../../../protocol/messages.ts';
import { LOST_TOO_OFTEN, NO_OWNER } from '../../../src/gateway/subscriptions/owner-changes.ts';
import type { Scheduler } from '../scheduler.ts';

export interface SimDocumentOptions {
  readonly doc: string;
  readonly kind: KindName;
  readonly random: Random;
  readonly recorder: Recorder;
  readonly scheduler: Scheduler;
  /** The most unanswered edits. */
  readonly inflight: number;
  /** Unanswered edits are sent right behind the open. */
  readonly eager: boolean;
  readonly send: (message: ClientMessage) => void;
  /** Called at each `opened` with its version, and the time of the request. */
  readonly onOpened: (version: number, askedAtMs: number) => void;
  readonly onVersion: (version: number) => void;
  /** Called when an edit has committed past one that was left open, which can only be `seq-used` now. */
  readonly onPassed: (passed: Omit<Passed, 'doc' | 'client'>) => void;
}

/** An edit that committed while a lower seq was left open. */
export interface Passed {
  readonly doc: string;
  readonly client: string;
  readonly seq: number;
  readonly open: number;
  readonly openSinceMs: number;
  /**
   * Both were on their way when the gateway gave up the owner that had them. That owner may have decided on both, and its
   * rejection of the lower one is lost with it.
   */
  readonly wasWithLostOwner: boolean;
}

interface Pending {
  readonly seq: number;
  readonly base: number | undefined;
  readonly op: Wire;
  sent: boolean;
  /**
   * The opening in which the edit was sent first, and the one in which it was left open and has not been sent
   * since. 0: none.
   */
  firstSentIn: number;
  openIn: number;
  /** The time at which it was sent last. */
  sentMs: number;
  /** The time at which the server left it open. */
  openSinceMs: number;
  /** A gateway left it open because it has lost the owner. */
  isOwnerLost: boolean;
}

type Taken = Extract<ServerMessage, { type: 'opened' | 'commit' | 'ack' | 'reject' | 'closed' }>;

const RETRY_MS = 100;
const OWNER_LOST: ReadonlySet<string> = new Set([NO_OWNER, LOST_TOO_OFTEN]);
const OPEN_CODES: ReadonlySet<string> = new Set(OPEN_SUBMIT_CODES);

export class SimDocument {
  readonly doc: string;
  /** -1: the document was never opened. */
  version = -1;
  live = false;
  readonly #options: SimDocumentOptions;
  readonly #source: EditSource;
  readonly #pending = new Map<number, Pending>();
  #history = '';
  #nextSeq = 1;
  #fresh = true;
  #cancelRetry: (() => void) | undefined;
  #askedAtMs = 0;
  /** An open, or its answer, is on its way. */
  #asking = false;
  /** A close is on its way, with edits before it. */
  #closing = false;
  /** The number of opens. */
  #opening = 0;

  constructor(options: SimDocumentOptions) {
    this.doc = options.doc;
    this.#options = options;
    this.#source = editSource(options.kind, options.random);
  }

  /** The number of unanswered edits. */
  get outstanding(): number {
    return this.#pending.size;
  }

  subscribe(): void {
    const { doc, kind, scheduler } = this.#options;
    this.#askedAtMs = scheduler.now();
    this.#asking = true;
    this.#opening++;
    this.#options.send({
      type: 'open',
      doc,
      kind,
      ...(this.version < 0 ? {} : { since: this.version, history: this.#history }),
    });
    if (this.#options.eager) this.#sendAll();
  }

  /** Makes an edit if there is room for one. */
  edit(): void {
    const replica = this.#options.recorder.replica(this.doc);
    if (!this.live || replica === undefined || this.#pending.size >= this.#options.inflight) return;
    if (this.#fresh) this.#source.reset(replica);
    this.#fresh = false;
    const op = this.#source.next(replica);
    this.#submit(op, this.#options.kind === 'yjs' ? undefined : replica.version);
  }

  /**
   * Closes the document, and opens it again from its snapshot: at once, or behind the answers to the edits that are on
   * their way.
   */
  reopen(): void {
    if (!this.live) return;
    this.live = false;
    this.version = -1;
    this.#fresh = true;
    this.#options.send({ type: 'close', doc: this.doc });
    if (this.#pending.size === 0) this.subscribe();
    else {
      this.#closing = true;
      this.#asking = true;
    }
  }

  take(message: Taken): void {
    switch (message.type) {
      case 'opened':
        this.#opened(message);
        return;
      case 'commit':
        this.#reached(message.version);
        for (const { client, seq, op } of message.ops) {
          this.#seen(op);
          if (client === this.#options.recorder.client) this.#answered(seq);
        }
        this.#pump();
        return;
      case 'ack':
        this.#answered(message.seq);
        this.#pump();
        return;
      case 'reject':
        this.#rejected(message.seq, message.code);
        return;
      case 'closed':
        if (message.code === undefined) {
          this.#closed();
          return;
        }
        // The server closed it: another socket of this client that was given up has opened it late.
        this.#closing = false;
        this.live = false;
        // This may be the answer to an open.
        this.#asking = false;
        this.#unsend();
        this.#later(RETRY_MS);
        return;
      default:
        message satisfies never;
    }
  }

  failed({ seq, code, message, retryable, retryAfterMs }: ErrorMessage, sentAtMs: number): void {
    const pending = seq === undefined ? undefined : this.#pending.get(seq);
    if (pending !== undefined) {
      if (!OPEN_CODES.has(code) && code !== 'not-open') throw new Error(`seq ${seq}: ${code}`);
      pending.sent = false;
      pending.openIn = code === 'not-open' ? 0 : this.#opening;
      pending.openSinceMs = sentAtMs;
      pending.isOwnerLost = OWNER_LOST.has(message);
      this.#later(retryAfterMs ?? RETRY_MS);
      return;
    }
    // `not-open` answers a presence or a close that another socket's `open` has overtaken, never an `open`.
    if (seq !== undefined || this.live || code === 'not-open') return;
    this.#asking = false;
    if (!retryable) throw new Error(`${this.doc} is not opened: ${code}`);
    this.#later(retryAfterMs ?? RETRY_MS);
  }

  /** The connection is gone. */
  lost(): void {
    this.live = false;
    this.#closing = false;
    this.#asking = false;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#unsend();
  }

  /** Its own close is answered. */
  #closed(): void {
    if (!this.#closing) return;
    this.#closing = false;
    for (const { seq, sent } of this.#pending.values())
      if (sent) throw new Error(`${this.doc} is closed, and seq ${seq} has no answer`);
    this.subscribe();
  }

  #opened(message: Opened): void {
    const again = this.version >= 0;
    this.live = true;
    this.#asking = false;
    this.#history = message.history;
    this.#reached(message.version);
    this.#options.onOpened(message.version, this.#askedAtMs);
    if ('ops' in message) {
      for (const { client, seq, op } of message.ops) {
        this.#seen(op);
        if (client === this.#options.recorder.client) this.#answered(seq);
      }
    } else if (again) this.#fresh = true;
    if (message.lastSeq !== null) this.#nextSeq = Math.max(this.#nextSeq, message.lastSeq + 1);
    this.#pump();
  }

  #reached(version: number): void {
    this.version = version;
    this.#options.onVersion(version);
  }

  #seen(op: Wire): void {
    if (this.#fresh) return;
    const { kind } = this.#options;
    try {
      this.#source.take(kind === 'yjs' ? (wireBytes(op) ?? op) : op);
    } catch {
      // The database may have lost commits. Otherwise the checker finds the fault.
      this.#fresh = true;
    }
  }

  #submit(op: Wire, base: number | undefined): void {
    const seq = this.#nextSeq++;
    const unsent = { sent: false, firstSentIn: 0, openIn: 0, sentMs: 0, openSinceMs: 0, isOwnerLost: false };
    this.#pending.set(seq, { seq, base, op, ...unsent });
    this.#pump();
  }

  /** Sends edits in the order of their seqs. After an error it sends nothing before the wait is over. */
  #pump(): void {
    if (this.live && this.#cancelRetry === undefined) this.#sendAll();
  }

  #sendAll(): void {
    for (const pending of this.#pending.values()) {
      if (pending.sent) continue;
      pending.sent = true;
      pending.firstSentIn ||= this.#opening;
      pending.openIn = 0;
      pending.sentMs = this.#options.scheduler.now();
      const { seq, base, op } = pending;
      this.#options.send({ type: 'submit', doc: this.doc, seq, op, ...(base === undefined ? {} : { base }) });
    }
  }

  #answered(seq: number): void {
    // An edit that was sent over an earlier connection may have committed before the lower one was refused
    // over this one.
    const pending = this.#pending.get(seq);
    if (pending?.firstSentIn === this.#opening)
      for (const { seq: open, openIn, openSinceMs, isOwnerLost } of this.#pending.values())
        if (open < seq && openIn === this.#opening) {
          const wasWithLostOwner = isOwnerLost && pending.sentMs <= openSinceMs;
          this.#options.onPassed({ seq, open, openSinceMs, wasWithLostOwner });
        }
    this.#pending.delete(seq);
    // A wait that the server has asked for is over with the edits that it was asked for.
    if ([...this.#pending.values()].every(({ sent }) => sent)) {
      this.#cancelRetry?.();
      this.#cancelRetry = undefined;
    }
  }

  #rejected(seq: number, code: string): void {
    const pending = this.#pending.get(seq);
    this.#pending.delete(seq);
    if (pending === undefined) return;
    // All later yjs updates would miss a missing one, so it is sent as another edit.
    if (this.#options.kind === 'yjs' && code === 'seq-used') this.#submit(pending.op, undefined);
    else this.#fresh = true;
    this.#pump();
  }

  #unsend(): void {
    for (const pending of this.#pending.values()) pending.sent = false;
  }

  /** Sends the unsent edits after a delay, or opens the document if it is not open. */
  #later(ms: number): void {
    if (this.#cancelRetry !== undefined) return;
    this.#cancelRetry = this.#options.scheduler.after(ms, () => {
      this.#cancelRetry = undefined;
      if (this.live) this.#pump();
      else if (!this.#asking) this.subscribe();
    });
  }
}
