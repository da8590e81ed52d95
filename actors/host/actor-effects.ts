// The effects that actors ask of their worker (see `Effects`), each carried out by the part of the worker that
// can. Every answer of the store comes back in a turn of the document that asked.
import type { CommitListener, Committer } from '../committer.ts';
import type { ActorEffects, DocumentActor, LoadResult } from '../document/actor.ts';
import type { LinkOptions } from '../link/link.ts';
import type { StillLive } from '../liveness/still-live.ts';
import type { LoadQueue } from '../loading/load-queue.ts';
import type { Reservations } from '../loading/reservations.ts';
import type { SeqSearches } from '../loading/seq-search.ts';
import type { OwnedShards } from '../owned-shards.ts';
import { StoreUnavailable, type WorkerStore } from '../storage/store.ts';
import { type MailboxLimits, WaitingRoom } from '../turns/mailbox.ts';
import type { DocumentWork } from './document-work.ts';
import type { GatewayLinks } from './gateway-links.ts';
import type { PresenceTicks } from './presence-ticks.ts';
import type { SideJobs } from './side-jobs.ts';

export interface ActorEffectsParts {
  readonly store: Pick<WorkerStore, 'history' | 'clientSeqs'>;
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
  readonly log: (level: 'error', message: string, fields: object) => void;
  readonly limits: {
    readonly link: LinkOptions;
    /** Messages that wait for documents that are being loaded, for all documents together. */
    readonly loadsWaiting: MailboxLimits;
  };
}

/**
 * Messages that wait for a turn take at most this share of a link's window, so that other documents'
 * messages get through.
 */
const POSTPONED_SHARE = 1 / 2;

export function actorEffects(parts: ActorEffectsParts): ActorEffects {
  const { store, links, committer, shards, work, loads, history, seqs, live, sideJobs, presence, log } =
    parts;
  const { windowMessages, windowBytes } = parts.limits.link;
  const rooms = {
    loads: new WaitingRoom(parts.limits.loadsWaiting),
    turns: new WaitingRoom({
      messages: windowMessages * POSTPONED_SHARE,
      bytes: windowBytes * POSTPONED_SHARE,
    }),
  };
  const orUndefined = <T>(
    actor: DocumentActor,
    answer: Promise<T>,
    done: (value: T | undefined) => void,
  ): void => {
    answer.then(
      (value) => work.answered(actor, () => done(value)),
      (error: unknown) => {
        if (!(error instanceof StoreUnavailable))
          log('error', 'a read failed', { doc: actor.name, error: String(error) });
        work.answered(actor, () => done(undefined));
      },
    );
  };
  /** Passes the committer's reports to an actor. A dropped actor is never woken. */
  const listenerOf = (actor: DocumentActor): CommitListener => ({
    durableTo: (version) => {
      work.begin();
      work.doNow(actor, () => actor.durableTo(version));
    },
    refusedByStore: (rows) => work.startOver(actor, () => actor.refusedByStore(rows)),
  });
  return {
    send: (link, message) => links.send(link, message),
    get full() {
      return committer.full || live.full;
    },
    append: (actor, { version, client, seq }, user, op) => {
      const epoch = shards.epochOf(actor.name);
      if (epoch === undefined) throw new Error('a patch for a document that is not owned');
      actor.listener ??= listenerOf(actor);
      committer.enqueue(actor.listener, { doc: actor.id ?? 0, version, epoch, client, seq, user, op });
    },
    load: (actor, create, done) => {
      const told = (result: LoadResult): void => work.answered(actor, () => done(result));
      loads.add({ actor, create, done: told });
    },
    history: (actor, after, upTo, maxBytes, done) =>
      orUndefined(actor, store.history(actor.id ?? 0, after, upTo, maxBytes), done),
    reserve: (actor, bytes, then) => history.ask(actor, bytes, then),
    clientSeqs: (actor, client, upTo, done) =>
      orUndefined(
        actor,
        store.clientSeqs(actor.id ?? 0, client, upTo).then((found) => found ?? { lastSeq: 0, pairs: [] }),
        done,
      ),
    seqVersion: (actor, client, seq, done) =>
      orUndefined(
        actor,
        seqs.find(actor.id ?? 0, client, seq).then((version) => version ?? 0),
        done,
      ),
    whenLive: (actor, then, outOfReach) =>
      live.ask(
        actor,
        () => work.answered(actor, then),
        outOfReach && (() => work.answered(actor, outOfReach)),
      ),
    fold: (actor, version, made, done) => sideJobs.fold(actor, version, made, done),
    merge: (actor, updates, done) => sideJobs.merge(actor, updates, done),
    pack: (actor, json, done) => sideJobs.pack(actor, json, done),
    share: (actor, link, bytes, then) =>
      links.snapshotsOf(link)?.send(bytes, () => work.answered(actor, then)) === true,
    sharedNumber: (link, bytes) => links.snapshotsOf(link)?.numberOf(bytes),
    rooms,
    get mustYield() {
      return work.mustYield;
    },
    later: (actor, act) => work.later(actor, act),
    next: (actor, act) => work.next(actor, act),
    postponed: (actor, { link, message }) => {
      links.postpone(link, message);
      work.wantTurn(actor);
    },
    settled: ({ link, message }) => links.settle(link, message),
    wantTurn: (actor) => work.wantTurn(actor),
    presenceChanged: (actor) => presence.add(actor),
  };
}
