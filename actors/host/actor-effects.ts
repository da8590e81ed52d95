// Carries out the effects of actors (see `DocumentEffects`), each by the part of the worker that can. Every answer of
// the store comes back in a turn of the document that asked.
import type { Fit } from '../../kinds/kind.ts';
import type { Clock } from '../clock.ts';
import type { CommitListener, Committer } from '../commit/committer.ts';
import type { Folded } from '../compute/fold.ts';
import type { Arrived, DocumentActor } from '../document/actor.ts';
import type {
  Change,
  ChangeResult,
  ClientSeqsAnswer,
  DocumentEffects,
  HistoryAnswer,
  LoadResult,
  MadeSnapshot,
  Rooms,
} from '../document/effects.ts';
import type { Entry } from '../document/entry.ts';
import type { LinkOptions } from '../link/link.ts';
import type { ToGateway } from '../link/link-messages.ts';
import type { StillLive } from '../liveness/still-live.ts';
import type { LoadQueue } from '../loading/load-queue.ts';
import type { Reservations } from '../loading/reservations.ts';
import type { SeqSearches } from '../loading/seq-search.ts';
import { METRICS } from '../metrics/metrics.ts';
import type { ThreadCounts } from '../metrics/thread-counts.ts';
import type { OwnedShards } from '../owned-shards.ts';
import { SELF_TEST_DOCUMENT } from '../self-test.ts';
import { shardOf } from '../shard.ts';
import { type Creation, type Existence, StoreUnavailable, type WorkerStore } from '../storage/store.ts';
import { type MailboxLimits, WaitingRoom } from '../turns/mailbox.ts';
import type { DocumentWork } from './document-work.ts';
import type { GatewayLinks } from './gateway-links.ts';
import type { PresenceTicks } from './presence-ticks.ts';
import type { SideJobs } from './side-jobs.ts';

export interface ActorEffectsParts {
  readonly store: Pick<WorkerStore, 'history' | 'clientSeqs' | 'remove' | 'bringBack'>;
  readonly links: GatewayLinks;
  readonly committer: Committer;
  readonly shards: OwnedShards;
  readonly work: DocumentWork;
  readonly loads: LoadQueue;
  readonly history: Reservations<DocumentActor>;
  readonly seqs: SeqSearches;
  readonly live: StillLive<DocumentActor>;
  readonly sideJobs: SideJobs;
  readonly presence: PresenceTicks<DocumentActor>;
  readonly clock: Pick<Clock, 'now'>;
  readonly counts: ThreadCounts;
  readonly log: (level: 'error', message: string, fields: object) => void;
  readonly rooms: Rooms;
}

export interface WaitingLimits {
  readonly link: LinkOptions;
  /** Messages that wait for documents that are being loaded, for all documents together. */
  readonly loadsWaiting: MailboxLimits;
}

/**
 * Messages that wait for a turn take at most this share of a link's window, so that other documents' messages get
 * through.
 */
const POSTPONED_SHARE = 1 / 2;

/** Returns a function that makes the effects of an actor. */
export function actorEffects(parts: ActorEffectsParts): (actor: DocumentActor) => DocumentEffects {
  return (actor) => new ActorEffects(parts, actor);
}

/** The rooms of a worker in which messages of all its documents wait. */
export function waitingRooms({ link, loadsWaiting }: WaitingLimits): Rooms {
  const { windowMessages, windowBytes } = link;
  return {
    loads: new WaitingRoom(loadsWaiting),
    turns: new WaitingRoom({
      messages: windowMessages * POSTPONED_SHARE,
      bytes: windowBytes * POSTPONED_SHARE,
    }),
  };
}

class ActorEffects implements DocumentEffects {
  readonly #parts: ActorEffectsParts;
  readonly #actor: DocumentActor;
  readonly rooms: Rooms;

  constructor(parts: ActorEffectsParts, actor: DocumentActor) {
    this.#parts = parts;
    this.#actor = actor;
    this.rooms = parts.rooms;
  }

  send(link: number, message: ToGateway): void {
    this.#parts.links.send(link, message);
  }

  get full(): boolean {
    const { committer, live } = this.#parts;
    return committer.full || live.full;
  }

  append({ version, client, seq }: Entry, user: string, op: Uint8Array): void {
    const { shards, committer } = this.#parts;
    const actor = this.#actor;
    const epoch = shards.epochOf(actor.name);
    if (epoch === undefined) throw new Error('a patch for a document that is not owned');
    actor.listener ??= this.#listener();
    committer.enqueue(actor.listener, { doc: this.#id, version, epoch, client, seq, user, op });
  }

  load(create: Creation | undefined, done: (result: LoadResult) => void): void {
    const { loads, work, clock, counts } = this.#parts;
    const actor = this.#actor;
    const since = clock.now();
    const told = (result: LoadResult): void => {
      if (actor.name !== SELF_TEST_DOCUMENT) {
        counts.countAs(METRICS.loads, result.type);
        if (result.type !== 'failed') counts.observe(METRICS.loadSeconds, (clock.now() - since) / 1_000);
      }
      work.answered(actor, () => done(result));
    };
    loads.add({ actor, create, done: told });
  }

  change(change: Change, done: (result: ChangeResult) => void): void {
    const { store, committer } = this.#parts;
    const { name } = this.#actor;
    const slash = name.indexOf('/');
    const of = [name.slice(0, slash), name.slice(slash + 1), shardOf(name)] as const;
    const { type, mark, user } = change;
    const made: Promise<Existence> =
      type === 'remove'
        ? store.remove(...of, mark, user)
        : store.bringBack(...of, mark, change.trashMs, user);
    this.#whenAnswered(made, (result) => {
      if (result?.type === 'changed') committer.forget(result.id);
      if (result === undefined || result.type === 'fenced') done({ type: 'failed' });
      else done(result);
    });
  }

  history(after: number, upTo: number, maxBytes: number, done: (deltas: HistoryAnswer) => void): void {
    this.#whenAnswered(this.#parts.store.history(this.#id, after, upTo, maxBytes), done);
  }

  reserve(bytes: number, then: (release: () => void) => void): boolean {
    return this.#parts.history.ask(this.#actor, bytes, then);
  }

  clientSeqs(client: string, upTo: number, done: (found: ClientSeqsAnswer) => void): void {
    const found = this.#parts.store.clientSeqs(this.#id, client, upTo);
    this.#whenAnswered(
      found.then((seqs) => seqs ?? { lastSeq: 0, pairs: [], user: '' }),
      done,
    );
  }

  seqVersion(client: string, seq: number, done: (version: number | undefined) => void): void {
    const found = this.#parts.seqs.find(this.#id, client, seq);
    this.#whenAnswered(
      found.then((version) => version ?? 0),
      done,
    );
  }

  whenLive(then: () => void, outOfReach?: () => void): void {
    const { live, work } = this.#parts;
    const actor = this.#actor;
    live.ask(actor, () => work.answered(actor, then), outOfReach && (() => work.answered(actor, outOfReach)));
  }

  fold(version: number, made: MadeSnapshot | undefined, done: (folded: Folded | undefined) => void): void {
    this.#parts.sideJobs.fold(this.#actor, version, made, done);
  }

  fitAt(base: number, op: Uint8Array, done: (fit: Fit | undefined) => void): void {
    this.#parts.sideJobs.fitAt(this.#actor, base, op, done);
  }

  merge(updates: readonly Uint8Array[], done: (merged: Uint8Array | undefined) => void): void {
    this.#parts.sideJobs.merge(this.#actor, updates, done);
  }

  diff(
    update: Uint8Array,
    vectors: readonly Uint8Array[],
    done: (parts: readonly Uint8Array[] | undefined) => void,
  ): void {
    this.#parts.sideJobs.diff(this.#actor, update, vectors, done);
  }

  pack(json: Uint8Array, done: (packed: Uint8Array | undefined) => void): void {
    this.#parts.sideJobs.pack(this.#actor, json, done);
  }

  share(link: number, bytes: Uint8Array, then: () => void): boolean {
    const { links, work } = this.#parts;
    return links.snapshotsOf(link)?.send(bytes, () => work.answered(this.#actor, then)) === true;
  }

  sharedNumber(link: number, bytes: Uint8Array): number | undefined {
    return this.#parts.links.snapshotsOf(link)?.numberOf(bytes);
  }

  presenceChanged(): void {
    this.#parts.presence.add(this.#actor);
  }

  get mustYield(): boolean {
    return this.#parts.work.mustYield;
  }

  later(act: () => void): void {
    this.#parts.work.later(this.#actor, act);
  }

  next(act: () => void): void {
    this.#parts.work.next(this.#actor, act);
  }

  postponed({ link, message }: Arrived): void {
    const { links, work } = this.#parts;
    links.postpone(link, message);
    work.wantTurn(this.#actor);
  }

  settled({ link, message }: Arrived): void {
    this.#parts.links.settle(link, message);
  }

  wantTurn(): void {
    this.#parts.work.wantTurn(this.#actor);
  }

  get #id(): number {
    return this.#actor.id ?? 0;
  }

  /** Passes the committer's reports to the actor. A dropped actor is never woken. */
  #listener(): CommitListener {
    const { work } = this.#parts;
    const actor = this.#actor;
    return {
      durableTo: (version) => {
        work.begin();
        work.doNow(actor, () => actor.durableTo(version));
      },
      refusedByStore: (rows) => work.startOver(actor, () => actor.refusedByStore(rows)),
    };
  }

  /** Passes an answer of the store to `done`. Undefined: the store is out of reach. */
  #whenAnswered<T>(answer: Promise<T>, done: (value: T | undefined) => void): void {
    const { work, log } = this.#parts;
    const actor = this.#actor;
    answer.then(
      (value) => work.answered(actor, () => done(value)),
      (error: unknown) => {
        if (!(error instanceof StoreUnavailable))
          log('error', 'a read failed', { doc: actor.name, error: String(error) });
        work.answered(actor, () => done(undefined));
      },
    );
  }
}
