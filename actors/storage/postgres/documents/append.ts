// Sends batches and hand-offs down the write connection, one after the other, each until its outcome is
// known. Owns the meaning of an answer: committed, refused, gap, fenced, or unknown, and
// resolves an unknown outcome before its caller learns anything. It never drops a row by itself: while the
// database is away it keeps the one batch that it was given.
import { headsOf } from '../../log.ts';
import type { AppendOutcome, DeltaRow, DocumentId, Epoch, SessionId, SessionRef } from '../../store.ts';
import { type PostgresStoreOptions, type Sql, within } from '../connection/connect.ts';
import { classify, messageOf } from '../connection/errors.ts';
import { RefusedValue } from '../connection/run.ts';
import type { WriteConnection } from '../connection/write-connection.ts';
import { epochs, handOff, ownedBy } from '../session/shards.ts';
import { type Batch, countBatch, encodeBatch, insertBatch } from './batch.ts';
import { Marks } from './marks.ts';

const BACKOFF_FIRST_MS = 20;
const BACKOFF_MAX_MS = 1_000;

const COMMITTED: AppendOutcome = { type: 'committed' };
const FENCED: AppendOutcome = { type: 'fenced' };
const GAP: AppendOutcome = { type: 'gap' };

/** Nothing was written, because marks were taken away since; the batch is sent again with new ones. */
const UNMARKED = 'unmarked';

/** The answer to an attempt. `error` is set if a value was refused. */
type Answer = AppendOutcome | { readonly type: 'data'; readonly error: unknown };

export class Appender {
  readonly #connection: WriteConnection;
  readonly #session: SessionRef;
  readonly #options: PostgresStoreOptions;
  readonly #aborted = new AbortController();
  readonly #marks = new Marks();
  #lastBatch = 0;
  /** The connection's epoch when callers decided which heads to prove. */
  #seenEpoch: number;
  #busy: Promise<AppendOutcome> | undefined;
  /** The last requested hand-off. An append that is requested meanwhile waits for it. */
  #handingOff: Promise<ReadonlyMap<number, Epoch>> | undefined;

  constructor(connection: WriteConnection, session: SessionRef, options: PostgresStoreOptions) {
    this.#connection = connection;
    this.#session = session;
    this.#options = options;
    this.#seenEpoch = connection.epoch;
  }

  async append(rows: readonly DeltaRow[], heads: ReadonlyMap<DocumentId, number>): Promise<AppendOutcome> {
    if (this.#busy !== undefined) throw new Error('append: one call at a time');
    if (rows.length === 0) return COMMITTED;
    this.#busy = this.#append(rows, heads);
    try {
      return await this.#busy;
    } finally {
      this.#seenEpoch = this.#connection.epoch;
      this.#busy = undefined;
    }
  }

  /** Runs after the append under way and after earlier hand-offs. */
  async handOff(shards: readonly number[], to: SessionId): Promise<ReadonlyMap<number, Epoch>> {
    if (to === this.#session.id) throw new Error('handOff: the target must be another session');
    if (shards.length === 0) return new Map();
    const before = [this.#busy, this.#handingOff];
    const mine = Promise.allSettled(before).then(() => this.#handOff(shards, to));
    this.#handingOff = mine;
    try {
      return await mine;
    } finally {
      if (this.#handingOff === mine) this.#handingOff = undefined;
    }
  }

  /** Settles when nothing is under way. */
  async idle(): Promise<void> {
    await Promise.allSettled([this.#busy, this.#handingOff]);
  }

  abort(): void {
    this.#aborted.abort();
  }

  async #append(rows: readonly DeltaRow[], heads: ReadonlyMap<DocumentId, number>): Promise<AppendOutcome> {
    // It waits once: a later hand-off waits for this append.
    if (this.#handingOff !== undefined) await Promise.allSettled([this.#handingOff]);
    const answer = await this.#attempt(rows, heads);
    return answer.type === 'data' ? this.#bisect(rows, answer.error) : answer;
  }

  #attempt(rows: readonly DeltaRow[], heads: ReadonlyMap<DocumentId, number>): Promise<Answer> | Answer {
    let batch: Batch;
    try {
      batch = encodeBatch(++this.#lastBatch, rows);
    } catch (error) {
      if (error instanceof RefusedValue) return { type: 'data', error };
      throw error;
    }
    return this.#settle(batch, rows, heads);
  }

  /** Sends one batch until the answer is known. */
  async #settle(
    batch: Batch,
    rows: readonly DeltaRow[],
    heads: ReadonlyMap<DocumentId, number>,
  ): Promise<Answer> {
    let failures = 0;
    // The answer of an attempt was lost: the rows may be there, even if the session was fenced afterwards.
    let uncertain = false;
    while (!this.#aborted.signal.aborted) {
      let sql: Sql | undefined = this.#connection.current;
      try {
        sql ??= await this.#connection.open();
        // On a connection that the caller did not know, no head is proved, neither by the caller nor by the
        // first attempt.
        const proved = this.#connection.epoch === this.#seenEpoch ? heads : headsOf(rows);
        const { eventsMs } = this.#options;
        const marks = eventsMs === undefined ? [] : this.#marks.needed(batch.from, proved);
        const marking =
          eventsMs === undefined ? undefined : { number: this.#marks.number, marks, dueMs: eventsMs };
        const written = await this.#answer('append', insertBatch(sql, this.#session, batch, proved, marking));
        const answer = written > 0 ? COMMITTED : await this.#whyNothing(sql, uncertain ? batch : undefined);
        if (answer === UNMARKED) continue;
        if (written > 0) this.#marks.committed(marks);
        this.#recovered(failures);
        return answer;
      } catch (error) {
        switch (classify(error)) {
          case 'data':
            this.#recovered(failures);
            return { type: 'data', error };
          case 'duplicate': {
            const answer = sql && (await this.#whoseRows(sql, batch));
            if (answer === UNMARKED) continue;
            if (answer) {
              this.#recovered(failures);
              return answer;
            }
            break;
          }
          case 'other':
            if (!this.#aborted.signal.aborted) throw error;
            break;
          case 'connection':
            uncertain = true;
            if (sql) this.#connection.lost(sql);
            break;
          case 'transient':
            break;
        }
        failures++;
        this.#options.onProblem?.({ type: 'unavailable', attempt: failures, error: asError(error) });
        await this.#pause(failures);
      }
    }
    return FENCED;
  }

  /**
   * Repeats a hand-off until it is known which shards have moved. After a lost answer the older backend is
   * gone: shards of `to` were moved, shards that are still ours are moved now, and all others belong to
   * other sessions.
   */
  async #handOff(shards: readonly number[], to: SessionId): Promise<ReadonlyMap<number, Epoch>> {
    let failures = 0;
    let uncertain = false;
    while (!this.#aborted.signal.aborted) {
      let sql: Sql | undefined = this.#connection.current;
      try {
        sql ??= await this.#connection.open();
        const moved = await this.#answer('handOff', handOff(sql, this.#session, shards, to));
        const before = uncertain ? await this.#answer('handOff', ownedBy(sql, to, shards)) : [];
        this.#recovered(failures);
        return epochs([...before, ...moved]);
      } catch (error) {
        const kind = classify(error);
        if (kind === 'connection') {
          uncertain = true;
          if (sql) this.#connection.lost(sql);
        } else if (kind !== 'transient' && !this.#aborted.signal.aborted) throw error;
        failures++;
        this.#options.onProblem?.({ type: 'unavailable', attempt: failures, error: asError(error) });
        await this.#pause(failures);
      }
    }
    return new Map();
  }

  /**
   * Explains an attempt that wrote 0 rows. `batch` is set if an earlier attempt may have written its rows
   * before the session was fenced.
   */
  async #whyNothing(sql: Sql, batch: Batch | undefined): Promise<AppendOutcome | typeof UNMARKED> {
    const [own] = await this.#answer(
      'append',
      sql<{ state: string; marks: number }[]>`
        SELECT state, marks FROM session WHERE id = ${this.#session.id} AND nonce = ${this.#session.nonce}`,
    );
    if (batch && (await this.#landed(sql, batch))) return COMMITTED;
    if (own === undefined || own.state === 'fenced') return FENCED;
    if (this.#options.eventsMs === undefined || own.marks === this.#marks.number) return GAP;
    this.#marks.taken(own.marks);
    return UNMARKED;
  }

  /**
   * Explains a taken key. If all rows are ours, this batch landed before its connection was lost. If not,
   * this session is behind the log. Undefined if the connection was lost meanwhile: try again.
   */
  async #whoseRows(sql: Sql, batch: Batch): Promise<AppendOutcome | typeof UNMARKED | undefined> {
    try {
      return await this.#whyNothing(sql, batch);
    } catch (error) {
      const kind = classify(error);
      if (kind === 'connection') this.#connection.lost(sql);
      else if (kind !== 'transient') throw error;
      return undefined;
    }
  }

  async #landed(sql: Sql, batch: Batch): Promise<boolean> {
    if ((await this.#answer('append', countBatch(sql, this.#session, batch))) !== batch.size) return false;
    // The backend may have been ended while it waited for a synchronous standby. A commit behind the found
    // rows is acknowledged only when the standby has them too.
    await this.#answer('append', sql`UPDATE session SET node = node WHERE id = ${this.#session.id}`);
    return true;
  }

  /** Commits the valid rows by halving the documents until those with refused values stand alone. */
  async #bisect(rows: readonly DeltaRow[], error: unknown): Promise<AppendOutcome> {
    const docs = [...new Set(rows.map((row) => row.doc))];
    if (docs.length === 1) {
      this.#options.onProblem?.({ type: 'refused', docs, error: asError(error) });
      return { type: 'refused', docs };
    }
    const half = new Set(docs.slice(0, docs.length >> 1));
    const refused: DocumentId[] = [];
    for (const part of [rows.filter((row) => half.has(row.doc)), rows.filter((row) => !half.has(row.doc))]) {
      const answer = await this.#attempt(part, headsOf(part));
      const outcome = answer.type === 'data' ? await this.#bisect(part, answer.error) : answer;
      if (outcome.type === 'refused') refused.push(...outcome.docs);
      else if (outcome.type !== 'committed') return outcome;
    }
    return refused.length === 0 ? COMMITTED : { type: 'refused', docs: refused };
  }

  #answer<T>(call: string, answer: PromiseLike<T>): Promise<T> {
    return within(this.#connection.answerTimeoutMs, call, answer);
  }

  /** Reports that the database has given an answer again, of any kind. */
  #recovered(failures: number): void {
    if (failures > 0) this.#options.onProblem?.({ type: 'recovered', attempts: failures });
  }

  /** The pause grows from 20 ms to 1 s, and is between half and the whole of it. An abort ends it at once. */
  async #pause(failures: number): Promise<void> {
    const whole = Math.min(BACKOFF_FIRST_MS * 2 ** Math.min(failures - 1, 10), BACKOFF_MAX_MS);
    const signal = this.#aborted.signal;
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, whole * (0.5 + Math.random() / 2));
      signal.addEventListener('abort', done);
    });
  }
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(messageOf(error)));
