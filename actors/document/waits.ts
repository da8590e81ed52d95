// The waits of the subscribers of a document in memory: for answers of the store, and for work that is done in pieces.
// Later messages of a subscriber wait with it, and are handled in their order afterwards. Answers that come after the
// document has left memory are ignored. This class knows no message.
import assert from 'node:assert/strict';
import type { ToOwner } from '../link/link-messages.ts';
import type { Document } from './document.ts';
import type { DocumentEffects } from './effects.ts';
import type { Pieces } from './entry.ts';
import type { Subscriber } from './subscribers/subscribers.ts';

export class Waits {
  readonly #document: Document;
  readonly #effects: DocumentEffects;
  /** Number of waits that need the window of patches to stay. */
  #needWindow = 0;
  /** Number of waits that need the document to stay in memory, and nothing else. */
  #needDocument = 0;
  #ended = false;
  readonly #handle: (subscriber: Subscriber, message: ToOwner) => void;

  /** `handle` handles a message that has waited long enough. */
  constructor(
    document: Document,
    effects: DocumentEffects,
    handle: (subscriber: Subscriber, message: ToOwner) => void,
  ) {
    this.#document = document;
    this.#effects = effects;
    this.#handle = handle;
  }

  /** The document has left memory. */
  get areOver(): boolean {
    return this.#ended;
  }

  get needsWindow(): boolean {
    return this.#needWindow > 0;
  }

  get isEmpty(): boolean {
    return this.#needWindow === 0 && this.#needDocument === 0;
  }

  end(): void {
    this.#ended = true;
  }

  /**
   * Runs `step` when the answer has come. The subscriber's later messages wait meanwhile. `needs` tells whether the
   * window of patches must stay until then, or only the document in memory.
   */
  await(
    subscriber: Subscriber,
    ask: (answered: (step: () => void) => void) => void,
    needs: 'window' | 'document' = 'window',
  ): void {
    // The waiting messages are kept with the subscriber, so they are dropped at once if it leaves before
    // the answer.
    subscriber.waiting ??= [];
    const settled = this.#needing(needs);
    ask((step) => {
      if (this.#ended) return;
      settled();
      if (subscriber.gone) return;
      const waiting = subscriber.waiting ?? [];
      subscriber.waiting = undefined;
      step();
      this.#handleWaiting(subscriber, waiting);
    });
  }

  /** Runs `then` when the session is known to live. The document stays in memory until then. */
  untilLive(then: () => void): void {
    const settled = this.#needing('document');
    this.#effects.whenLive(() => {
      if (this.#ended) return;
      settled();
      then();
    });
  }

  /**
   * Does long work, each piece in a turn of its own. Nothing else of this document is done before the work
   * has ended.
   */
  inPieces<Result>(pieces: Pieces<Result>, done: (result: Result) => void): void {
    if (this.#ended) return;
    const next = pieces.next();
    if (next.done === true) done(next.value);
    else this.#effects.next(() => this.inPieces(pieces, done));
  }

  /**
   * Loads the client's seqs from the store. Without them a patch that is sent again would be taken for a
   * new one.
   */
  recall(subscriber: Subscriber, then: (known: boolean) => void): void {
    const document = this.#document;
    this.await(subscriber, (answered) =>
      this.#effects.clientSeqs(subscriber.client, document.durable, (found) =>
        answered(() => {
          if (found !== undefined) document.memory(subscriber.client).recall(found);
          then(found !== undefined);
        }),
      ),
    );
  }

  /** Counts a wait. The returned function ends it. */
  #needing(needs: 'window' | 'document'): () => void {
    if (needs === 'window') this.#needWindow++;
    else this.#needDocument++;
    return () => {
      if (needs === 'window') this.#needWindow--;
      else this.#needDocument--;
      assert(this.#needWindow >= 0 && this.#needDocument >= 0, 'a wait has ended twice');
    };
  }

  /** Handles messages that have waited, in their order. Other documents get turns between them. */
  #handleWaiting(subscriber: Subscriber, waiting: ToOwner[]): void {
    while (waiting.length > 0 && subscriber.waiting === undefined && !subscriber.gone) {
      if (this.#effects.mustYield) {
        // Messages that come meanwhile wait behind these.
        subscriber.waiting = waiting;
        this.#effects.later(() => {
          if (this.#ended || subscriber.gone) return;
          subscriber.waiting = undefined;
          this.#handleWaiting(subscriber, waiting);
        });
        return;
      }
      const message = waiting.shift();
      if (message !== undefined) this.#handle(subscriber, message);
    }
    // A handled message waits again. The rest goes on waiting, in its order.
    const again = subscriber.waiting;
    if (again !== undefined && again !== waiting) again.push(...waiting);
  }
}
