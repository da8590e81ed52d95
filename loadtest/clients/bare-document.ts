// One document of a bare client: its subscription, and the submits that have no answer yet, in order, bounded
// by the server's `inflight`. Knows no sockets: its client passes frames in and out.
import { isOpenSubmitCode } from '../../protocol/errors.ts';
import type {
  ClientMessage,
  ErrorMessage,
  Json,
  KindName,
  Opened,
  ServerMessage,
  Wire,
} from '../../protocol/messages.ts';
import type { Recorder, SubmitRecord } from '../checker/records.ts';
import type { Replica } from '../checker/replica.ts';
import type { DocumentListener } from './bare-client.ts';

export interface DocumentLink {
  readonly recorder: Recorder;
  inflight(): number;
  isLive(): boolean;
  send(message: ClientMessage): void;
  closed(): void;
  /** Whether to go on from the held version after a lost connection, rather than begin at a snapshot. */
  readonly resume: boolean;
}

export interface BareDocumentOptions {
  readonly kind?: KindName;
  /** The version to begin at instead of a snapshot. */
  readonly since?: { readonly version: number; readonly history: string };
  readonly listener?: DocumentListener;
}

interface Pending {
  readonly seq: number;
  readonly base: number | undefined;
  readonly op: Wire;
  sent: boolean;
}

/** Wait before the submit of an open error is sent again, if the server gives none. */
const RETRY_MS = 100;

export class BareDocument {
  readonly doc: string;
  /** Newest version received; -1 before the first `opened`. */
  version = -1;
  history = '';
  kind: KindName | undefined;
  /** Whether it is subscribed at this moment. */
  live = false;
  readonly #options: BareDocumentOptions;
  readonly #link: DocumentLink;
  /** Unanswered submits, lowest seq first. */
  readonly #pending = new Map<number, Pending>();
  readonly #waiting = new Map<number, (submit: SubmitRecord) => void>();
  #versionWaiters: { version: number; resolve(): void; reject(error: Error): void }[] = [];
  readonly #closeWaiters: (() => void)[] = [];
  #openWaiters: { resolve(message: Opened): void; reject(error: Error): void }[] = [];
  #over = false;
  #nextSeq = 1;
  #unanswered = 0;
  #retry: NodeJS.Timeout | undefined;

  constructor(doc: string, options: BareDocumentOptions, link: DocumentLink) {
    this.doc = doc;
    this.#options = options;
    this.#link = link;
  }

  /** The replica built by commits alone. Undefined before `opened`, or if the client keeps none. */
  get replica(): Replica | undefined {
    return this.#link.recorder.replica(this.doc);
  }

  /** Submits that have no answer yet, sent or not. */
  get outstanding(): number {
    return this.#pending.size;
  }

  /** Fulfilled at the next `opened` (at once if live); rejected when the server refuses. */
  opened(): Promise<void> {
    if (this.live) return Promise.resolve();
    return new Promise<Opened>((resolve, reject) => this.#openWaiters.push({ resolve, reject })).then(
      () => undefined,
    );
  }

  /** Queues a patch made on `base`; returns its seq. Sent as soon as `inflight` allows. */
  submit(op: Wire, base?: number): number {
    const seq = this.#nextSeq++;
    this.#pending.set(seq, { seq, base, op, sent: false });
    this.#pump();
    return seq;
  }

  /** The end of a submit: ok, rejected, or unknown when it was given up. */
  decided(seq: number): Promise<SubmitRecord> {
    const known = this.#link.recorder.submit(this.doc, seq);
    if (known !== undefined && known.fate.type !== 'unknown') return Promise.resolve(known);
    return new Promise((resolve) => this.#waiting.set(seq, resolve));
  }

  /** Fulfilled when every commit up to `version` has been received. */
  until(version: number): Promise<void> {
    if (this.version >= version) return Promise.resolve();
    return new Promise((resolve, reject) => this.#versionWaiters.push({ version, resolve, reject }));
  }

  /** Fulfilled when the server ends the subscription, or the connection is lost. */
  closed(): Promise<void> {
    return new Promise((resolve) => this.#closeWaiters.push(resolve));
  }

  presence(data: Json): void {
    if (this.live) this.#link.send({ type: 'presence', doc: this.doc, data });
  }

  /** Unsubscribes. Frames in transit are still taken until the server has answered. */
  close(): void {
    this.#over = true;
    this.abandon();
    if (this.#link.isLive()) this.#link.send({ type: 'close', doc: this.doc });
    else this.#ended();
  }

  subscribe(): void {
    const { kind, since } = this.#options;
    const held =
      this.version >= 0 && this.#link.resume ? { version: this.version, history: this.history } : since;
    this.#link.send({
      type: 'open',
      doc: this.doc,
      ...(kind === undefined ? {} : { kind }),
      ...(held === undefined ? {} : { since: held.version, history: held.history }),
    });
  }

  take(
    message: Extract<ServerMessage, { type: 'opened' | 'commit' | 'ack' | 'reject' | 'presence' | 'closed' }>,
  ): void {
    const { listener } = this.#options;
    switch (message.type) {
      case 'opened':
        this.#subscribed(message);
        return;
      case 'commit':
        this.version = message.version;
        listener?.committed?.(message.version, message.ops);
        for (const entry of message.ops)
          if (entry.client === this.#link.recorder.client) this.#answered(entry.seq);
        this.#reached();
        this.#pump();
        return;
      case 'ack':
      case 'reject':
        this.#answered(message.seq);
        this.#pump();
        return;
      case 'presence':
        listener?.presence?.(message.states);
        return;
      case 'closed':
        this.live = false;
        listener?.closed?.(message.code);
        this.abandon();
        this.#ended();
        return;
      default:
        message satisfies never;
    }
  }

  failed(message: ErrorMessage): void {
    this.#options.listener?.error?.(message);
    const pending = message.seq === undefined ? undefined : this.#pending.get(message.seq);
    if (pending === undefined) {
      if (!this.live && !message.retryable) this.#refused(new Error(`${message.code}: ${message.message}`));
      else if (!this.live) this.#later(message.retryAfterMs, () => this.subscribe());
      return;
    }
    if (!isOpenSubmitCode(message.code) || message.code === 'version-too-old') {
      this.#forget(pending);
      this.#pump();
      return;
    }
    if (pending.sent) this.#unanswered -= 1;
    pending.sent = false;
    this.#later(message.retryAfterMs, () => this.#pump());
  }

  /** The connection is gone. `tooLarge`: because of a frame of this client, which must not be sent again. */
  lost(tooLarge: boolean): void {
    this.live = false;
    if (this.#over) this.#ended();
    this.#stopRetry();
    this.#unanswered = 0;
    for (const pending of [...this.#pending.values()]) {
      if (tooLarge && pending.sent) this.#forget(pending);
      pending.sent = false;
    }
  }

  /** Gives up waiting for all answers. */
  abandon(): void {
    this.live = false;
    this.#stopRetry();
    for (const pending of [...this.#pending.values()]) this.#forget(pending);
    this.#refused(new Error(`${this.doc} was closed`));
    for (const { reject } of this.#versionWaiters.splice(0)) reject(new Error(`${this.doc} was closed`));
  }

  #subscribed(message: Opened): void {
    const { recorder } = this.#link;
    const again = this.version >= 0;
    this.live = true;
    this.version = message.version;
    this.history = message.history;
    this.kind = message.kind;
    if (message.lastSeq !== null) this.#nextSeq = Math.max(this.#nextSeq, message.lastSeq + 1);
    this.#options.listener?.opened?.(message);
    if ('ops' in message) {
      for (const entry of message.ops) if (entry.client === recorder.client) this.#answered(entry.seq);
    }
    if (message.lastSeq === null && again) {
      for (const pending of [...this.#pending.values()]) {
        if (recorder.submit(this.doc, pending.seq) !== undefined) this.#forget(pending);
      }
    }
    for (const { resolve } of this.#openWaiters.splice(0)) resolve(message);
    this.#reached();
    this.#pump();
  }

  #ended(): void {
    this.#link.closed();
    for (const resolve of this.#closeWaiters.splice(0)) resolve();
  }

  #reached(): void {
    if (this.#versionWaiters.length === 0) return;
    const met = this.#versionWaiters.filter((waiter) => waiter.version <= this.version);
    this.#versionWaiters = this.#versionWaiters.filter((waiter) => waiter.version > this.version);
    for (const { resolve } of met) resolve();
  }

  /** Sends in the order of seqs; after an open error it sends nothing before the wait is over. */
  #pump(): void {
    if (!this.live || this.#retry !== undefined || this.#unanswered === this.#pending.size) return;
    for (const pending of this.#pending.values()) {
      if (this.#unanswered >= this.#link.inflight()) return;
      if (pending.sent) continue;
      pending.sent = true;
      this.#unanswered += 1;
      const { seq, base, op } = pending;
      this.#link.send({ type: 'submit', doc: this.doc, seq, op, ...(base === undefined ? {} : { base }) });
    }
  }

  #answered(seq: number): void {
    const pending = this.#pending.get(seq);
    if (pending !== undefined) this.#forget(pending);
  }

  /** Removes a submit: it has its answer, or its fate stays unknown. */
  #forget(pending: Pending): void {
    this.#pending.delete(pending.seq);
    if (pending.sent) this.#unanswered -= 1;
    const submit = this.#link.recorder.submit(this.doc, pending.seq) ?? neverSent(pending);
    this.#waiting.get(pending.seq)?.(submit);
    this.#waiting.delete(pending.seq);
    this.#options.listener?.decided?.(submit);
  }

  #refused(error: Error): void {
    for (const { reject } of this.#openWaiters.splice(0)) reject(error);
  }

  #later(delayMs: number | undefined, run: () => void): void {
    if (this.#retry !== undefined) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      run();
    }, delayMs ?? RETRY_MS);
  }

  #stopRetry(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
  }
}

function neverSent({ seq, base, op }: Pending): SubmitRecord {
  return {
    seq,
    base,
    op,
    history: '',
    fate: { type: 'unknown' },
    sends: 0,
    changed: false,
    firstSentAt: 0,
    lastSentAt: 0,
    seenAtLastSend: -1,
    decidedAt: undefined,
  };
}
