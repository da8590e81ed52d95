// Brings documents from the store into memory: one by statements that name it, or many by one statement for
// each step. An error of one document fails that document alone; a store out of reach fails all.
// load-queue.ts decides their order and how many are read at once.
import { kindOf } from '../../kinds/registry.ts';
import { type Clock, pause } from '../clock.ts';
import type { Committer } from '../commit/committer.ts';
import type { ActorLimits, DocumentActor, LoadResult } from '../document/actor.ts';
import { Document } from '../document/document.ts';
import { type AnyKind, type Pieces, stateOf } from '../document/entry.ts';
import type { Progress } from '../liveness/progress.ts';
import { type CountedFailure, QUARANTINED } from '../quarantine.ts';
import { shardOf } from '../shard.ts';
import {
  type DocumentRow,
  type KnownClients,
  type LoadedDocument,
  StoreUnavailable,
  type WorkerStore,
} from '../storage/store.ts';
import { DamagedPart, damagedPart } from './damage.ts';
import { OUT_OF_REACH, type Wanted } from './load-queue.ts';

export interface LoaderOptions {
  readonly store: WorkerStore;
  readonly committer: Pick<Committer, 'discard' | 'isUnderWay'>;
  readonly historyTag: string;
  readonly limits: ActorLimits;
  readonly progress: Progress;
  readonly clock: Clock;
  readonly serves: (doc: string) => boolean;
  /** False if the actor was dropped. The document may have another actor by now. */
  readonly isCurrent: (actor: DocumentActor) => boolean;
  /** A document cannot be read. Counts this as a failure of the document. */
  readonly failed: (doc: string) => CountedFailure;
  readonly log: (level: 'error', message: string, fields: object) => void;
}

interface Found {
  readonly wanted: Wanted;
  readonly row: DocumentRow;
}
interface Read extends Found {
  readonly loaded: LoadedDocument;
  readonly clients: KnownClients;
}

/**
 * Most clients of a snapshot that are listed at load. If there are more, the store is asked for each
 * client.
 */
const LISTED_CLIENTS = 1000;
const NOBODY: KnownClients = { clients: [], someForgotten: false };
const ANYBODY: KnownClients = { clients: undefined, someForgotten: true };
/**
 * Most bytes of snapshots and patches in one answer for many documents. Each connection may hold such an
 * answer in memory.
 */
const ANSWER_BYTES = 4 * 1024 * 1024;
/**
 * Documents that were read together are built for this long at a time. Between, the active documents go on.
 */
const TURN_MS = 2;
/** One document is built for this long at a time. */
const PIECE_MS = 10;

export class Loader {
  readonly #options: LoaderOptions;

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  /** Implements `Load`. */
  readonly load = (wanted: readonly Wanted[]): Promise<boolean> => {
    const [only] = wanted;
    if (only === undefined || wanted.length > 1) return this.#loadMany(wanted);
    return this.#settle(only, () => this.#loadOne(only));
  };

  async #loadOne(wanted: Wanted): Promise<LoadResult | undefined> {
    if (!this.#options.serves(wanted.actor.name)) return NOT_OWNED;
    return this.#loadFound(wanted, await this.#options.store.find(...nameOf(wanted)));
  }

  async #loadFound(wanted: Wanted, found: DocumentRow | undefined): Promise<LoadResult | undefined> {
    const { store } = this.#options;
    const { actor, create } = wanted;
    let row = found;
    let created = false;
    if (row === undefined) {
      if (create === undefined) return { type: 'missing' };
      const made = await store.create(...namesIn(actor.name), shardOf(actor.name), create);
      if (made === undefined) return REPLACED;
      ({ row, created } = made);
    }
    // The actor was dropped while the store was asked. The patches that wait now are its successor's.
    if (!this.#options.isCurrent(actor)) return STARTS_OVER;
    if (this.#discard({ wanted, row })) return undefined;
    const isEmpty = created && create?.first === undefined;
    return isEmpty ? this.#build(actor.name, row, EMPTY(row), NOBODY) : this.#loadRow({ wanted, row });
  }

  /**
   * Discards the patches of a predecessor of this actor. True if some of them were on their way to the
   * store. The document is then loaded once they have settled, and no other document waits for that.
   */
  #discard({ wanted, row }: Found): boolean {
    const { committer } = this.#options;
    const isUnderWay = committer.isUnderWay(row.id);
    const discarded = committer.discard(row.id);
    if (!isUnderWay) return false;
    void this.#settle(wanted, async () => {
      await discarded;
      return this.#loadRow({ wanted, row });
    });
    return true;
  }

  async #loadRow({ wanted, row }: Found): Promise<LoadResult> {
    const { store } = this.#options;
    const [loaded] = await store.load([row.id]);
    if (loaded === undefined) throw new Error(`document ${row.id} is gone`);
    // The clients are read after the snapshot, never beside it: the clients of a newer snapshot would not
    // be listed.
    const clients = loaded.snapshotVersion === 0 ? NOBODY : await store.clients(row.id, LISTED_CLIENTS);
    return this.#build(wanted.actor.name, row, loaded, clients);
  }

  async #loadMany(all: readonly Wanted[]): Promise<boolean> {
    const { store, serves } = this.#options;
    const served = all.filter(({ actor }) => serves(actor.name));
    const foreign = all.filter(({ actor }) => !serves(actor.name));
    const found: Found[] = [];
    const absent: Wanted[] = [];
    const reached = [
      await this.#ask(
        served.map((wanted) => ({ wanted })),
        async (some) => {
          const rows = await store.findAll(some.map(({ wanted }) => nameOf(wanted)));
          return some.map(({ wanted }, at) => ({ wanted, row: rows[at] }));
        },
        async (answered) => {
          for (const { wanted, row } of answered) {
            if (row === undefined) absent.push(wanted);
            else found.push({ wanted, row });
          }
        },
      ),
    ];
    const alone = [
      ...foreign.map((wanted) => this.#settle(wanted, async () => NOT_OWNED)),
      ...absent.map((wanted) => this.#settle(wanted, () => this.#loadFound(wanted, undefined))),
    ];
    reached.push(...(await Promise.all([this.#loadAllFound(found), ...alone])));
    return reached.every(Boolean);
  }

  /** Takes the same steps as `loadFound`, in the same order. */
  async #loadAllFound(found: readonly Found[]): Promise<boolean> {
    const { isCurrent } = this.#options;
    const dropped = found.filter(({ wanted }) => !isCurrent(wanted.actor));
    const current = found.filter(({ wanted }) => isCurrent(wanted.actor));
    const ready = current.filter((one) => !this.#discard(one));
    for (const { wanted } of dropped) wanted.done(STARTS_OVER);
    return this.#ask(
      ready,
      (some) => this.#read(some),
      (read) => this.#buildAll(read),
    );
  }

  async #read(some: readonly Found[]): Promise<readonly Read[]> {
    const { store } = this.#options;
    const all = await store.load(
      some.map(({ row }) => row.id),
      ANSWER_BYTES,
    );
    const folded = all.filter(({ snapshotVersion }) => snapshotVersion > 0).map(({ id }) => id);
    const listed = folded.length === 0 ? [] : await store.clientsOfAll(folded, LISTED_CLIENTS);
    const clients = new Map(folded.map((id, at) => [id, listed[at]]));
    return some.slice(0, all.length).map(({ wanted, row }, at) => {
      const loaded = all[at] ?? EMPTY(row);
      return {
        wanted,
        row,
        loaded,
        clients: loaded.snapshotVersion === 0 ? NOBODY : (clients.get(row.id) ?? ANYBODY),
      };
    });
  }

  async #buildAll(read: readonly Read[]): Promise<void> {
    const { clock, isCurrent } = this.#options;
    let began = clock.now();
    for (const { wanted, row, loaded, clients } of read) {
      if (clock.now() - began >= TURN_MS) {
        await new Promise<void>((resolve) => clock.soon(resolve));
        began = clock.now();
      }
      if (!isCurrent(wanted.actor)) wanted.done(STARTS_OVER);
      else await this.#settle(wanted, async () => this.#build(wanted.actor.name, row, loaded, clients));
    }
  }

  /**
   * Builds a document in pieces, because its snapshot may be large and its log long. Between two pieces the
   * thread is left to others for as long as the last piece took.
   */
  async #build(
    name: string,
    row: DocumentRow,
    loaded: LoadedDocument,
    clients: KnownClients,
  ): Promise<LoadResult> {
    const { progress, limits, historyTag, clock } = this.#options;
    const kind: AnyKind = kindOf(row.kind);
    const pieces = built(kind, loaded, clients, limits, historyTag);
    let began = clock.now();
    // If the worker dies now, its supervisor knows this document as the cause.
    progress.enter(name);
    let next = pieces.next();
    while (next.done !== true) {
      const ms = clock.now() - began;
      if (ms >= PIECE_MS) {
        progress.clear();
        await pause(clock, ms);
        began = clock.now();
        progress.enter(name);
      }
      next = pieces.next();
    }
    progress.clear();
    return { type: 'loaded', document: next.value, loaded, creation: row.creation };
  }

  /**
   * Asks for all items at once, and again for items that the answer has left out. If an error of one
   * document comes instead of an answer, it asks for the halves, until that document stands alone.
   */
  async #ask<Item extends { readonly wanted: Wanted }, Answer>(
    items: readonly Item[],
    question: (some: readonly Item[]) => Promise<readonly Answer[]>,
    take: (answers: readonly Answer[]) => Promise<void>,
  ): Promise<boolean> {
    for (let rest = items; rest.length > 0; ) {
      let answers: readonly Answer[];
      try {
        answers = await question(rest);
      } catch (error) {
        if (error instanceof StoreUnavailable || rest.length === 1) {
          for (const { wanted } of rest) wanted.done(this.#failure(wanted, error));
          return !(error instanceof StoreUnavailable);
        }
        const half = rest.length >> 1;
        const first = await this.#ask(rest.slice(0, half), question, take);
        return (await this.#ask(rest.slice(half), question, take)) && first;
      }
      await take(answers);
      rest = rest.slice(answers.length);
    }
    return true;
  }

  /** Tells the result of `load`. If that is undefined, the result is told later. */
  async #settle(wanted: Wanted, load: () => Promise<LoadResult | undefined>): Promise<boolean> {
    try {
      const result = await load();
      if (result !== undefined) wanted.done(result);
      return true;
    } catch (error) {
      wanted.done(this.#failure(wanted, error));
      return !(error instanceof StoreUnavailable);
    }
  }

  #failure({ actor }: Wanted, error: unknown): LoadResult {
    if (error instanceof StoreUnavailable) return OUT_OF_REACH;
    const damaged = damagedPart(error);
    const counted = damaged === undefined ? {} : this.#options.failed(actor.name);
    this.#options.log('error', 'a document does not load', {
      doc: actor.name,
      damaged,
      ...counted,
      error: String(error),
      stack: error instanceof Error ? error.stack : undefined,
    });
    return counted.quarantinedForMs === undefined
      ? { type: 'failed', code: 'internal', message: 'the document does not load' }
      : unavailable(QUARANTINED);
  }
}

function* built(
  kind: AnyKind,
  loaded: LoadedDocument,
  clients: KnownClients,
  limits: ActorLimits,
  historyTag: string,
): Pieces<Document> {
  let state: unknown;
  try {
    state = yield* stateOf(kind, loaded.snapshot);
  } catch (error) {
    throw new DamagedPart(`the snapshot of version ${loaded.snapshotVersion}`, error);
  }
  const document = new Document(kind, { ...loaded, deltas: [] }, clients, limits, historyTag, state);
  for (const delta of loaded.deltas) {
    yield;
    try {
      document.replay(delta);
    } catch (error) {
      throw new DamagedPart(`the patch of version ${delta.version}`, error);
    }
  }
  return document;
}

const nameOf = ({ actor }: Wanted): readonly [org: string, name: string] => namesIn(actor.name);

function namesIn(name: string): readonly [org: string, name: string] {
  const slash = name.indexOf('/');
  return [name.slice(0, slash), name.slice(slash + 1)];
}

const unavailable = (message: string): LoadResult => ({ type: 'failed', code: 'unavailable', message });
const NOT_OWNED = unavailable('this worker does not own the document');
const REPLACED = unavailable('this worker is being replaced');
const STARTS_OVER = unavailable('the document starts over');

const EMPTY = (row: DocumentRow): LoadedDocument => ({
  id: row.id,
  snapshotVersion: 0,
  snapshot: undefined,
  deltas: [],
});
