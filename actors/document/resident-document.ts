// A document in memory. It passes each subscriber's messages, in their order, to the part that answers them, and news
// of durable patches to the gate, to the memory limits and to snapshots. Calls go one way: this file calls the parts, and
// the parts call `Document`, the gate, the audience and the effects. Only `Waits` calls back, with messages that have
// waited.

import { BEHIND_OPEN } from '../link/left-open.ts';
import { CALL, CLOSE, OPEN, PRESENCE, PULL, STATELESS, SUBMIT, type ToOwner } from '../link/link-messages.ts';
import { Calls } from './calls/calls.ts';
import { CatchingUp } from './catching-up/catching-up.ts';
import type { Document } from './document.ts';
import type { ActorLimits, DocumentEffects, LoadedFromStore } from './effects.ts';
import { Gate } from './gate.ts';
import { Snapshots } from './snapshots/snapshots.ts';
import { SubmitAnswers } from './submits/submit-answers.ts';
import { Submitting } from './submits/submitting.ts';
import type { Audience } from './subscribers/audience.ts';
import { type Subscriber, WAITING_MESSAGES } from './subscribers/subscribers.ts';
import { Waits } from './waits.ts';

/** A document keeps this many windows' worth of patches while a fetch needs them to stay. */
const PINNED_WINDOWS = 4;

export class ResidentDocument {
  readonly document: Document;
  readonly #limits: ActorLimits;
  readonly #gate: Gate;
  readonly #audience: Audience;
  readonly #effects: DocumentEffects;
  readonly #waits: Waits;
  readonly #snapshots: Snapshots;
  readonly #submitting: Submitting;
  readonly #catchingUp: CatchingUp;
  readonly #calls: Calls;

  constructor(
    { document, loaded, creation }: LoadedFromStore,
    audience: Audience,
    effects: DocumentEffects,
    limits: ActorLimits,
  ) {
    this.document = document;
    this.#audience = audience;
    this.#effects = effects;
    this.#limits = limits;
    const gate = new Gate(document.durable);
    const waits = new Waits(document, effects, (subscriber, message) => this.#take(subscriber, message));
    const answers = new SubmitAnswers(document, gate, audience, waits);
    const snapshots = new Snapshots(effects, limits, loaded);
    const parts = { document, gate, audience, effects, limits, snapshots, waits, answers };
    this.#gate = gate;
    this.#waits = waits;
    this.#snapshots = snapshots;
    const submitting = new Submitting(parts);
    const catchingUp = new CatchingUp(parts);
    this.#submitting = submitting;
    this.#catchingUp = catchingUp;
    this.#calls = new Calls({ ...parts, submitting, catchingUp, creation });
  }

  get isQuiet(): boolean {
    return this.#gate.isEmpty && !this.#snapshots.isFolding && this.#waits.isEmpty;
  }

  /** The document leaves memory. Answers that arrive later are ignored. */
  end(): void {
    this.#waits.end();
  }

  /** `isReadAfter`: the document was read from the store after the message came. */
  process(link: number, message: ToOwner, isReadAfter = false): void {
    if (message[0] === CALL) {
      const [, callId, , call, op] = message;
      // Every other call has been taken by the actor.
      if (call.type !== 'remove' && call.type !== 'bringBack') this.#calls.take(link, callId, call, op);
      return;
    }
    const { subscribers } = this.#audience;
    // A socket that opens the document again waits behind its own earlier messages.
    const number = message[0] === OPEN ? message[3].replaces : message[2];
    const subscriber = number === undefined ? undefined : subscribers.find(link, number);
    if (message[0] === OPEN && subscriber?.waiting === undefined) {
      this.#catchingUp.open(link, message[1], message[2], message[3], isReadAfter);
      return;
    }
    if (subscriber === undefined) {
      if (message[0] === SUBMIT)
        this.#audience.turnAway(link, message, 'not-open', 'this document is not open');
      return;
    }
    if (message[0] === CLOSE) {
      this.#audience.leave(subscriber);
      return;
    }
    if (subscriber.waiting === undefined) this.#take(subscriber, message);
    else if (subscriber.waiting.length < WAITING_MESSAGES) subscriber.waiting.push(message);
    else this.#audience.turnAway(link, message, 'overloaded', 'too many messages of this client wait');
  }

  durableTo(version: number): void {
    const { document } = this;
    document.durableTo(version);
    this.#release();
    this.#trim();
    document.forgetClients(this.#audience.isOpenFor);
    this.#snapshots.foldWhenDue(document);
  }

  /**
   * Fetches under way need the window to stay, but only up to PINNED_WINDOWS: some fetch may be under way
   * at any time.
   */
  #trim(): void {
    const { document } = this;
    const waits = this.#waits;
    const { residentOps, residentBytes } = this.#limits;
    const most = waits.needsWindow ? PINNED_WINDOWS : 2;
    const patches = document.durable - document.windowStart;
    if (patches > most * residentOps || document.windowBytes > most * residentBytes)
      document.trim(residentOps, residentBytes);
  }

  /**
   * Hundreds of subscribers may wait for one version, with a snapshot each, so other documents get turns
   * between them.
   */
  #release(): void {
    const { document } = this;
    const waits = this.#waits;
    const audience = this.#audience;
    const effects = this.#effects;
    const gate = this.#gate;
    const isDone = gate.release(
      document.durable,
      (run) => audience.broadcast(document.kind, document.history, run),
      () => effects.mustYield,
    );
    if (!isDone)
      effects.later(() => {
        if (!waits.areOver) this.#release();
      });
  }

  /** Returns true if a snapshot is being made. */
  foldWhenIdle(): boolean {
    this.#snapshots.foldWhenIdle(this.document);
    return this.#snapshots.isFolding;
  }

  /** True if a lower seq was left open. The submit of this seq has been left open then, too. */
  #isBehindOpen(subscriber: Subscriber, seq: number): boolean {
    const behind = subscriber.leftOpen?.arrives(seq);
    if (behind !== undefined) this.#audience.refuse(subscriber, seq, behind, BEHIND_OPEN);
    return behind !== undefined;
  }

  #take(subscriber: Subscriber, message: ToOwner): void {
    switch (message[0]) {
      case SUBMIT: {
        const [, , , seq, base, op] = message;
        const { client, user } = subscriber;
        // The document has left memory since the socket opened it. The store is asked before anything else, because it
        // alone may know that the open seqs have committed.
        if (this.document.needsRecall(client)) {
          this.#waits.recall(subscriber, (known) => {
            if (known) this.#take(subscriber, message);
            else if (!this.#isBehindOpen(subscriber, seq))
              this.#audience.refuse(subscriber, seq, 'unavailable', 'the store is out of reach');
          });
          return;
        }
        subscriber.leftOpen?.forget((open) => this.document.isDecided(client, open));
        if (this.#isBehindOpen(subscriber, seq)) return;
        this.#submitting.submit(subscriber, { client, user, seq, base, op }, []);
        return;
      }
      case PRESENCE:
        this.#audience.takePresence(subscriber, message[3]);
        return;
      case STATELESS:
        this.#audience.passOn(subscriber, message[3]);
        return;
      case PULL:
        // The pull belongs to a subscription that has been opened again since. The new one pulls for
        // itself.
        if (message[2] === subscriber.subscriptionId) this.#catchingUp.bringOn(subscriber);
        return;
      case OPEN:
        this.#catchingUp.open(subscriber.link.link, message[1], message[2], message[3]);
        return;
      case CLOSE:
      case CALL:
        return;
      default:
        throw new Error(`unknown message ${String(message satisfies never)}`);
    }
  }
}
