// Documents and their log in the memory store, and the statements on them. Each statement is one
// synchronous call, hence atomic. sessions.ts decides the right to write. This file knows nothing of
// connections, waiting or faults; store-memory.ts does.

import { withinBytes } from '../../../actors/storage/log.ts';
import {
  type ClientSeqs,
  type Creation,
  type DeltaRow,
  type DocumentId,
  type DocumentRow,
  type Existence,
  type KnownClients,
  type LoadedDocument,
  type NewSnapshot,
  PAIRS,
  SEQ_PAGE_BYTES,
  type SeqPage,
  type SessionId,
  type SessionRef,
  type StoredDelta,
  type SweepOptions,
  type SweepSlice,
} from '../../../actors/storage/store.ts';
import { EMPTY_DOCUMENT, superfluous } from '../../../actors/storage/thinning.ts';
import type { KindName } from '../../../protocol/messages.ts';
import { MemoryPins } from './pins.ts';
import { MemorySessions } from './sessions.ts';

type Pair = readonly [seq: number, version: number];

interface LoggedRow extends DeltaRow {
  readonly session: SessionId;
  readonly batch: number;
}
interface Snapshot {
  readonly version: number;
  readonly state: Uint8Array;
  /** Bytes of all patches up to the snapshot. */
  readonly logged: number;
  readonly atMs: number;
}
interface Content {
  id: DocumentId;
  readonly shard: number;
  kind: KindName;
  folded: number;
  /** Up to this version nothing of the log and of clients is left. */
  cleared: number;
  readonly creation: string;
  /** Of the latest deletion or return. */
  mark: string;
  deletedMs: number;
}
interface Log {
  readonly rows: Map<number, LoggedRow>;
  readonly snapshots: Snapshot[];
  readonly seqs: Map<string, { user: string; lastSeq: number; pairs: Pair[]; atMs: number }>;
  someForgotten: boolean;
}

/** The result of a batch's statement. `refused`: PostgreSQL would refuse a value. */
export type BatchResult = 'written' | 'nothing' | 'duplicate' | 'refused';

export class MemoryTables {
  readonly sessions: MemorySessions;
  readonly pins = new MemoryPins();
  readonly #nowMs: () => number;
  readonly #documents = new Map<string, Content>();
  /** Deleted documents by name, the oldest first. */
  readonly #deleted = new Map<string, Content[]>();
  #sweepDueMs = Number.NEGATIVE_INFINITY;
  readonly #logs = new Map<DocumentId, Log>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.sessions = new MemorySessions(nowMs);
  }

  insertBatch(
    me: SessionRef,
    batch: number,
    rows: readonly DeltaRow[],
    heads: ReadonlyMap<DocumentId, number>,
  ): BatchResult {
    if (rows.some(isRefused)) return 'refused';
    if (!this.sessions.isOpen(me)) return 'nothing';
    for (const [doc, version] of heads) {
      if (version > 0 && !this.#logs.get(doc)?.rows.has(version)) return 'nothing';
    }
    const keys = new Set<string>();
    for (const { doc, version } of rows) {
      const key = `${doc}:${version}`;
      if (keys.has(key) || this.#logs.get(doc)?.rows.has(version)) return 'duplicate';
      keys.add(key);
    }
    for (const row of rows) {
      // The row is a copy: the caller may use its buffer again when the batch is durable.
      this.#log(row.doc).rows.set(row.version, { ...row, op: row.op.slice(), session: me.id, batch });
    }
    return 'written';
  }

  countBatch(me: SessionRef, batch: number, rows: readonly DeltaRow[]): number {
    return rows.filter(({ doc, version }) => {
      const row = this.#logs.get(doc)?.rows.get(version);
      return row?.session === me.id && row.batch === batch;
    }).length;
  }

  find(org: string, name: string): DocumentRow | undefined {
    const document = this.#documents.get(`${org}/${name}`);
    return document && rowOf(document);
  }

  create(
    me: SessionRef,
    id: DocumentId,
    org: string,
    name: string,
    shard: number,
    { kind, user, mark, first }: Creation,
  ): { row: DocumentRow; created: boolean } | undefined {
    if (!this.sessions.isOpen(me)) return undefined;
    const there = this.find(org, name);
    if (there) return { row: there, created: false };
    if (!this.sessions.owns(me, shard)) return undefined;
    const made: Content = { id, shard, kind, folded: 0, cleared: 0, creation: mark, mark: '', deletedMs: 0 };
    this.#documents.set(`${org}/${name}`, made);
    if (first !== undefined) {
      const epoch = this.sessions.ownedBy(me.id, [shard]).get(shard) ?? 0;
      const row = { ...first, doc: id, version: 1, epoch, user, op: first.op.slice() };
      this.#log(id).rows.set(1, { ...row, session: me.id, batch: 0 });
    }
    return { row: rowOf(made), created: true };
  }

  remove(me: SessionRef, org: string, name: string, shard: number, mark: string): Existence {
    if (!this.sessions.isOpen(me) || !this.sessions.owns(me, shard)) return { type: 'fenced' };
    const key = `${org}/${name}`;
    const live = this.#documents.get(key);
    const deleted = this.#deleted.get(key) ?? [];
    if (live === undefined) {
      const last = deleted.at(-1);
      return last?.mark === mark ? { type: 'changed', id: last.id } : { type: 'none' };
    }
    this.#documents.delete(key);
    this.#deleted.set(key, [...deleted, Object.assign(live, { mark, deletedMs: this.#nowMs() })]);
    return { type: 'changed', id: live.id };
  }

  bringBack(
    me: SessionRef,
    org: string,
    name: string,
    shard: number,
    mark: string,
    trashMs: number,
  ): Existence {
    if (!this.sessions.isOpen(me) || !this.sessions.owns(me, shard)) return { type: 'fenced' };
    const key = `${org}/${name}`;
    const live = this.#documents.get(key);
    if (live !== undefined) return live.mark === mark ? { type: 'changed', id: live.id } : { type: 'exists' };
    const deleted = this.#deleted.get(key) ?? [];
    const last = deleted.at(-1);
    if (last === undefined || this.#nowMs() - last.deletedMs > trashMs) return { type: 'none' };
    this.#deleted.set(key, deleted.slice(0, -1));
    this.#documents.set(key, Object.assign(last, { mark }));
    return { type: 'changed', id: last.id };
  }

  orgShards(orgs: readonly string[]): ReadonlyMap<string, readonly number[]> {
    const all = orgs.map((org) => {
      const documents = [...this.#documents].filter(([name]) => name.startsWith(`${org}/`));
      const shards = new Set(documents.map(([, { shard }]) => shard));
      return [org, [...shards].sort((a, b) => a - b)] as const;
    });
    return new Map(all.filter(([, shards]) => shards.length > 0));
  }

  /** Loads the document at its head or at `upTo`, without a check for gaps. */
  load(id: DocumentId, upTo = Number.MAX_SAFE_INTEGER): LoadedDocument {
    const log = this.#logs.get(id);
    const base = log?.snapshots.findLast((snapshot) => snapshot.version <= upTo);
    const after = base?.version ?? 0;
    return {
      id,
      snapshotVersion: after,
      snapshot: base?.state.slice(),
      deltas: this.#deltas(id, after, upTo),
    };
  }

  /** The version of the newest row above the newest snapshot, or of that snapshot if there is none. */
  headOf(id: DocumentId): number {
    const log = this.#logs.get(id);
    let head = log?.snapshots.at(-1)?.version ?? 0;
    for (const version of log?.rows.keys() ?? []) if (version > head) head = version;
    return head;
  }

  history(id: DocumentId, after: number, upTo: number, maxBytes: number): readonly StoredDelta[] {
    const document = this.#byId(id);
    if (!document || after < document.folded) return [];
    const deltas = this.#deltas(id, after, upTo);
    return deltas[0]?.version === after + 1 ? withinBytes(deltas, maxBytes) : [];
  }

  clientSeqs(id: DocumentId, client: string, upTo: number): ClientSeqs | undefined {
    const log = this.#logs.get(id);
    if (!log) return undefined;
    const kept = log.seqs.get(client);
    const known = kept?.pairs.filter(([, version]) => version <= upTo) ?? [];
    const newest = log.snapshots.at(-1)?.version ?? 0;
    const fresh = this.#deltas(id, newest, upTo).filter((delta) => delta.client === client);
    const user = fresh.at(-1)?.user ?? kept?.user ?? '';
    const pairs = [...fresh.reverse().map(({ seq, version }): Pair => [seq, version]), ...known].slice(
      0,
      PAIRS,
    );
    if (pairs.length === 0)
      return log.someForgotten && kept === undefined ? { lastSeq: null, pairs, user: '' } : undefined;
    const keptLast = kept && known.length === kept.pairs.length ? kept.lastSeq : 0;
    return {
      lastSeq: Math.max(keptLast, ...fresh.map(({ seq }) => seq), ...pairs.map(([seq]) => seq)),
      pairs,
      user,
    };
  }

  clients(id: DocumentId, limit: number): KnownClients {
    const log = this.#logs.get(id);
    const clients = [...(log?.seqs.keys() ?? [])];
    return {
      clients: clients.length > limit ? undefined : clients,
      someForgotten: log?.someForgotten ?? false,
    };
  }

  seqPage(id: DocumentId, client: string, upTo: number): SeqPage {
    const newestFirst = this.#deltas(id, 0, upTo).reverse();
    let bytes = 0;
    const page = newestFirst.filter(({ op }) => {
      const fits = bytes < SEQ_PAGE_BYTES;
      bytes += op.byteLength;
      return fits;
    });
    const theirs = page.filter((delta) => delta.client === client);
    return {
      from: page.at(-1)?.version ?? 1,
      pairs: theirs.map(({ seq, version }): Pair => [seq, version]),
    };
  }

  writeSnapshot(me: SessionRef, snapshot: NewSnapshot): boolean {
    const { doc, version, epoch, previous, state, clients } = snapshot;
    if (!this.sessions.isOpen(me)) return false;
    const log = this.#log(doc);
    const newest = log.snapshots.at(-1);
    if ((newest?.version ?? 0) >= version) return true;
    if ((newest?.version ?? 0) !== previous || log.rows.get(version)?.epoch !== epoch) return false;
    const logged = (newest?.logged ?? 0) + snapshot.logged;
    log.snapshots.push({ version, state: state.slice(), logged, atMs: this.#nowMs() });
    this.#thin(doc, log);
    for (const { client, user, lastSeq, pairs } of clients) {
      const kept = log.seqs.get(client) ?? { lastSeq: 0, pairs: [] };
      log.seqs.set(client, {
        user,
        lastSeq: Math.max(kept.lastSeq, lastSeq),
        pairs: [...pairs, ...kept.pairs].slice(0, PAIRS),
        atMs: this.#nowMs(),
      });
    }
    return true;
  }

  /** Does as much of a pass as `limit` allows. A statement takes no time, so the answer is never `busy`. */
  sweep(me: SessionRef, { retention, limit, everyMs }: SweepOptions): SweepSlice {
    if (this.sessions.ownState(me) !== 'live') return { type: 'fenced' };
    if (retention === null || this.#nowMs() < this.#sweepDueMs) return { type: 'idle' };
    const oldEnough = this.#nowMs() - retention.olderThanMs;
    let removed = 0;
    for (const document of this.#documents.values()) {
      const log = this.#logs.get(document.id);
      if (!log) continue;
      const head = Math.max(0, ...log.rows.keys());
      const floor = log.snapshots.findLast(
        ({ version, atMs }) => atMs <= oldEnough && version <= head - retention.keepOps,
      )?.version;
      if (document.cleared === document.folded && floor !== undefined && floor > document.folded) {
        document.folded = floor;
        log.snapshots.splice(
          0,
          log.snapshots.findIndex(({ version }) => version === floor),
        );
      }
      if (document.cleared === document.folded) continue;
      const gone = [...log.rows.keys()]
        .filter((version) => version <= document.folded && version < head)
        .sort((a, b) => a - b)
        .slice(0, limit - removed);
      for (const version of gone) log.rows.delete(version);
      removed += gone.length;
      if (removed >= limit) return { type: 'more', removed };
      removed += forgetClients(log, document.folded, oldEnough, limit - removed);
      if (removed >= limit) return { type: 'more', removed };
      document.cleared = document.folded;
    }
    this.#sweepDueMs = this.#nowMs() + everyMs;
    return { type: 'done', removed };
  }

  /** Removes rows, as in a database that came back without its last commits. */
  loseAbove(id: DocumentId, version: number): void {
    const rows = this.#logs.get(id)?.rows;
    for (const at of [...(rows?.keys() ?? [])]) if (at > version) rows?.delete(at);
  }

  #deltas(id: DocumentId, after: number, upTo: number): StoredDelta[] {
    return [...(this.#logs.get(id)?.rows.values() ?? [])]
      .filter(({ version }) => version > after && version <= upTo)
      .sort((a, b) => a.version - b.version)
      .map(({ version, epoch, client, seq, user, op }) => ({ version, epoch, client, seq, user, op }));
  }

  #thin(id: DocumentId, log: Log): void {
    const places = log.snapshots.map(({ version, state, logged }) => ({
      version,
      bytes: state.byteLength,
      logged,
    }));
    const isWhole = this.#byId(id)?.folded === 0;
    const gone = new Set(superfluous(isWhole ? [EMPTY_DOCUMENT, ...places] : places));
    log.snapshots.splice(
      0,
      log.snapshots.length,
      ...log.snapshots.filter(({ version }) => !gone.has(version)),
    );
  }

  #byId(id: DocumentId): Content | undefined {
    for (const document of this.#documents.values()) if (document.id === id) return document;
    return undefined;
  }

  #log(id: DocumentId): Log {
    const there = this.#logs.get(id);
    if (there) return there;
    const log: Log = { rows: new Map(), snapshots: [], seqs: new Map(), someForgotten: false };
    this.#logs.set(id, log);
    return log;
  }
}

/** Forgets clients that have nothing above `floor`, not even in the log. Returns their number. */
function forgetClients(log: Log, floor: number, oldEnough: number, limit: number): number {
  const newest = log.snapshots.at(-1)?.version ?? 0;
  const above = [...log.rows.values()].filter(({ version }) => version > newest);
  const back = new Set(above.map(({ client }) => client));
  const gone = [...log.seqs]
    .filter(
      ([client, { pairs, atMs }]) => (pairs[0]?.[1] ?? 0) <= floor && atMs <= oldEnough && !back.has(client),
    )
    .map(([client]) => client)
    .sort()
    .slice(0, limit);
  for (const client of gone) log.seqs.delete(client);
  log.someForgotten ||= gone.length > 0;
  return gone.length;
}

const rowOf = ({ id, kind, folded, creation }: Content): DocumentRow => ({ id, kind, folded, creation });

/** PostgreSQL's text has no U+0000, its int8 no fractions, and the schema no version 0. */
function isRefused({ doc, version, epoch, seq, client, user }: DeltaRow): boolean {
  const integers = [doc, version, epoch, seq].every(Number.isSafeInteger);
  return !integers || version < 1 || client.includes('\0') || user.includes('\0');
}
