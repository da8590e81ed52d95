// The log as the memory database holds it after a run: every row with its epoch and the session that wrote
// it, and the newest snapshots. The tables do not record sessions, so this class watches the batches as they
// are written.
import { type AnyKind, atOnce, fromStored, stateOf } from '../../../actors/document/entry.ts';
import { historyOf } from '../../../actors/document/subscribers/frames.ts';
import { shardOf } from '../../../actors/shard.ts';
import type { DocumentId, SessionId, SessionRow } from '../../../actors/storage/store.ts';
import { kindOf } from '../../../kinds/registry.ts';
import type { DocumentLog, StoredRow } from '../../../loadtest/checker/checker.ts';
import { MemoryTables } from '../../doubles/store-memory/database.ts';
import { SessionLocks } from '../../doubles/store-memory/locks.ts';
import type { MemoryCluster } from '../../doubles/store-memory.ts';

type Hook = (session: SessionRow) => void;

export class DatabaseLog {
  readonly tables: MemoryTables;
  /** Rows written, including those that vanished. */
  rows = 0;
  batches = 0;
  /**
   * Rows sent again after they had committed; rows refused because their predecessor was missing, or by a
   * fence.
   */
  again = 0;
  refused = 0;
  /** Fences by sessions that had been fenced themselves: one of two that fence each other. */
  fencesLost = 0;
  /** Batches of fenced sessions that arrived. */
  fromFenced = 0;
  /** Called with the session of each such batch that was written. */
  onZombie: (session: SessionId) => void = () => undefined;
  readonly #hooks = { begins: new Set<Hook>(), written: new Set<Hook>() };
  readonly #sessions = new Map<DocumentId, Map<number, SessionId>>();
  /** The time at which each patch was written, by document, client and seq. */
  readonly #times = new Map<string, number>();
  /** The clients that have committed, by document. */
  readonly #clients = new Set<string>();

  constructor(database: MemoryCluster, now: () => number) {
    const tables: unknown = Reflect.get(database, 'tables');
    if (!(tables instanceof MemoryTables)) throw new Error('the memory database has no tables');
    this.tables = tables;
    const locks: unknown = Reflect.get(database, 'locks');
    if (!(locks instanceof SessionLocks)) throw new Error('the memory database has no locks');
    const hold = locks.hold.bind(locks);
    locks.hold = (ids) => {
      const [first] = ids;
      if (first !== undefined) this.#tell('begins', first);
      return hold(ids);
    };
    const { sessions } = tables;
    const fence = sessions.fence.bind(sessions);
    sessions.fence = (me, victim, soft) => {
      const result = fence(me, victim, soft);
      if (result === false) this.fencesLost++;
      return result;
    };
    const insert = tables.insertBatch.bind(tables);
    tables.insertBatch = (me, batch, rows, heads) => {
      const isFenced = sessions.stateOf(me.id) === 'fenced';
      const result = insert(me, batch, rows, heads);
      if (isFenced) this.fromFenced++;
      else if (result === 'duplicate') this.again++;
      else if (result === 'nothing') this.refused++;
      if (isFenced && result === 'written') this.onZombie(me.id);
      if (result === 'written') {
        this.batches++;
        this.rows += rows.length;
        for (const { doc, version, client, seq } of rows) {
          this.#of(doc).set(version, me.id);
          this.#times.set(`${doc} ${client} ${seq}`, now());
          this.#clients.add(`${doc} ${client}`);
        }
        this.#tell('written', me.id);
      }
      return result;
    };
  }

  /** True if a patch of the client was written. */
  hasCommitted(name: string, client: string): boolean {
    const slash = name.indexOf('/');
    const row = this.tables.find(name.slice(0, slash), name.slice(slash + 1));
    return row !== undefined && this.#clients.has(`${row.id} ${client}`);
  }

  /** The time at which the patch was written, ms. Undefined if it never was. */
  committedAt(name: string, client: string, seq: number): number | undefined {
    const slash = name.indexOf('/');
    const row = this.tables.find(name.slice(0, slash), name.slice(slash + 1));
    return row === undefined ? undefined : this.#times.get(`${row.id} ${client} ${seq}`);
  }

  /** The document's log. Undefined if the document does not exist. */
  read(name: string): DocumentLog | undefined {
    const slash = name.indexOf('/');
    const row = this.tables.find(name.slice(0, slash), name.slice(slash + 1));
    if (row === undefined) return undefined;
    const kind: AnyKind = kindOf(row.kind);
    const deltas = this.tables.history(row.id, 0, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    const sessions = this.#of(row.id);
    const { snapshot, snapshotVersion } = this.tables.load(row.id);
    return {
      doc: name,
      history: historyOf(row.id),
      kind: row.kind,
      rows: deltas.map(({ version, client, seq, op }) => ({
        version,
        client,
        seq,
        op: kind.wire(fromStored(kind, op)),
      })),
      stored: {
        shard: shardOf(name),
        rows: deltas.map(
          ({ version, client, seq, epoch }): StoredRow => ({
            version,
            client,
            seq,
            epoch,
            session: String(sessions.get(version)),
          }),
        ),
      },
      snapshots:
        snapshot === undefined
          ? []
          : [{ version: snapshotVersion, content: kind.snapshot(atOnce(stateOf(kind, snapshot))) }],
    };
  }

  /**
   * The head of the document and the version of its newest snapshot. Undefined if the document does not
   * exist.
   */
  stateOf(
    name: string,
  ): { readonly id: DocumentId; readonly head: number; readonly snapshot: number } | undefined {
    const slash = name.indexOf('/');
    const row = this.tables.find(name.slice(0, slash), name.slice(slash + 1));
    if (row === undefined) return undefined;
    const { snapshotVersion, deltas } = this.tables.load(row.id);
    return { id: row.id, head: deltas.at(-1)?.version ?? snapshotVersion, snapshot: snapshotVersion };
  }

  /** The head of the document. Undefined if the document does not exist. */
  headOf(name: string): number | undefined {
    const slash = name.indexOf('/');
    const row = this.tables.find(name.slice(0, slash), name.slice(slash + 1));
    return row === undefined ? undefined : this.tables.headOf(row.id);
  }

  /**
   * Calls `hook` when an append or a hand-off of a session begins to run, or when an append has been written.
   */
  hook(what: 'begins' | 'written', hook: Hook): { readonly end: () => void } {
    this.#hooks[what].add(hook);
    return { end: () => this.#hooks[what].delete(hook) };
  }

  #tell(what: 'begins' | 'written', id: SessionId): void {
    if (this.#hooks[what].size === 0) return;
    const session = this.tables.sessions.list().find((row) => row.id === id);
    if (session !== undefined) for (const hook of [...this.#hooks[what]]) hook(session);
  }

  #of(doc: DocumentId): Map<number, SessionId> {
    let versions = this.#sessions.get(doc);
    if (versions === undefined) {
      versions = new Map();
      this.#sessions.set(doc, versions);
    }
    return versions;
  }
}
