// Serves a document in memory. It passes each subscriber's messages, in their order, to the part that
// answers them, and passes news of durable patches to the gate, to the memory limits and to snapshots.

import { BEHIND_OPEN } from '../link/left-open.ts';
import { CLOSE, OPEN, PRESENCE, PULL, SUBMIT, type ToOwner } from '../link/link-messages.ts';
import type { LoadedDocument } from '../storage/store.ts';
import type { Audience } from './audience.ts';
import { CatchingUp } from './catching-up.ts';
import type { Document } from './document.ts';
import type { ActorLimits, Hand } from './effects.ts';
import { Snapshots } from './snapshots.ts';
import { Stay } from './stay.ts';
import { Submitting } from './submitting.ts';
import { type Subscriber, WAITING_MESSAGES } from './subscribers.ts';

/** A document keeps this many windows' worth of patches while a fetch needs them to stay. */
const PINNED_WINDOWS = 4;

export class Serving {
  readonly document: Document;
  private readonly stay: Stay;
  private readonly audience: Audience;
  private readonly snapshots: Snapshots;
  private readonly submitting: Submitting;
  private readonly catchingUp: CatchingUp;

  constructor(
    document: Document,
    loaded: LoadedDocument,
    audience: Audience,
    hand: Hand,
    limits: ActorLimits,
  ) {
    this.document = document;
    this.audience = audience;
    this.stay = new Stay(document, audience, hand, limits, (subscriber, message) =>
      this.take(subscriber, message),
    );
    this.snapshots = new Snapshots(hand, limits, loaded);
    this.submitting = new Submitting(this.stay, this.snapshots);
    this.catchingUp = new CatchingUp(this.stay, this.submitting);
  }

  get isQuiet(): boolean {
    return this.stay.gate.isEmpty && !this.snapshots.isFolding && !this.stay.isWaiting;
  }

  /** Ends the stay. Answers that arrive later are ignored. */
  end(): void {
    this.stay.end();
  }

  process(link: number, message: ToOwner): void {
    const { subscribers } = this.audience;
    // A socket that opens the document again waits behind its own earlier messages.
    const number = message[0] === OPEN ? message[3].replaces : message[2];
    const subscriber = number === undefined ? undefined : subscribers.find(link, number);
    if (message[0] === OPEN && subscriber?.waiting === undefined) {
      this.catchingUp.open(link, message[1], message[2], message[3]);
      return;
    }
    if (subscriber === undefined) {
      if (message[0] === SUBMIT)
        this.audience.turnAway(link, message, 'not-open', 'this document is not open');
      return;
    }
    if (message[0] === CLOSE) {
      this.audience.leave(subscriber);
      return;
    }
    if (subscriber.waiting === undefined) this.take(subscriber, message);
    else if (subscriber.waiting.length < WAITING_MESSAGES) subscriber.waiting.push(message);
    else this.audience.turnAway(link, message, 'overloaded', 'too many messages of this client wait');
  }

  durableTo(version: number): void {
    const { document } = this;
    document.durableTo(version);
    this.release();
    this.trim();
    document.forgetClients(this.audience.isOpenFor);
    this.snapshots.foldWhenDue(document);
  }

  /**
   * Fetches under way need the window to stay, but only up to PINNED_WINDOWS: some fetch may be under way
   * at any time.
   */
  private trim(): void {
    const { document, stay } = this;
    const { residentOps, residentBytes } = stay.limits;
    const most = stay.isPinned ? PINNED_WINDOWS : 2;
    const patches = document.durable - document.windowStart;
    if (patches > most * residentOps || document.windowBytes > most * residentBytes)
      document.trim(residentOps, residentBytes);
  }

  /**
   * Hundreds of subscribers may wait for one version, with a snapshot each, so other documents get turns
   * between them.
   */
  private release(): void {
    const { document, stay, audience } = this;
    const { hand, gate } = stay;
    const isDone = gate.release(
      document.durable,
      (run) => audience.broadcast(document.kind, run),
      () => hand.mustYield,
    );
    if (!isDone)
      hand.later(() => {
        if (!stay.isOver) this.release();
      });
  }

  /** Returns true if a snapshot is being made. */
  foldWhenIdle(): boolean {
    this.snapshots.foldWhenIdle(this.document);
    return this.snapshots.isFolding;
  }

  private take(subscriber: Subscriber, message: ToOwner): void {
    switch (message[0]) {
      case SUBMIT: {
        const [, , , seq, base, op] = message;
        const { client, user } = subscriber;
        const behind = subscriber.leftOpen?.arrives(seq);
        if (behind !== undefined) {
          this.audience.refuse(subscriber, seq, behind, BEHIND_OPEN);
          return;
        }
        // The document has left memory since the socket opened it.
        if (this.document.needsRecall(client)) {
          this.stay.recall(subscriber, (known) => {
            if (known) this.take(subscriber, message);
            else this.audience.refuse(subscriber, seq, 'unavailable', 'the store is out of reach');
          });
          return;
        }
        this.submitting.submit(subscriber, { client, user, seq, base, op }, []);
        return;
      }
      case PRESENCE:
        this.audience.setPresence(subscriber.client, message[3]);
        return;
      case PULL:
        // The pull belongs to a subscription that has been opened again since. The new one pulls for
        // itself.
        if (message[2] === subscriber.sub) this.catchingUp.bringOn(subscriber);
        return;
      case OPEN:
        this.catchingUp.open(subscriber.link.link, message[1], message[2], message[3]);
        return;
      case CLOSE:
        return;
      default:
        throw new Error(`unknown message ${String(message satisfies never)}`);
    }
  }
}
