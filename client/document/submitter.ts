// The one submit in flight of a document: decides when it goes out, what its answers mean, and when it goes
// out again. Owns the seq; the replica owns the patch, and the session the subscription.
import { OPEN_SUBMIT_CODES } from '../../protocol/errors.ts';
import type { Submit } from '../../protocol/messages.ts';
import { knownCode, TroupeError } from '../errors.ts';
import type { Timer } from '../platform.ts';
import { RetryDelay } from '../retry-delay.ts';
import type { Discarded, FlightFate, Replica } from './replica.ts';
import type { SessionHost } from './session-host.ts';

/** The services that a submitter gets from its session. */
export interface SubmitterHooks<Patch> {
  /** Whether the document is subscribed to. */
  open(): boolean;
  version(): number;
  /** Subscribes anew: it is in doubt which edits of this client the server has. */
  resync(atLeastMs: number): void;
  /** Ends the document. */
  fail(error: TroupeError): void;
  /** Reports an error that prevents saving and may pass. */
  error(error: TroupeError): void;
  report(discarded: Discarded<Patch>, error: TroupeError, outcome: 'not-committed' | 'unknown'): void;
  /** Reports edits that the replica dropped because they no longer have a place in the document. */
  lostGround(discarded: Discarded<Patch>): void;
  /** A timer has run: refreshes the state, which may have changed. */
  refresh(): void;
}

interface Flight {
  /** 0 until it is first sent. */
  seq: number;
  /** Whether it was ever given to a socket: the server may have it. */
  everSent: boolean;
  /** Whether it was sent and its answer is awaited. */
  awaiting: boolean;
  bytes: number;
  /** Whether the server closed a connection with 1009 when this was the largest frame on it. */
  suspect: boolean;
  /** Whether it has been given a new seq, which happens once at most. */
  renumbered: boolean;
  /**
   * Whether the server has left it open: the server takes no higher seq until this one comes again or the
   * document is opened anew.
   */
  leftOpen: boolean;
  /** The version on which its base was found too old; undefined if that has not happened. */
  tooOldAt: number | undefined;
  /** Whether the application has been told that the document is out of reach. */
  told: boolean;
}

/** After this time without an answer the submit is sent again. */
const ANSWER_MS = 30_000;
const BACKOFF_MS = 100;

export class Submitter<Patch> {
  readonly #doc: string;
  readonly #host: SessionHost;
  readonly #replica: Replica<Patch>;
  readonly #hooks: SubmitterHooks<Patch>;
  readonly #backoff: RetryDelay;
  #flight: Flight | undefined;
  /** The highest seq of this client that the server has reported. */
  #knownSeq = 0;
  /** Runs the next pump: for a resend, the rate limit, or the watch over an answer. */
  #timer: Timer | undefined;

  constructor(doc: string, host: SessionHost, replica: Replica<Patch>, hooks: SubmitterHooks<Patch>) {
    this.#doc = doc;
    this.#host = host;
    this.#replica = replica;
    this.#hooks = hooks;
    this.#backoff = new RetryDelay(BACKOFF_MS, () => host.platform.random());
  }

  /** Bytes of the frame that awaits its answer; 0 if none does. */
  get awaitedBytes(): number {
    return this.#flight?.awaiting === true ? this.#flight.bytes : 0;
  }

  /** Whether the server may have the patch in flight. */
  get everSent(): boolean {
    return this.#flight?.everSent === true;
  }

  /** Whether the server has reported that the patch in flight was committed. */
  get committed(): boolean {
    return this.#flight?.everSent === true && this.#flight.seq <= this.#knownSeq;
  }

  /** Whether a committed patch is the one in flight. */
  isOwn(author: string, seq: unknown): boolean {
    return this.#flight?.everSent === true && author === this.#host.client && seq === this.#flight.seq;
  }

  /**
   * The subscription is gone: the answer will not come on it.
   * @param tooLarge whether the server refused the frame for its size
   */
  suspend(tooLarge = false): void {
    this.#clearTimer();
    if (this.#flight === undefined) return;
    if (tooLarge) this.#flight.suspect = true;
    this.#flight.awaiting = false;
    this.#flight.leftOpen = false;
  }

  /** Takes the server's highest seq of this client. */
  know(lastSeq: number): void {
    this.#knownSeq = Math.max(this.#knownSeq, lastSeq);
  }

  /** The fate of the patch in flight, as a snapshot with this `lastSeq` shows it. */
  fate(lastSeq: number | null): FlightFate {
    if (this.#flight === undefined) return 'none';
    if (!this.#flight.everSent) return 'open';
    if (lastSeq === null) return 'unknown';
    return this.#flight.seq <= lastSeq ? 'committed' : 'open';
  }

  /** The patch in flight has arrived, as a commit or in a snapshot. */
  landed(): void {
    this.#flight = undefined;
    this.#backoff.reset();
    this.#clearTimer();
  }

  ack(message: Record<string, unknown>): void {
    // Between subscriptions its commit may have passed unseen: the next `opened` will tell.
    if (this.#flight === undefined || message.seq !== this.#flight.seq || !this.#hooks.open()) return;
    // Its commit has passed, as part of a snapshot: the pending copy must go.
    this.landed();
    this.#hooks.lostGround(this.#replica.discard('duplicate'));
    this.pump();
  }

  reject(message: Record<string, unknown>): void {
    if (this.#flight === undefined || message.seq !== this.#flight.seq) return;
    if (message.code === 'seq-used' && !this.#flight.renumbered) {
      // It is certainly not committed, and the edit is not at fault. It goes out under a seq above the
      // highest, which the next `opened` reports.
      this.#flight = { ...newFlight(), renumbered: true };
      this.#hooks.resync(0);
      return;
    }
    const text = typeof message.message === 'string' ? message.message : 'the server refused this edit';
    this.#refuse(new TroupeError(knownCode(message.code), text, false), 'not-committed');
  }

  /** The patch in flight is given up and reported. */
  #refuse(error: TroupeError, outcome: 'not-committed' | 'unknown'): void {
    if (this.#replica.irrevocable) {
      this.#hooks.fail(error);
      return;
    }
    const leftOpen = this.#flight?.leftOpen === true;
    this.landed();
    this.#hooks.report(this.#replica.discard('refused'), error, outcome);
    if (leftOpen) this.#hooks.resync(0);
    else this.pump();
  }

  error(seq: unknown, error: TroupeError, afterMs: number): void {
    if (this.#flight === undefined || seq !== this.#flight.seq || !this.#hooks.open()) return;
    if (error.code === 'not-open') {
      this.#hooks.resync(afterMs);
    } else if (error.retryable || OPEN_SUBMIT_CODES.some((code) => code === error.code)) {
      this.#leftOpen(this.#flight, error, afterMs);
    } else if (error.code === 'internal') {
      // This answer does not settle a submit: a new subscription tells whether it was committed.
      this.#hooks.resync(afterMs);
    } else {
      this.#refuse(error, 'not-committed');
    }
  }

  /** The same seq goes out again later, with the patch as it is then. */
  #leftOpen(flight: Flight, error: TroupeError, afterMs: number): void {
    flight.awaiting = false;
    flight.leftOpen = true;
    const version = this.#hooks.version();
    if (error.code === 'version-too-old' && this.#replica.versioned) {
      // No newer version has come since the last time: the session must ask for the version to build on.
      const stuck = flight.tooOldAt === version;
      flight.tooOldAt = version;
      if (stuck) {
        this.#hooks.resync(afterMs);
        return;
      }
    }
    if (error.code === 'unavailable' && !flight.told) {
      flight.told = true;
      this.#hooks.error(error);
    }
    this.#pumpIn(this.#backoff.next(afterMs));
  }

  /** Sends the next submit, if one may be sent. */
  pump(): void {
    if (!this.#hooks.open() || this.#flight?.awaiting === true) return;
    if (this.#timer !== undefined) return;
    const op = this.#flight === undefined && !this.#replica.pending ? undefined : this.#replica.fly();
    if (op === undefined) return;
    this.#flight ??= newFlight();
    const flight = this.#flight;
    if (flight.seq === 0) flight.seq = this.#host.nextSeq(this.#knownSeq);
    const submit: Submit = this.#replica.versioned
      ? { type: 'submit', doc: this.#doc, seq: flight.seq, base: this.#hooks.version(), op }
      : { type: 'submit', doc: this.#doc, seq: flight.seq, op };
    flight.bytes = this.#host.measure(submit);
    const limits = this.#host.limits();
    const opBytes = patchBytes(this.#host, submit);
    if (flight.suspect || flight.bytes > limits.frameBytes || opBytes > limits.opBytes) {
      const text = `an edit of ${opBytes} bytes is above what the server takes`;
      this.#refuse(
        new TroupeError('too-large', text),
        flight.everSent && !flight.suspect ? 'unknown' : 'not-committed',
      );
      return;
    }
    const wait = this.#host.takeSubmit();
    if (wait > 0) {
      this.#pumpIn(wait);
      return;
    }
    if (this.#host.send(submit) !== 'sent') return;
    flight.everSent = true;
    flight.awaiting = true;
    flight.leftOpen = false;
    this.#pumpIn(ANSWER_MS);
  }

  #pumpIn(delayMs: number): void {
    this.#clearTimer();
    this.#timer = this.#host.platform.setTimer(() => {
      this.#timer = undefined;
      if (this.#flight !== undefined) this.#flight.awaiting = false;
      this.pump();
      this.#hooks.refresh();
    }, delayMs);
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#host.platform.clearTimer(this.#timer);
    this.#timer = undefined;
  }
}

/** Bytes of a submit's patch as encoded in the subprotocol in use; never an underestimate. */
export function patchBytes(host: Pick<SessionHost, 'measure'>, submit: Submit): number {
  if (submit.op instanceof Uint8Array) return submit.op.length;
  return host.measure(submit) - host.measure({ ...submit, op: null }) + 'null'.length;
}

const newFlight = (): Flight => ({
  seq: 0,
  everSent: false,
  awaiting: false,
  bytes: 0,
  suspect: false,
  renumbered: false,
  leftOpen: false,
  tooOldAt: undefined,
  told: false,
});
