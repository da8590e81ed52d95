// Jobs for documents that go on beside their edits: snapshots, written here or folded on another thread, and
// the preparation of large snapshots for clients, also on another thread. An answer is handled in a turn of its document.
import type { Fit } from '../../kinds/kind.ts';
import { unpackUpdates } from '../../kinds/yjs/diff.ts';
import type { Clock } from '../clock.ts';
import type { Folded, FoldRequest } from '../compute/fold.ts';
import type { RunSnapshotJob, SnapshotJob } from '../compute/snapshot-job.ts';
import type { DocumentActor } from '../document/actor.ts';
import type { MadeSnapshot } from '../document/effects.ts';
import { METRICS } from '../metrics/metrics.ts';
import type { ThreadCounts } from '../metrics/thread-counts.ts';
import type { OwnedShards } from '../owned-shards.ts';
import type { OpenedSession, WorkerStore } from '../storage/store.ts';

/** A job on a large snapshot that waits for the other thread. */
interface WaitingJob {
  readonly actor: DocumentActor;
  readonly bytes: number;
  /** Makes the job, with copies of the document's bytes. */
  readonly job: () => SnapshotJob;
  readonly done: (bytes: Uint8Array | undefined) => void;
}

export interface SideJobsOptions {
  readonly store: Pick<WorkerStore, 'writeSnapshot'>;
  readonly session: OpenedSession;
  readonly shards: Pick<OwnedShards, 'epochOf'>;
  readonly isCurrent: (actor: DocumentActor) => boolean;
  readonly answered: (actor: DocumentActor, act: () => void) => void;
  readonly fold: (request: FoldRequest) => Promise<Folded | undefined>;
  readonly snapshotJob: RunSnapshotJob;
  readonly clock: Pick<Clock, 'after'>;
  readonly counts: ThreadCounts;
  readonly log: (level: 'warn', message: string, fields: object) => void;
}

/**
 * Snapshots that this thread has made go past the main thread. One in so many patches is folded by the compute pool, so that the
 * main thread sees how long a log has become, and keeps the authors of long documents.
 */
const SEEN_EVERY = 50_000;

const passes = (every: number, before: number, version: number): boolean =>
  Math.floor(before / every) < Math.floor(version / every);

export class SideJobs {
  readonly #options: SideJobsOptions;
  readonly #folds = new Set<Promise<void>>();
  /** The last patch to be judged. One is judged after the other, so that snapshots do not wait for many of them. */
  #judged: Promise<unknown> = Promise.resolve();
  /** In the order in which they came. A document has one merge, one difference and one packing in here at most. */
  #waiting: WaitingJob[] = [];
  /** One job runs at a time, because each works on copies. */
  #isWorking = false;
  #isOldestNext = true;
  #ended = false;

  constructor(options: SideJobsOptions) {
    this.#options = options;
  }

  /** No job on a large snapshot begins any more: the session is over. */
  end(): void {
    this.#ended = true;
  }

  /** As `DocumentEffects.fold`. */
  fold(
    actor: DocumentActor,
    version: number,
    made: MadeSnapshot | undefined,
    done: (folded: Folded | undefined) => void,
  ): void {
    const { session, shards, fold, store, answered, counts, log } = this.#options;
    const { id, kindName } = actor;
    const epoch = shards.epochOf(actor.name);
    if (id === undefined || kindName === undefined || epoch === undefined) return;
    const making: Promise<Folded | undefined> =
      made === undefined || passes(SEEN_EVERY, made.previous, version)
        ? fold({ session, doc: id, kind: kindName, version })
        : store
            .writeSnapshot({ ...made, doc: id, version, epoch })
            .then((written) => (written ? { bytes: made.state.length } : undefined));
    const folding = making.then(
      (folded) => {
        if (folded !== undefined) counts.count(METRICS.snapshots);
        answered(actor, () => done(folded));
      },
      (error: unknown) => {
        log('warn', 'a snapshot was not made', { doc: actor.name, version, error: String(error) });
        answered(actor, () => done(undefined));
      },
    );
    this.#folds.add(folding);
    void folding.finally(() => this.#folds.delete(folding));
  }

  /** As `DocumentEffects.fitAt`. */
  fitAt(actor: DocumentActor, version: number, op: Uint8Array, done: (fit: Fit | undefined) => void): void {
    const { session, fold, isCurrent, answered, log } = this.#options;
    const { id, kindName: kind } = actor;
    if (id === undefined || kind === undefined) throw new Error('a patch for a document that is not loaded');
    const judged = this.#judged.then(() =>
      isCurrent(actor) ? fold({ session, doc: id, kind, version, op: new Uint8Array(op) }) : undefined,
    );
    this.#judged = judged.catch(() => undefined);
    judged.then(
      (folded) => answered(actor, () => done(folded?.fit)),
      (error: unknown) => {
        log('warn', 'a patch was not judged', { doc: actor.name, version, error: String(error) });
        answered(actor, () => done(undefined));
      },
    );
  }

  /** As `DocumentEffects.merge`. */
  merge(
    actor: DocumentActor,
    updates: readonly Uint8Array[],
    done: (merged: Uint8Array | undefined) => void,
  ): void {
    const bytes = updates.reduce((sum, { length }) => sum + length, 0);
    const job = (): SnapshotJob => ({
      type: 'merge',
      updates: updates.map((update) => new Uint8Array(update)),
    });
    this.#enqueue({ actor, bytes, job, done });
  }

  /** As `DocumentEffects.diff`. */
  diff(
    actor: DocumentActor,
    update: Uint8Array,
    vectors: readonly Uint8Array[],
    done: (parts: readonly Uint8Array[] | undefined) => void,
  ): void {
    const job = (): SnapshotJob => ({
      type: 'diff',
      update: new Uint8Array(update),
      vectors: vectors.map((vector) => new Uint8Array(vector)),
    });
    this.#enqueue({
      actor,
      bytes: update.length,
      job,
      done: (packed) => done(packed && unpackUpdates(packed)),
    });
  }

  /** As `DocumentEffects.pack`. */
  pack(actor: DocumentActor, json: Uint8Array, done: (packed: Uint8Array | undefined) => void): void {
    const job = (): SnapshotJob => ({ type: 'pack', json: new Uint8Array(json) });
    this.#enqueue({ actor, bytes: json.length, job, done });
  }

  /** Resolves when all snapshots that were begun have ended, or after `mostMs`. */
  async foldsEnded(mostMs: number): Promise<void> {
    let cancel = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(mostMs, resolve);
    });
    await Promise.race([Promise.all(this.#folds), late]);
    cancel();
  }

  #enqueue(waiting: WaitingJob): void {
    this.#waiting.push(waiting);
    if (!this.#isWorking) void this.#workOff();
  }

  async #workOff(): Promise<void> {
    this.#isWorking = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) await this.#run(next);
    this.#isWorking = false;
  }

  /**
   * The oldest job and the smallest job take turns: a small document does not wait for all large ones before
   * it, and no document is put off for ever.
   */
  #next(): WaitingJob | undefined {
    const { isCurrent } = this.#options;
    this.#waiting = this.#ended ? [] : this.#waiting.filter(({ actor }) => isCurrent(actor));
    const chosen = this.#isOldestNext
      ? this.#waiting[0]
      : this.#waiting.reduce<WaitingJob | undefined>(
          (least, job) => (least === undefined || job.bytes < least.bytes ? job : least),
          undefined,
        );
    this.#isOldestNext = !this.#isOldestNext;
    this.#waiting = this.#waiting.filter((job) => job !== chosen);
    return chosen;
  }

  async #run({ actor, job, done }: WaitingJob): Promise<void> {
    const { snapshotJob, answered, log } = this.#options;
    try {
      const bytes = await snapshotJob(job());
      answered(actor, () => done(bytes));
    } catch (error) {
      log('warn', 'a snapshot was not prepared', { doc: actor.name, error: String(error) });
      answered(actor, () => done(undefined));
    }
  }
}
