// Group commit of one worker: all patches that its actors produced since the last flush go to the store in
// one append. One append is under way at a time. It knows rows and outcomes, but not the content of
// documents.

import type { Clock } from '../clock.ts';
import { METRICS } from '../metrics/metrics.ts';
import { ThreadCounts } from '../metrics/thread-counts.ts';
import type { AppendOutcome, DeltaRow, DocumentId, WorkerStore } from '../storage/store.ts';
import { CommitBudget } from './commit-budget.ts';

export interface CommitLimits {
  /** Most rows and bytes of one append. */
  readonly maxRows: number;
  readonly maxBytes: number;
  /** Bytes waiting for the store beyond which `full` is true. */
  readonly queueBytes: number;
  /** Commits a second above which edits are gathered (commit-budget.ts). */
  readonly perSecond: number;
}

/** Receives the committer's reports for the entries of one owner. */
export interface CommitListener {
  durableTo(version: number): void;
  refusedByStore(rows: readonly DeltaRow[]): void;
}

interface Waiting {
  /** Rises in the order of arrival. */
  readonly number: number;
  readonly row: DeltaRow;
  readonly owner: CommitListener;
}

/** Weight of the newest measurement in a running mean. */
const SMOOTHING = 0.1;
/** From this many bytes on, waiting rows are sorted and batches are measured. */
const LARGE_BYTES = 64 * 1024;
/**
 * Beyond its first row, a batch takes no more bytes than the store takes in this time, judged by earlier
 * large batches, but always LEAST_BYTES.
 */
const BATCH_MS = 10;
const LEAST_BYTES = 64 * 1024;

export class Committer {
  readonly #store: WorkerStore;
  readonly #limits: CommitLimits;
  readonly #clock: Clock;
  /**
   * Called when the session is over (`fenced`) or the log has lost commits (`gap`). No waiting row will
   * commit.
   */
  readonly #onLost: (reason: 'fenced' | 'gap') => void;
  readonly #counts: ThreadCounts;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #arrived = 0;
  #inFlight: readonly Waiting[] = [];
  #scheduled = false;
  #flushing = false;
  #stopped = false;
  #idle: (() => void)[] = [];
  readonly #budget: CommitBudget;
  /** Bytes per ms that the store takes of large batches. 0 if there was none yet. */
  #bytesPerMs = 0;
  /** Documents whose predecessor version is proved to exist, on the store's connection number `provedOn`. */
  #proved = new Set<DocumentId>();
  #provedOn = 0;

  constructor(
    store: WorkerStore,
    limits: CommitLimits,
    clock: Clock,
    onLost: (reason: 'fenced' | 'gap') => void,
    counts = new ThreadCounts(),
  ) {
    this.#store = store;
    this.#limits = limits;
    this.#clock = clock;
    this.#onLost = onLost;
    this.#counts = counts;
    this.#budget = new CommitBudget(limits.perSecond, clock);
  }

  /** Bytes that wait for the next batch. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get full(): boolean {
    return this.#waitingBytes > this.#limits.queueBytes;
  }

  enqueue(owner: CommitListener, row: DeltaRow): void {
    this.#waiting.push({ number: ++this.#arrived, row, owner });
    this.#waitingBytes += bytesOf({ row });
    if (this.#flushing) return;
    // The flush comes after the rest of this turn, with all rows that it adds.
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  /** Starts an append unless one is under way. */
  #flush(): void {
    if (this.#scheduled || this.#stopped || this.#inFlight.length > 0 || this.#waiting.length === 0) return;
    const isFull = this.#waitingBytes > LARGE_BYTES || this.#waiting.length >= this.#limits.maxRows;
    const waitMs = isFull ? 0 : this.#budget.waitMs;
    if (waitMs <= 0) {
      this.#append();
      return;
    }
    this.#scheduled = true;
    this.#clock.after(waitMs, () => {
      this.#scheduled = false;
      this.#append();
    });
  }

  /** Drops the waiting rows of this document. Resolves once none of its rows is under way. */
  async discard(doc: DocumentId): Promise<void> {
    this.#drop(new Set([doc]));
    if (this.isUnderWay(doc)) await this.#whenSettled();
  }

  isUnderWay(doc: DocumentId): boolean {
    return this.#inFlight.some(({ row }) => row.doc === doc);
  }

  /** Drops waiting rows of these documents. */
  #drop(docs: ReadonlySet<DocumentId>): void {
    for (const doc of docs) this.#proved.delete(doc);
    if (this.#waiting.length === 0) return;
    this.#waiting = this.#waiting.filter(({ row }) => !docs.has(row.doc));
    this.#waitingBytes = this.#waiting.reduce((sum, item) => sum + bytesOf(item), 0);
    // Without an append under way, callers that wait for a settled append would wait for ever.
    if (this.#inFlight.length === 0) this.#wake();
  }

  /** Resolves when everything enqueued so far has settled. */
  async drain(): Promise<void> {
    while (!this.#stopped && (this.#waiting.length > 0 || this.#inFlight.length > 0)) {
      this.#flush();
      await this.#whenSettled();
    }
  }

  /** Resolves once no row of these documents waits or is under way. The caller enqueues no more of them. */
  async settle(docs: ReadonlySet<DocumentId>): Promise<void> {
    const isOf = ({ row }: Waiting): boolean => docs.has(row.doc);
    while (!this.#stopped && (this.#waiting.some(isOf) || this.#inFlight.some(isOf))) {
      this.#flush();
      await this.#whenSettled();
    }
  }

  #whenSettled(): Promise<void> {
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #wake(): void {
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  #append(): void {
    if (this.#stopped || this.#inFlight.length > 0 || this.#waiting.length === 0) return;
    const batch = this.#nextBatch();
    this.#inFlight = batch;
    this.#budget.spend();
    const heads = this.#unprovedHeads(batch);
    const rows = batch.map((item) => item.row);
    const since = this.#clock.now();
    this.#store.append(rows, heads).then(
      (outcome) => {
        this.#measure(batch, this.#clock.now() - since, outcome);
        this.#settled(batch, outcome);
      },
      (error: unknown) => {
        // An append always ends in an outcome. An exception is a defect, and the safe answer is to start
        // over.
        this.#stopped = true;
        throw error;
      },
    );
  }

  #unprovedHeads(batch: readonly Waiting[]): ReadonlyMap<DocumentId, number> {
    if (this.#provedOn !== this.#store.connectionEpoch) {
      this.#provedOn = this.#store.connectionEpoch;
      this.#proved.clear();
    }
    const heads = new Map<DocumentId, number>();
    for (const { row } of batch) {
      if (this.#proved.has(row.doc)) continue;
      this.#proved.add(row.doc);
      heads.set(row.doc, row.version - 1);
    }
    return heads;
  }

  /**
   * Forgets a document that has left memory. Its head is proved again when it comes back. Its waiting rows
   * are dropped, because their owner is gone and the shard may be handed over.
   */
  forget(doc: DocumentId): void {
    if (this.#waiting.length > 0) this.#drop(new Set([doc]));
    else this.#proved.delete(doc);
  }

  #nextBatch(): readonly Waiting[] {
    if (this.#waitingBytes > LARGE_BYTES) this.#waiting = lightFirst(this.#waiting);
    const { maxBytes, maxRows } = this.#limits;
    // The first row is always part of the batch, and the light rows behind it do not wait for another batch
    // because of it.
    const [first] = this.#waiting;
    const most = Math.min(this.#mostBytes, maxBytes - (first === undefined ? 0 : bytesOf(first)));
    let bytes = 0;
    let count = 0;
    for (const item of this.#waiting) {
      if (count > 0) bytes += bytesOf(item);
      if (bytes > most || count >= maxRows) break;
      count++;
    }
    count = Math.max(1, count);
    if (count === this.#waiting.length) {
      const all = this.#waiting;
      this.#waiting = [];
      this.#waitingBytes = 0;
      return all;
    }
    const batch = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    for (const item of batch) this.#waitingBytes -= bytesOf(item);
    return batch;
  }

  get #mostBytes(): number {
    const { maxBytes } = this.#limits;
    return this.#bytesPerMs === 0
      ? maxBytes
      : Math.min(maxBytes, Math.max(LEAST_BYTES, BATCH_MS * this.#bytesPerMs));
  }

  #measure(batch: readonly Waiting[], ms: number, outcome: AppendOutcome): void {
    const bytes = batch.reduce((sum, item) => sum + bytesOf(item), 0);
    this.#count(batch, bytes, ms, outcome);
    if (bytes < LARGE_BYTES) return;
    const rate = bytes / Math.max(1, ms);
    this.#bytesPerMs += (this.#bytesPerMs === 0 ? 1 : SMOOTHING) * (rate - this.#bytesPerMs);
  }

  #count(batch: readonly Waiting[], bytes: number, ms: number, outcome: AppendOutcome): void {
    const counts = this.#counts;
    if (outcome.type !== 'committed') counts.countAs(METRICS.commitFailures, outcome.type);
    if (outcome.type === 'fenced' || outcome.type === 'gap') return;
    const refused = outcome.type === 'refused' ? new Set(outcome.docs) : undefined;
    const committed = refused ? batch.filter(({ row }) => !refused.has(row.doc)).length : batch.length;
    counts.count(METRICS.editsCommitted, committed);
    counts.observe(METRICS.commitSeconds, ms / 1_000);
    counts.observe(METRICS.commitEdits, committed);
    counts.observe(METRICS.commitBytes, bytes);
  }

  #settled(batch: readonly Waiting[], outcome: AppendOutcome): void {
    this.#inFlight = [];
    if (this.#stopped) return;
    if (outcome.type === 'fenced' || outcome.type === 'gap') {
      this.#stopped = true;
      this.#waiting = [];
      this.#onLost(outcome.type);
    } else this.#tell(batch, new Set(outcome.type === 'refused' ? outcome.docs : []));
    this.#wake();
    this.#flush();
  }

  #tell(batch: readonly Waiting[], refused: ReadonlySet<DocumentId>): void {
    if (refused.size > 0) this.#drop(refused);
    const durable = new Map<CommitListener, number>();
    const dropped = new Map<CommitListener, DeltaRow[]>();
    for (const { row, owner } of batch) {
      if (!refused.has(row.doc)) durable.set(owner, row.version);
      else dropped.set(owner, [...(dropped.get(owner) ?? []), row]);
    }
    for (const [owner, version] of durable) owner.durableTo(version);
    for (const [owner, rows] of dropped) owner.refusedByStore(rows);
  }
}

/** Approximate bytes that a row takes beyond its patch, in memory and on the wire. */
const ROW_OVERHEAD = 128;
const bytesOf = ({ row }: Pick<Waiting, 'row'>): number => row.op.length + ROW_OVERHEAD;

/**
 * Orders waiting rows. The row that has waited longest comes first, so that every row gets its turn. The
 * others follow by document, the document with the fewest waiting bytes first, so that edits of one
 * document do not wait for megabytes of another. The rows of one document keep their order.
 */
function lightFirst(waiting: readonly Waiting[]): Waiting[] {
  const oldest = waiting.reduce((found, item) => (item.number < found.number ? item : found));
  const documents = new Map<DocumentId, { rows: Waiting[]; bytes: number }>();
  for (const item of waiting) {
    if (item === oldest) continue;
    const document = documents.get(item.row.doc) ?? { rows: [], bytes: 0 };
    documents.set(item.row.doc, document);
    document.rows.push(item);
    document.bytes += bytesOf(item);
  }
  const sorted = [...documents.values()].sort((a, b) => a.bytes - b.bytes);
  return [oldest, ...sorted.flatMap(({ rows }) => rows)];
}
