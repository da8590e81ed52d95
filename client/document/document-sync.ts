// The protocol machine of one open document: its subscription and its versions, and the recovery when they go
// wrong. It never looks into a patch (replica.ts does), follows no submit (submitter.ts does) and does not
// know the socket (connection.ts does). Over 400 lines, since every part of it changes the one phase.
//
// Phases, changed by #enter alone:
//   idle    -> opening                  the client is live
//   opening -> open | waiting | closed  `opened`; a failure that may pass; one that will not
//   open    -> waiting | closed         out of step with the server; `closed`
//   waiting -> opening                  its timer
//   any     -> idle, closed             the connection is lost; close()
import { ERROR_CODES } from '../../protocol/errors.ts';
import type { KindName, Role, Wire } from '../../protocol/messages.ts';
import { isVersion } from '../../protocol/names.ts';
import type { DocumentState } from '../api.ts';
import { knownCode, TroupeError } from '../errors.ts';
import { isRecord } from '../guards.ts';
import type { Timer } from '../platform.ts';
import { RetryDelay } from '../retry-delay.ts';
import { type Discarded, type Replica, ReplicaError } from './replica.ts';
import type { SessionHandlers, SessionHost } from './session-host.ts';
import { Submitter } from './submitter.ts';

type Phase =
  | { readonly name: 'idle' }
  | { readonly name: 'opening'; readonly id: string; readonly timer: Timer }
  | { readonly name: 'waiting'; readonly timer: Timer }
  | { readonly name: 'open' }
  | { readonly name: 'closed' };

/** For each phase, the phases that may follow it. Any other move is a fault of this program. */
const MOVES: Readonly<Record<Phase['name'], readonly Phase['name'][]>> = {
  idle: ['opening', 'idle', 'closed'],
  opening: ['open', 'waiting', 'idle', 'closed'],
  waiting: ['opening', 'idle', 'closed'],
  open: ['waiting', 'idle', 'closed'],
  closed: [],
};

/** After this time without `opened` the document is asked for again. */
const ANSWER_MS = 30_000;
const BACKOFF_MS = 500;

export class DocumentSync<Patch> {
  readonly name: string;
  readonly kind: KindName;
  readonly #host: SessionHost;
  readonly #replica: Replica<Patch>;
  readonly #handlers: SessionHandlers<Patch>;
  readonly #backoff: RetryDelay;
  readonly #submitter: Submitter<Patch>;
  #phase: Phase = { name: 'idle' };
  #state: DocumentState = 'connecting';
  #version = 0;
  #history: string | undefined;
  /** Whether the next open asks for the whole document, since the local copy does not fit the server's. */
  #afresh = false;
  #role: Role | undefined;
  #edited = false;

  constructor(
    name: string,
    kind: KindName,
    host: SessionHost,
    replica: Replica<Patch>,
    handlers: SessionHandlers<Patch>,
  ) {
    this.name = name;
    this.kind = kind;
    this.#host = host;
    this.#replica = replica;
    this.#handlers = handlers;
    this.#backoff = new RetryDelay(BACKOFF_MS, () => host.platform.random());
    this.#submitter = new Submitter(name, host, replica, {
      open: () => this.open,
      version: () => this.#version,
      resync: (atLeastMs) => this.#resync(atLeastMs),
      fail: (error) => this.fail(error),
      error: (error) => this.#handlers.error(error),
      report: (discarded, error, outcome) => this.#report(discarded, error, outcome),
      lostGround: (discarded) => this.#lostGround(discarded),
      refresh: () => this.refresh(),
    });
    this.#state = this.#currentState();
  }

  get state(): DocumentState {
    return this.#state;
  }
  get version(): number {
    return this.#version;
  }
  get role(): Role | undefined {
    return this.#role;
  }
  get open(): boolean {
    return this.#phase.name === 'open';
  }
  get closed(): boolean {
    return this.#phase.name === 'closed';
  }
  /** Bytes of the frame that awaits its answer; 0 if none does. */
  get awaitedBytes(): number {
    return this.#submitter.awaitedBytes;
  }

  /** The connection is live. */
  up(): void {
    if (this.#phase.name === 'idle') this.#open();
  }

  /**
   * The connection is lost.
   * @param tooLarge whether the server refused a frame for its size that is taken to be this document's
   */
  down(tooLarge: boolean): void {
    if (this.closed) return;
    this.#submitter.suspend(tooLarge);
    this.#enter({ name: 'idle' });
    this.#handlers.down();
  }

  /** An edit was made: it is in the replica's queue. */
  edited(): void {
    this.#edited = true;
    this.#submitter.pump();
    this.refresh();
  }

  close(): void {
    if (this.closed) return;
    if (this.#phase.name === 'open' || this.#phase.name === 'opening') {
      this.#host.send({ type: 'close', doc: this.name, id: this.#host.requestId() });
    }
    this.#end({}, undefined);
  }

  /** Ends the document from within: the local copy can no longer be brought in step. */
  fail(error: TroupeError): void {
    if (this.closed) return;
    if (this.#phase.name === 'open') {
      this.#host.send({ type: 'close', doc: this.name, id: this.#host.requestId() });
    }
    this.#end({ code: error.code, message: error.message }, error);
  }

  /** Emits the state if it has changed. */
  refresh(): void {
    if (!this.closed) this.#handlers.progress();
    const state = this.#currentState();
    if (state === this.#state) return;
    this.#state = state;
    this.#handlers.state(state);
  }

  /** Takes a message for this document; its shape is unchecked beyond `type` and `doc`. */
  receive(message: Record<string, unknown>): void {
    if (this.closed) return;
    switch (message.type) {
      case 'opened':
        this.#opened(message);
        break;
      case 'commit':
        this.#commit(message);
        break;
      case 'ack':
        this.#submitter.ack(message);
        break;
      case 'reject':
        this.#submitter.reject(message);
        break;
      case 'error':
        this.#error(message);
        break;
      case 'presence':
        if (this.open && isRecord(message.states)) this.#handlers.presence(message.states);
        break;
      case 'role':
        if (this.open) this.#setRole(message.role);
        break;
      case 'closed':
        this.#closedByServer(message);
        break;
      default:
        return;
    }
    this.refresh();
  }

  // ---- subscribing

  #open(): void {
    const id = this.#host.requestId();
    const timer = this.#host.platform.setTimer(() => this.#resync(), ANSWER_MS);
    this.#enter({ name: 'opening', id, timer });
    if (this.closed) return;
    const resume =
      this.#replica.loaded && !this.#afresh && this.#history !== undefined
        ? { since: this.#version, history: this.#history }
        : {};
    this.#host.send({ type: 'open', doc: this.name, kind: this.kind, ...resume, id });
    this.refresh();
  }

  #opened(message: Record<string, unknown>): void {
    if (this.#phase.name !== 'opening') return;
    if (message.id !== undefined && message.id !== this.#phase.id) return;
    const { kind, history, version, lastSeq } = message;
    if (kind !== this.kind) {
      this.fail(
        new TroupeError('wrong-kind', `${this.name} is a ${String(kind)} document, not ${this.kind}`),
      );
      return;
    }
    if (!isVersion(version) || typeof history !== 'string') {
      this.#resync();
      return;
    }
    if (typeof lastSeq === 'number') this.#submitter.know(lastSeq);
    const first = !this.#replica.loaded;
    const fits = this.#inStep(() => {
      if (Array.isArray(message.ops) && message.since === this.#version && history === this.#history) {
        this.#take(message.ops, version);
      } else if (message.snapshot !== undefined) {
        this.#load(message.snapshot as Wire, version, typeof lastSeq === 'number' ? lastSeq : null, history);
      } else {
        throw new ReplicaError('an opened that answers no open of ours');
      }
    });
    // A listener may have closed the document, or gone offline.
    if (!fits || this.#phase.name !== 'opening') return;
    this.#history = history;
    this.#afresh = false;
    this.#backoff.reset();
    this.#enter({ name: 'open' });
    this.#setRole(message.role);
    this.#handlers.opened(isRecord(message.presence) ? message.presence : {});
    if (first) this.#handlers.ready();
    this.#submitter.pump();
  }

  #load(snapshot: Wire, version: number, lastSeq: number | null, history: string): void {
    const fate = this.#submitter.fate(lastSeq);
    this.#version = version;
    const discarded = this.#replica.load(snapshot, version, fate, history === this.#history);
    // Not earlier: if the snapshot does not load, the same patch is still in flight, under its seq.
    if (fate === 'unknown' || fate === 'committed') this.#submitter.landed();
    const error = new TroupeError('conflict', 'the server no longer knows whether it took this edit');
    this.#report(discarded, error, 'unknown');
  }

  /**
   * Runs `feed`, which passes server data to the replica. If the replica is out of step with it, asks for the
   * whole document again.
   */
  #inStep(feed: () => void): boolean {
    try {
      feed();
      return true;
    } catch (error) {
      if (!(error instanceof ReplicaError)) {
        // This is a fault of this program: the local copy may differ from the server's, so no more edits are
        // built on it.
        this.fail(new TroupeError('internal', error instanceof Error ? error.message : String(error)));
        return false;
      }
      this.#afresh = true;
      // A listener may have gone offline. Then the next connection opens the document.
      if (this.#phase.name !== 'idle') this.#resync();
      return false;
    }
  }

  /** Leaves the subscription and takes a new one, after a moment. */
  #resync(atLeastMs = 0): void {
    if (this.#phase.name === 'open' || this.#phase.name === 'opening') {
      this.#host.send({ type: 'close', doc: this.name, id: this.#host.requestId() });
    }
    const wait = this.#backoff.next(atLeastMs);
    this.#enter({ name: 'waiting', timer: this.#host.platform.setTimer(() => this.#open(), wait) });
    if (this.closed) return;
    this.#handlers.down();
    this.refresh();
  }

  #closedByServer(message: Record<string, unknown>): void {
    if (this.#phase.name === 'waiting' || this.#phase.name === 'idle') return;
    if (this.#phase.name === 'opening' && message.code === undefined) return;
    const { code } = message;
    const text = typeof message.message === 'string' ? message.message : undefined;
    switch (code) {
      case 'deleted':
        this.#end(ending(code, text), new TroupeError('not-found', text ?? `${this.name} was deleted`));
        return;
      case 'forbidden':
        this.#end(ending(code, text), new TroupeError('forbidden', text ?? `no access to ${this.name}`));
        return;
      case 'replaced':
        this.#end(
          ending(code, text),
          new TroupeError('conflict', text ?? `${this.name} was opened elsewhere with the same client id`),
        );
        return;
      default:
        // Ended for a reason that this version does not know: subscribe again.
        this.#resync();
    }
  }

  #setRole(role: unknown): void {
    if (role !== 'viewer' && role !== 'commenter' && role !== 'editor' && role !== 'owner') return;
    if (role === this.#role) return;
    this.#role = role;
    this.#handlers.role(role);
  }

  // ---- commits and answers

  #commit(message: Record<string, unknown>): void {
    if (this.#phase.name !== 'open') return;
    const { ops, version } = message;
    if (!Array.isArray(ops) || !isVersion(version)) {
      this.#resync();
      return;
    }
    this.#inStep(() => this.#take(ops, version));
    this.#submitter.pump();
  }

  /** Applies `ops`, which lead up to `version`. Skips those already applied; a gap means out of step. */
  #take(ops: readonly unknown[], version: number): void {
    const skip = this.#version - (version - ops.length);
    if (skip < 0) throw new ReplicaError(`version ${version} leaves a gap after ${this.#version}`);
    for (const entry of ops.slice(skip)) {
      if (this.closed) return;
      if (!isRecord(entry)) throw new ReplicaError('a committed patch without content');
      const { client, seq } = entry;
      const op = entry.op as Wire;
      const author = typeof client === 'string' ? client : '';
      this.#version++;
      // From here on a listener may make an edit, in answer to the reported change.
      if (this.#submitter.isOwn(author, seq)) {
        this.#submitter.landed();
        this.#lostGround(this.#replica.own(op, author, this.#version));
      } else {
        this.#lostGround(this.#replica.foreign(op, author, this.#version));
      }
    }
  }

  #lostGround({ followers }: Discarded<Patch>): void {
    if (followers.length === 0) return;
    const error = new TroupeError(
      'conflict',
      'a commit of another client removed the content that this edit changes',
    );
    this.#report({ flight: undefined, followers }, error, 'not-committed');
  }

  #report(discarded: Discarded<Patch>, error: TroupeError, outcome: 'not-committed' | 'unknown'): void {
    const { flight, followers } = discarded;
    if (flight !== undefined) this.#handlers.rejected({ error, patch: flight.patch, outcome }, flight.edit);
    for (const { patch, edit } of followers) {
      this.#handlers.rejected({ error, patch, outcome: 'not-committed' }, edit);
    }
  }

  #error(message: Record<string, unknown>): void {
    const code = knownCode(message.code);
    const text = typeof message.message === 'string' ? message.message : code;
    const retryable = message.retryable === undefined ? ERROR_CODES[code] : message.retryable === true;
    const after = typeof message.retryAfterMs === 'number' ? Math.max(0, message.retryAfterMs) : 0;
    const error = new TroupeError(code, text, retryable, after > 0 ? after : undefined);
    if (message.seq !== undefined) {
      this.#submitter.error(message.seq, error, after);
    } else if (
      this.#phase.name === 'opening' &&
      (message.id === undefined || message.id === this.#phase.id)
    ) {
      if (!retryable) {
        this.fail(error);
        return;
      }
      this.#handlers.error(error);
      this.#resync(after);
    } else if (code === 'not-open' && this.open) {
      this.#resync(after);
    }
  }

  // ---- ending

  #end(end: { code?: string; message?: string }, error: TroupeError | undefined): void {
    const { everSent, committed } = this.#submitter;
    this.#submitter.landed();
    this.#enter({ name: 'closed' });
    this.#handlers.down();
    const pending = this.#replica.giveUp();
    const lost = committed ? { ...pending, flight: undefined } : pending;
    if (error !== undefined) this.#report(lost, error, everSent ? 'unknown' : 'not-committed');
    this.refresh();
    this.#handlers.closed(end, error, (lost.flight ?? lost.followers[0])?.edit);
  }

  /** Ends the document if the move is not legal: its state can no longer be trusted. */
  #enter(phase: Phase): void {
    const before = this.#phase;
    if (!MOVES[before.name].includes(phase.name)) {
      if (phase.name === 'opening' || phase.name === 'waiting') this.#host.platform.clearTimer(phase.timer);
      this.fail(new TroupeError('internal', `${this.name} does not go from ${before.name} to ${phase.name}`));
      return;
    }
    if (before.name === 'opening' || before.name === 'waiting') this.#host.platform.clearTimer(before.timer);
    if (phase.name !== 'open') this.#submitter.suspend();
    this.#phase = phase;
  }

  #currentState(): DocumentState {
    if (this.closed) return 'closed';
    const client = this.#host.clientState();
    if (client !== 'live')
      return this.#replica.loaded ? 'offline' : client === 'offline' ? 'offline' : 'connecting';
    if (!this.open) return 'connecting';
    if (this.#replica.pending) return 'saving';
    return this.#edited ? 'saved' : 'live';
  }
}

const ending = (code: string, message: string | undefined) =>
  message === undefined ? { code } : { code, message };
