// Jobs for documents that go on beside their edits: snapshots, written here or folded on another thread, and
// merges of yjs updates. An answer is handled in a turn of its document.
import type { Clock } from '../clock.ts';
import type { FoldRequest } from '../compute/fold.ts';
import type { DocumentActor } from '../document/actor.ts';
import type { MadeSnapshot } from '../document/effects.ts';
import type { OwnedShards } from '../owned-shards.ts';
import type { OpenedSession, WorkerStore } from '../storage/store.ts';

/**
 * Merges many Yjs updates into one on another thread. `updates` are oldest first, and the caller gives them
 * away.
 */
export type Merge = (updates: readonly Uint8Array<ArrayBuffer>[]) => Promise<Uint8Array<ArrayBuffer>>;

export interface SideJobsOptions {
  readonly store: Pick<WorkerStore, 'writeSnapshot'>;
  readonly session: OpenedSession;
  readonly shards: Pick<OwnedShards, 'epochOf'>;
  readonly isCurrent: (actor: DocumentActor) => boolean;
  readonly answered: (actor: DocumentActor, act: () => void) => void;
  readonly fold: (request: FoldRequest) => Promise<number | undefined>;
  readonly merge: Merge;
  readonly clock: Pick<Clock, 'after'>;
  readonly log: (level: 'warn', message: string, fields: object) => void;
}

export class SideJobs {
  private readonly options: SideJobsOptions;
  private readonly folds = new Set<Promise<void>>();
  /** One merge runs at a time, because each merge works on a copy of its updates. */
  private merging = Promise.resolve();
  private ended = false;

  constructor(options: SideJobsOptions) {
    this.options = options;
  }

  /** No merge begins any more: the session is over. */
  end(): void {
    this.ended = true;
  }

  /** As `Effects.fold`. */
  fold(
    actor: DocumentActor,
    version: number,
    made: MadeSnapshot | undefined,
    done: (bytes: number | undefined) => void,
  ): void {
    const { session, shards, fold, store, answered, log } = this.options;
    const { id, kindName } = actor;
    const epoch = shards.epochOf(actor.name);
    if (id === undefined || kindName === undefined || epoch === undefined) return;
    const making =
      made === undefined
        ? fold({ session, doc: id, kind: kindName, version })
        : store
            .writeSnapshot({ ...made, doc: id, version, epoch })
            .then((written) => (written ? made.state.length : undefined));
    const folding = making.then(
      (bytes) => answered(actor, () => done(bytes)),
      (error: unknown) => {
        log('warn', 'a snapshot was not made', { doc: actor.name, version, error: String(error) });
        answered(actor, () => done(undefined));
      },
    );
    this.folds.add(folding);
    void folding.finally(() => this.folds.delete(folding));
  }

  /** As `Effects.merge`. */
  merge(
    actor: DocumentActor,
    updates: readonly Uint8Array[],
    done: (merged: Uint8Array | undefined) => void,
  ): void {
    this.merging = this.merging.then(() => this.mergeNow(actor, updates, done));
  }

  /** Resolves when all snapshots that were begun have ended, or after `mostMs`. */
  async foldsEnded(mostMs: number): Promise<void> {
    let cancel = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = this.options.clock.after(mostMs, resolve);
    });
    await Promise.race([Promise.all(this.folds), late]);
    cancel();
  }

  private async mergeNow(
    actor: DocumentActor,
    updates: readonly Uint8Array[],
    done: (merged: Uint8Array | undefined) => void,
  ): Promise<void> {
    const { isCurrent, merge, answered, log } = this.options;
    if (!isCurrent(actor) || this.ended) return;
    try {
      const merged = await merge(updates.map((update) => new Uint8Array(update)));
      answered(actor, () => done(merged));
    } catch (error) {
      log('warn', 'updates were not merged', { doc: actor.name, error: String(error) });
      answered(actor, () => done(undefined));
    }
  }
}
