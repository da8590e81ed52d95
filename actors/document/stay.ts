// One stay of a document in memory: the state that its parts share from the load until the document is
// unloaded. It owns the fetches for subscribers, whose later messages wait meanwhile, and the answers that
// wait for proof that the session lives. Answers to a stay that is over are ignored.
import type { FinalSubmitCode } from '../../protocol/errors.ts';
import type { ToOwner } from '../link/link-messages.ts';
import type { Audience } from './audience.ts';
import type { Document } from './document.ts';
import type { ActorLimits, Hand } from './effects.ts';
import type { Pieces } from './entry.ts';
import { Gate } from './gate.ts';
import type { Subscriber } from './subscribers.ts';

export class Stay {
  readonly document: Document;
  readonly gate: Gate;
  readonly audience: Audience;
  readonly hand: Hand;
  readonly limits: ActorLimits;
  /** Number of fetches under way that need the window to stay. */
  private pins = 0;
  /** Number of answers that wait for proof that the session lives. */
  private finals = 0;
  private over = false;
  private readonly take: (subscriber: Subscriber, message: ToOwner) => void;

  /** `take` handles a message that has waited long enough. */
  constructor(
    document: Document,
    audience: Audience,
    hand: Hand,
    limits: ActorLimits,
    take: (subscriber: Subscriber, message: ToOwner) => void,
  ) {
    this.document = document;
    this.gate = new Gate(document.durable);
    this.audience = audience;
    this.hand = hand;
    this.limits = limits;
    this.take = take;
  }

  get isOver(): boolean {
    return this.over;
  }

  get isPinned(): boolean {
    return this.pins > 0;
  }

  /** True if an answer of the store is awaited. */
  get isWaiting(): boolean {
    return this.pins > 0 || this.finals > 0;
  }

  end(): void {
    this.over = true;
  }

  /**
   * Runs `step` when the store has answered. The subscriber's later messages wait meanwhile. `needs` tells
   * whether the window of patches must stay until then, or only the document in memory.
   */
  await(
    subscriber: Subscriber,
    ask: (answered: (step: () => void) => void) => void,
    needs: 'pins' | 'finals' = 'pins',
  ): void {
    // The waiting messages are kept with the subscriber, so they are dropped at once if it leaves before
    // the answer.
    subscriber.waiting ??= [];
    this[needs]++;
    ask((step) => {
      if (this.over) return;
      this[needs]--;
      if (subscriber.gone) return;
      const waiting = subscriber.waiting ?? [];
      subscriber.waiting = undefined;
      step();
      this.takeWaiting(subscriber, waiting);
    });
  }

  /**
   * Does long work, each piece in a turn of its own. Nothing else of this document is done before the work
   * has ended.
   */
  inPieces<Result>(pieces: Pieces<Result>, done: (result: Result) => void): void {
    if (this.over) return;
    const next = pieces.next();
    if (next.done === true) done(next.value);
    else this.hand.next(() => this.inPieces(pieces, done));
  }

  /**
   * Handles messages that have waited for an answer, in their order. Other documents get turns between
   * them.
   */
  private takeWaiting(subscriber: Subscriber, waiting: ToOwner[]): void {
    while (waiting.length > 0 && subscriber.waiting === undefined && !subscriber.gone) {
      if (this.hand.mustYield) {
        // Messages that come meanwhile wait behind these.
        subscriber.waiting = waiting;
        this.hand.later(() => {
          if (this.over || subscriber.gone) return;
          subscriber.waiting = undefined;
          this.takeWaiting(subscriber, waiting);
        });
        return;
      }
      const message = waiting.shift();
      if (message !== undefined) this.take(subscriber, message);
    }
    // A handled message awaits the store again. The rest goes on waiting, in its order.
    const again = subscriber.waiting;
    if (again !== undefined && again !== waiting) again.push(...waiting);
  }

  /**
   * Answers a submit that will never commit. The answer is final, so it waits for two things: every patch
   * that the submit saw is durable, and the database has seen this session live since. A fenced session
   * that does not know it would otherwise reject a patch that has reached the log through its successor.
   */
  reject(subscriber: Subscriber, seq: number, code: FinalSubmitCode, message: string): void {
    let missing = 2;
    const arrived = (): void => {
      if (--missing === 0) this.audience.refuse(subscriber, seq, code, message);
    };
    this.finals++;
    this.gate.hold(this.document.head, arrived);
    this.hand.whenLive(() => {
      if (this.over) return;
      this.finals--;
      arrived();
    });
  }

  /**
   * Loads the client's seqs from the store. Without them a patch that is sent again would be taken for a
   * new one.
   */
  recall(subscriber: Subscriber, then: (known: boolean) => void): void {
    const { document } = this;
    this.await(subscriber, (answered) =>
      this.hand.clientSeqs(subscriber.client, document.durable, (found) =>
        answered(() => {
          if (found !== undefined) document.memory(subscriber.client).recall(found.pairs, found.lastSeq);
          then(found !== undefined);
        }),
      ),
    );
  }
}
