// A worker's memory store. A statement on its write connection has an unknown outcome if the connection is
// lost, and is sent again until the outcome is known, as in PostgreSQL.

import { checkComplete, headsOf, randomDocumentId } from '../../../actors/storage/log.ts';
import {
  type AppendOutcome,
  type Creation,
  type DeltaRow,
  type DocumentId,
  type LoadedDocument,
  type NewSnapshot,
  type OpenedSession,
  READ_TOGETHER,
  type SessionId,
  type SessionIdentity,
  type SessionRef,
  StoreUnavailable,
  type WorkerStore,
} from '../../../actors/storage/store.ts';
import type { Backend } from './backend.ts';
import type { BatchResult, MemoryTables } from './database.ts';
import { Lost, type LostConnection, type Way } from './way.ts';

export class MemoryWorkerStore implements WorkerStore {
  readonly #memory: Backend;
  readonly #way: Way;
  readonly #opening: (session: SessionId) => void;
  readonly #aborted = new AbortController();
  #session: SessionRef | undefined;
  #epoch = 1;
  #seenEpoch = 1;
  #lastBatch = 0;
  #busy: Promise<AppendOutcome> | undefined;
  #handingOff: Promise<ReadonlyMap<number, number>> | undefined;

  constructor(memory: Backend, way: Way, opening: (session: SessionId) => void) {
    this.#memory = memory;
    this.#way = way;
    this.#opening = opening;
  }

  async open(identity: SessionIdentity): Promise<OpenedSession> {
    if (this.#session) throw new Error('a worker store can be opened only once');
    const session = await this.#way.call('open', () =>
      this.#memory.tables.sessions.insert(identity, this.#memory.hex(16)),
    );
    this.#session = session;
    this.#opening(session.id);
    return session;
  }

  get connectionEpoch(): number {
    return this.#epoch;
  }

  claim(shards: readonly number[]) {
    return this.#call('claim', ({ sessions }, me) => sessions.claim(me, shards));
  }

  isLive() {
    return this.#call('isLive', ({ sessions }, me) => sessions.isOpen(me));
  }

  adopt(shards: readonly number[]) {
    return this.#call('adopt', ({ sessions }, me) =>
      sessions.isOpen(me) ? sessions.ownedBy(me.id, shards) : new Map<number, number>(),
    );
  }

  async handOff(shards: readonly number[], to: SessionId): Promise<ReadonlyMap<number, number>> {
    if (to === this.#opened().id) throw new Error('handOff: the target must be another session');
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

  refuseBelow(timeline: number): void {
    this.#way.refuseBelow(timeline);
  }

  async append(rows: readonly DeltaRow[], heads: ReadonlyMap<DocumentId, number>): Promise<AppendOutcome> {
    if (this.#busy !== undefined) throw new Error('append: one call at a time');
    if (rows.length === 0) return { type: 'committed' };
    this.#busy = this.#append(rows, heads);
    try {
      return await this.#busy;
    } finally {
      this.#busy = undefined;
      this.#seenEpoch = this.#epoch;
    }
  }

  find(org: string, name: string) {
    return this.#call('find', (tables) => tables.find(org, name));
  }

  findAll(names: readonly (readonly [org: string, name: string])[]) {
    return this.#call('findAll', (tables) => names.map(([org, name]) => tables.find(org, name)));
  }

  create(org: string, name: string, shard: number, creation: Creation) {
    return this.#call('create', (tables, me) =>
      tables.create(me, randomDocumentId(this.#memory.random), org, name, shard, creation),
    );
  }

  remove(org: string, name: string, shard: number, mark: string) {
    return this.#call('remove', (tables, me) => tables.remove(me, org, name, shard, mark));
  }

  bringBack(org: string, name: string, shard: number, mark: string, trashMs: number) {
    return this.#call('bringBack', (tables, me) => tables.bringBack(me, org, name, shard, mark, trashMs));
  }

  load(ids: readonly DocumentId[], maxBytes = Number.MAX_SAFE_INTEGER) {
    return this.#call('load', (tables) => {
      const loaded: LoadedDocument[] = [];
      let bytes = 0;
      for (const id of ids.slice(0, READ_TOGETHER)) {
        const document = tables.load(id);
        bytes += document.snapshot?.byteLength ?? 0;
        for (const { op } of document.deltas) bytes += op.byteLength;
        if (bytes > maxBytes && loaded.length > 0) break;
        loaded.push(checkComplete(document));
      }
      return loaded;
    });
  }

  history(doc: DocumentId, after: number, upTo: number, maxBytes: number) {
    return this.#call('history', (tables) => tables.history(doc, after, upTo, maxBytes));
  }

  clientSeqs(doc: DocumentId, client: string, upTo: number) {
    return this.#call('clientSeqs', (tables) => tables.clientSeqs(doc, client, upTo));
  }

  clients(doc: DocumentId, limit: number) {
    return this.#call('clients', (tables) => tables.clients(doc, limit));
  }

  clientsOfAll(docs: readonly DocumentId[], limit: number) {
    return this.#call('clientsOfAll', (tables) => docs.map((doc) => tables.clients(doc, limit)));
  }

  writeSnapshot(snapshot: NewSnapshot) {
    return this.#call('writeSnapshot', (tables, me) => tables.writeSnapshot(me, snapshot));
  }

  seqPage(doc: DocumentId, client: string, upTo: number) {
    return this.#call('seqPage', (tables) => tables.seqPage(doc, client, upTo));
  }

  async close(): Promise<void> {
    if (!this.#session) return;
    await Promise.allSettled([this.#busy, this.#handingOff]);
    await this.#call('close', ({ sessions }, me) => sessions.fenceSelf(me));
    this.#aborted.abort();
  }

  abort(): void {
    this.#aborted.abort();
  }

  async #append(rows: readonly DeltaRow[], heads: ReadonlyMap<DocumentId, number>): Promise<AppendOutcome> {
    // It waits once: a later hand-off waits for this append.
    if (this.#handingOff !== undefined) await Promise.allSettled([this.#handingOff]);
    const answer = await this.#settle(++this.#lastBatch, rows, heads);
    return answer === 'refused' ? this.#byDocument(rows) : { type: answer };
  }

  /** Like the appender of PostgreSQL, sends the identical batch again until its outcome is known. */
  async #settle(
    batch: number,
    rows: readonly DeltaRow[],
    heads: ReadonlyMap<DocumentId, number>,
  ): Promise<'committed' | 'refused' | 'gap' | 'fenced'> {
    const me = this.#opened();
    const { tables } = this.#memory;
    const outcome = await this.#untilKnown([me.id], () => {
      const proved = this.#epoch === this.#seenEpoch ? heads : headsOf(rows);
      const result: BatchResult = tables.insertBatch(me, batch, rows, proved);
      if (result === 'refused') return 'refused';
      // An earlier attempt whose answer was lost may have written the rows; the session may be fenced
      // since.
      const landed = result !== 'written' && tables.countBatch(me, batch, rows) === rows.length;
      if (result === 'written' || landed) return 'committed';
      return tables.sessions.isOpen(me) ? 'gap' : 'fenced';
    });
    return outcome ?? 'fenced';
  }

  async #handOff(shards: readonly number[], to: SessionId): Promise<ReadonlyMap<number, number>> {
    const me = this.#opened();
    const { sessions } = this.#memory.tables;
    let attempts = 0;
    const moved = await this.#untilKnown([me.id, to], () => {
      const before = attempts++ > 0 ? sessions.ownedBy(to, shards) : [];
      return new Map([...before, ...sessions.handOff(me, shards, to)]);
    });
    return moved ?? new Map();
  }

  /**
   * Runs a statement of the write connection. It holds the sessions' rows while the statement runs, and
   * sends it again after each lost connection, whether or not it took effect. Undefined if it was given up.
   */
  async #untilKnown<T>(rows: readonly SessionId[], statement: () => T): Promise<T | undefined> {
    const { locks } = this.#memory;
    let attempts = 0;
    while (!this.#aborted.signal.aborted) {
      // A repeated attempt waits until answers come back too. Without a clock nothing else slows the
      // attempts.
      await this.#way.reachable(this.#aborted.signal, attempts++ > 0);
      if (this.#aborted.signal.aborted) break;
      try {
        const sent = await this.#way.send();
        if (this.#takeLoss('before-commit')) throw new Lost('the connection was lost');
        const hold = locks.hold(rows);
        let result: T;
        try {
          await Promise.race([this.#way.execute(), hold.ended]);
          if (hold.isEnded) throw new Lost('the backend was ended');
          result = statement();
        } finally {
          hold.release();
        }
        if (this.#takeLoss('after-commit')) throw new Lost('the connection was lost');
        await this.#way.answer(sent);
        return result;
      } catch (error) {
        if (!(error instanceof Lost)) throw error;
        await this.#way.awake();
        this.#epoch++;
      }
    }
    return undefined;
  }

  #takeLoss(where: LostConnection): boolean {
    const { lost } = this.#memory;
    const { id } = this.#opened();
    return lost.get(id) === where && lost.delete(id);
  }

  async #byDocument(rows: readonly DeltaRow[]): Promise<AppendOutcome> {
    const refused: DocumentId[] = [];
    for (const doc of new Set(rows.map((row) => row.doc))) {
      const part = rows.filter((row) => row.doc === doc);
      const answer = await this.#settle(++this.#lastBatch, part, headsOf(part));
      if (answer === 'refused') refused.push(doc);
      else if (answer !== 'committed') return { type: answer };
    }
    return refused.length === 0 ? { type: 'committed' } : { type: 'refused', docs: refused };
  }

  async #call<T>(name: string, statement: (tables: MemoryTables, me: SessionRef) => T): Promise<T> {
    const me = this.#opened();
    if (this.#aborted.signal.aborted) throw new StoreUnavailable(`${name}: the store is closed`);
    return this.#way.call(name, () => statement(this.#memory.tables, me));
  }

  #opened(): SessionRef {
    if (!this.#session) throw new Error('the session is not open');
    return this.#session;
  }
}
