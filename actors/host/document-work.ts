// Runs the work of documents in their turns. An exception in the work of one document ends only that
// document's actor, and counts as a failure of the document. Work of a document whose shard is leaving is
// not begun.
import type { Clock } from '../clock.ts';
import type { DocumentActor } from '../document/actor.ts';
import { CALL, SUBMIT, type ToOwner } from '../link/link-messages.ts';
import type { Progress } from '../liveness/progress.ts';
import type { StillLive } from '../liveness/still-live.ts';
import type { OwnedShards } from '../owned-shards.ts';
import type { CountedFailure } from '../quarantine.ts';
import { Turns } from '../turns/turns.ts';
import type { GatewayLinks } from './gateway-links.ts';
import { answerRefused } from './refusals.ts';
import type { Residents } from './residents.ts';

export interface DocumentWorkOptions {
  readonly residents: Residents;
  readonly links: GatewayLinks;
  readonly shards: Pick<OwnedShards, 'someLeave' | 'isLeaving'>;
  readonly live: Pick<StillLive<DocumentActor>, 'ask'>;
  /** Its appends that wait are dropped when a document starts over. */
  readonly committer: { forget(doc: number): void };
  /** Counts a failure of a document. */
  readonly countFailure: (doc: string) => CountedFailure;
  readonly progress: Progress;
  readonly clock: Clock;
  readonly spentMs: () => number;
  /** As in `HostOptions`. */
  readonly confirmed: () => boolean;
  readonly log: (level: 'error', message: string, fields: object) => void;
}

export class DocumentWork {
  readonly #options: DocumentWorkOptions;
  readonly #turns: Turns<DocumentActor>;
  #ended = false;

  constructor(options: DocumentWorkOptions) {
    this.#options = options;
    this.#turns = new Turns({
      clock: options.clock,
      spentMs: options.spentMs,
      take: (actor) => this.#takeTurn(actor),
      onPause: () => options.progress.clear(),
    });
  }

  /** No document gets a turn any more: the session is over. */
  end(): void {
    this.#ended = true;
  }

  dispose(): void {
    this.#turns.dispose();
  }

  /** True if other documents wait for their turns. */
  get isBusy(): boolean {
    return this.#turns.isBusy;
  }

  get mustYield(): boolean {
    return this.#turns.mustYield;
  }

  /** Call it before a piece of work that is done outside the turns. */
  begin(): void {
    this.#turns.begin();
  }

  /** Does a piece of work after `begin`, and charges its time to the document. */
  doNow(actor: DocumentActor, act: () => void): void {
    this.#guard(actor, act);
    this.#turns.charge(actor);
  }

  /** Handles an answer of the store for one document in its turn. A failure counts as this document's. */
  answered(actor: DocumentActor, act: () => void): void {
    if (this.#turns.isBusy || actor.canGoOn) {
      this.later(actor, act);
      return;
    }
    // The document starts over elsewhere: a patch that committed here now would come after the hand-off.
    if (this.#leaves(actor)) return;
    this.#turns.begin();
    this.#guard(actor, act);
    this.#options.links.releaseChannels(actor);
    this.#turns.charge(actor);
    this.#options.progress.clear();
  }

  /** Does a piece of work in a turn of the document. */
  later(actor: DocumentActor, act: () => void): void {
    actor.later(act);
    this.#turns.wait(actor);
  }

  /** As `later`, before everything else of the document that waits. */
  next(actor: DocumentActor, act: () => void): void {
    actor.next(act);
    this.#turns.wait(actor);
  }

  /** The document has something to do. */
  wantTurn(actor: DocumentActor): void {
    this.#turns.wait(actor);
  }

  /**
   * Starts a document over that has failed at a submit for good. Only an owner may give the final answer,
   * so the document stands still until the session is known to live. Then `last` gives the answer and
   * resets the document.
   */
  startOver(actor: DocumentActor, last: () => void): void {
    const { residents, committer, live } = this.#options;
    if (!residents.isCurrent(actor)) return;
    if (actor.id !== undefined) committer.forget(actor.id);
    actor.halt();
    live.ask(actor, () =>
      this.answered(actor, () => {
        last();
        residents.forget(actor);
      }),
    );
  }

  #leaves(actor: DocumentActor): boolean {
    const { shards } = this.#options;
    return shards.someLeave && shards.isLeaving(actor.name);
  }

  /** Gives the document its turn. False if no more of its work is ready. */
  #takeTurn(actor: DocumentActor): boolean {
    const { residents, links, confirmed } = this.#options;
    if (this.#ended) return false;
    if (!confirmed()) {
      residents.moveAway(residents.all());
      return false;
    }
    if (this.#leaves(actor)) return false;
    let more = false;
    this.#guard(actor, () => {
      more = actor.takeTurn();
    });
    links.releaseChannels(actor);
    return more;
  }

  #guard(actor: DocumentActor, act: () => void): void {
    this.#options.progress.enter(actor.name);
    try {
      act();
      actor.settle();
    } catch (error) {
      this.#failed(actor, error);
    }
  }

  #failed(actor: DocumentActor, error: unknown): void {
    const { residents, countFailure, log } = this.#options;
    const at = actor.handling;
    actor.handling = undefined;
    log('error', 'a document failed', {
      doc: actor.name,
      ...countFailure(actor.name),
      error: String(error),
      stack: error instanceof Error ? error.stack : undefined,
    });
    const told = (): void => {
      if (at !== undefined) this.#refuse(at);
      actor.reset();
    };
    if (at?.message[0] === SUBMIT || at?.message[0] === CALL) this.startOver(actor, told);
    else {
      told();
      residents.forget(actor);
    }
  }

  #refuse({ link, message }: { readonly link: number; readonly message: ToOwner }): void {
    const answer = answerRefused(message, 'bad-op', 'the document cannot take this patch');
    if (answer !== undefined) this.#options.links.send(link, answer);
  }
}
