// One stay of a document in memory: what its parts share from the load until it is unloaded. It owns the
// fetches under way for subscribers, whose later messages wait meanwhile, and what waits for the word that the
// session lives; answers to a stay that is over count for nothing.
import type { FinalSubmitCode } from '../../protocol/errors.ts';
import type { ToOwner } from '../link-messages.ts';
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
  /** Fetches under way that need the window to stay where it is. */
  private pins = 0;
  /** Answers that wait for the word that the session lives. */
  private finals = 0;
  private over = false;
  private readonly take: (subscriber: Subscriber, message: ToOwner) => void;

  /** `take`: a message that has waited long enough. */
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

  /** Something of it waits for the store. */
  get isWaiting(): boolean {
    return this.pins > 0 || this.finals > 0;
  }

  end(): void {
    this.over = true;
  }

  /**
   * Runs `step` when the store has answered; the subscriber's later messages wait meanwhile. `needs`: whether the window
   * of patches must stay where it is until then, or only the document in memory.
   */
  await(
    subscriber: Subscriber,
    ask: (answered: (step: () => void) => void) => void,
    needs: 'pins' | 'finals' = 'pins',
  ): void {
    // Not kept here: where the subscriber leaves before the answer, what waited for it goes at once.
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

  /** Work that is long, each piece in a turn of its own. Nothing else of this document is done before it has ended. */
  inPieces<Result>(pieces: Pieces<Result>, done: (result: Result) => void): void {
    if (this.over) return;
    const next = pieces.next();
    if (next.done === true) done(next.value);
    else this.hand.next(() => this.inPieces(pieces, done));
  }

  /** Messages that have waited for an answer, in their order; between them others have their turns. */
  private takeWaiting(subscriber: Subscriber, waiting: ToOwner[]): void {
    while (waiting.length > 0 && subscriber.waiting === undefined && !subscriber.gone) {
      if (this.hand.mustYield) {
        // What comes meanwhile waits behind them.
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
    // Asked again: what is left goes on waiting, in its order.
    const again = subscriber.waiting;
    if (again !== undefined && again !== waiting) again.push(...waiting);
  }

  /**
   * A submit that will never commit. Final, so it waits for two things: that what it saw is durable, and that the
   * database has seen this session live since. A session that is fenced and does not know it would turn down a
   * patch that has reached the log through its successor.
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

  /** Brings what the store knows of this client's seqs to memory: without it a patch sent again would be taken for new. */
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
