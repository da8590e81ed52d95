// The checker: compares the clients' records with the log, and the log with its own rules. Pure and
// synchronous; reads records, never a database or a socket. Versions give one order, so every rule looks at
// one place of the log.
import type { KindName, Wire } from '../../protocol/messages.ts';
import type { DocumentRecord, Rule, StreamRecord, SubmitRecord, Violation } from './records.ts';
import { told } from './records.ts';
import { type Replay, replayOf, sameContent, sameWire } from './replica.ts';

export interface LogRow {
  readonly version: number;
  readonly client: string;
  readonly seq: number;
  /** As committed, in wire form. */
  readonly op: Wire;
}

/** A row as the database has it. */
export interface StoredRow {
  readonly version: number;
  readonly client: string;
  readonly seq: number;
  readonly epoch: number;
  readonly session: string;
}

/** A document's whole log, from version 1. */
export interface DocumentLog {
  readonly doc: string;
  readonly history: string;
  readonly kind: KindName;
  readonly rows: readonly LogRow[];
  /** The same document read from the database, in version order; undefined if it was not read. */
  readonly stored?: { readonly shard: number; readonly rows: readonly StoredRow[] };
  /** Snapshots from other sources than a client's stream. */
  readonly snapshots?: readonly { readonly version: number; readonly content: Wire }[];
}

export interface CheckOptions {
  /**
   * Whether to compute again the committed form of every acknowledged submit. Costs a transformation past all
   * versions between its base and its own. Default true.
   */
  readonly recommit?: boolean;
}

/**
 * Every contradiction between the records of all clients and the logs of all documents. Empty if all promises
 * were kept. Records of documents without a log contribute only the recorder's own findings.
 */
export function check(
  logs: readonly DocumentLog[],
  records: readonly DocumentRecord[],
  options: CheckOptions = {},
): Violation[] {
  const found: Violation[] = records.flatMap((record) => [...record.violations]);
  const byDocument = new Map<string, DocumentRecord[]>();
  for (const record of records) {
    const own = byDocument.get(record.doc);
    if (own === undefined) byDocument.set(record.doc, [record]);
    else own.push(record);
  }
  for (const log of logs) found.push(...new DocumentCheck(log, byDocument.get(log.doc) ?? [], options).run());
  found.push(...checkShards(logs));
  return found;
}

class DocumentCheck {
  readonly #log: DocumentLog;
  readonly #records: readonly DocumentRecord[];
  readonly #options: CheckOptions;
  readonly #found: Violation[] = [];
  /** client → seq → versions at which it stands. */
  readonly #places = new Map<string, Map<number, number[]>>();

  constructor(log: DocumentLog, records: readonly DocumentRecord[], options: CheckOptions) {
    this.#log = log;
    this.#records = records;
    this.#options = options;
  }

  run(): Violation[] {
    this.#versions();
    for (const record of this.#records) {
      this.#submits(record);
      for (const stream of record.streams) this.#stream(record, stream);
    }
    this.#authors();
    this.#contents();
    return this.#found;
  }

  /** Versions 1 … head without gap; per client, each seq once and rising; the database holds the same. */
  #versions(): void {
    const { rows, stored } = this.#log;
    const highest = new Map<string, number>();
    for (const [place, row] of rows.entries()) {
      if (row.version !== place + 1) {
        this.#broken('log-gap', `version ${row.version} stands at place ${place + 1}`);
        break;
      }
    }
    for (const row of rows) {
      const seqs = this.#places.get(row.client) ?? new Map<number, number[]>();
      this.#places.set(row.client, seqs);
      const versions = seqs.get(row.seq);
      if (versions === undefined) seqs.set(row.seq, [row.version]);
      else {
        versions.push(row.version);
        this.#broken('committed-twice', `seq ${row.seq} is versions ${versions.join(' and ')}`, row.client);
      }
      const last = highest.get(row.client) ?? 0;
      if (row.seq < last)
        this.#broken('seq-order', `seq ${row.seq} follows ${last} at ${row.version}`, row.client);
      highest.set(row.client, Math.max(last, row.seq));
    }
    if (stored === undefined) return;
    if (stored.rows.length !== rows.length) {
      this.#broken(
        'store-differs',
        `${rows.length} versions over the socket, ${stored.rows.length} in the database`,
      );
    }
    for (const [place, row] of stored.rows.entries()) {
      const other = rows[place];
      if (other === undefined) continue;
      if (other.version !== row.version || other.client !== row.client || other.seq !== row.seq) {
        this.#broken('store-differs', `version ${row.version} is another patch in the database`);
      }
    }
  }

  /**
   * Acknowledged: in the log, at that version. Rejected: not in the log. Unknown: at most once, like every
   * submit.
   */
  #submits(record: DocumentRecord): void {
    for (const submit of record.submits.values()) {
      const versions = this.#places.get(record.client)?.get(submit.seq) ?? [];
      const { fate } = submit;
      if (fate.type === 'ok' && !versions.includes(fate.version)) {
        const rule: Rule = versions.length === 0 ? 'acked-lost' : 'acked-elsewhere';
        this.#broken(
          rule,
          `seq ${submit.seq} was ${told(fate)}, and is ${versions.join() || 'gone'}`,
          record.client,
        );
      }
      if (fate.type === 'rejected' && versions.length > 0) {
        this.#broken('rejected-committed', `seq ${submit.seq} is version ${versions.join()}`, record.client);
      }
    }
  }

  /** The stream of a client must be a slice of the log. */
  #stream(record: DocumentRecord, stream: StreamRecord): void {
    const { rows, history } = this.#log;
    if (stream.history !== history) {
      this.#broken('history-changed', `${stream.history}, and the log is of ${history}`, record.client);
      return;
    }
    for (const [place, entry] of stream.ops.entries()) {
      const version = stream.from + place + 1;
      const row = rows[version - 1];
      if (row === undefined) {
        this.#broken(
          'stream-ahead',
          `was given version ${version}, the head is ${rows.length}`,
          record.client,
        );
        return;
      }
      if (row.client !== entry.client || row.seq !== entry.seq || !sameWire(row.op, entry.op)) {
        this.#broken('stream-differs', `version ${version} is another patch in the log`, record.client);
        return;
      }
    }
    if (stream.snapshot !== undefined && stream.from > rows.length) {
      this.#broken(
        'stream-ahead',
        `was given a snapshot at ${stream.from}, the head is ${rows.length}`,
        record.client,
      );
    }
  }

  /** Every row of a known client was submitted by that client. */
  #authors(): void {
    for (const record of this.#records) {
      for (const [seq, versions] of this.#places.get(record.client) ?? []) {
        if (!record.submits.has(seq)) {
          this.#broken('never-submitted', `seq ${seq}, version ${versions.join()}`, record.client);
        }
      }
    }
  }

  /** Replays the log once, and at each version compares it with every client's content or outcome. */
  #contents(): void {
    const claims = this.#claims();
    const submits = this.#submitsByVersion();
    const replay = replayOf(this.#log.kind);
    this.#compare(replay, claims.get(0));
    for (const row of this.#log.rows) {
      const submit = submits.get(row.version);
      if (submit !== undefined) this.#recommit(replay, row, submit);
      try {
        replay.apply(row.op);
      } catch (error) {
        this.#broken('log-stuck', error instanceof Error ? error.message : String(error));
        return;
      }
      this.#compare(replay, claims.get(row.version));
    }
  }

  #recommit(replay: Replay, row: LogRow, { client, submit }: ClientSubmit): void {
    const { base } = submit;
    if (submit.changed || (base === undefined && replay.kind !== 'yjs')) return;
    if (base !== undefined && base > replay.version) {
      this.#broken('commit-differs', `version ${row.version} was made on ${base}`, client);
      return;
    }
    const expected = replay.expected(submit.op, base ?? replay.version);
    if (!('op' in expected) || !sameWire(expected.op, row.op)) {
      const instead = 'op' in expected ? JSON.stringify(expected.op) : expected.code;
      this.#broken(
        'commit-differs',
        `version ${row.version}, seq ${submit.seq} on ${base}: ${JSON.stringify(row.op).slice(0, 200)}, not ${instead.slice(0, 200)}`,
        client,
      );
    }
  }

  #compare(replay: Replay, claims: readonly Claim[] | undefined): void {
    if (claims === undefined) return;
    const content = replay.content();
    for (const claim of claims) {
      if (!sameContent(this.#log.kind, claim.content, content)) {
        this.#broken(claim.rule, `at version ${replay.version}`, claim.client);
      }
    }
  }

  /** Version → contents that clients claim for it. */
  #claims(): Map<number, Claim[]> {
    const claims = new Map<number, Claim[]>();
    const add = (version: number, claim: Claim) => {
      const list = claims.get(version);
      if (list === undefined) claims.set(version, [claim]);
      else list.push(claim);
    };
    for (const { version, content } of this.#log.snapshots ?? [])
      add(version, { rule: 'snapshot-differs', content });
    for (const { client, streams, replica } of this.#records) {
      for (const { history, from, snapshot } of streams) {
        if (snapshot === undefined || history !== this.#log.history) continue;
        add(from, { rule: 'snapshot-differs', content: snapshot, client });
      }
      if (replica === undefined || replica.history !== this.#log.history) continue;
      add(replica.version, { rule: 'replica-differs', content: replica.content, client });
    }
    return claims;
  }

  #submitsByVersion(): Map<number, ClientSubmit> {
    const submits = new Map<number, ClientSubmit>();
    if (this.#options.recommit === false) return submits;
    for (const { client, submits: own } of this.#records) {
      for (const submit of own.values()) {
        const version = this.#places.get(client)?.get(submit.seq)?.[0];
        if (version !== undefined) submits.set(version, { client, submit });
      }
    }
    return submits;
  }

  #broken(rule: Rule, detail: string, client?: string): void {
    this.#found.push({ rule, doc: this.#log.doc, detail, ...(client === undefined ? {} : { client }) });
  }
}

interface Claim {
  readonly rule: 'snapshot-differs' | 'replica-differs';
  readonly content: Wire;
  readonly client?: string;
}

interface ClientSubmit {
  readonly client: string;
  readonly submit: SubmitRecord;
}

/** Per document, epochs never decrease along versions; per shard, an epoch belongs to one session. */
function checkShards(logs: readonly DocumentLog[]): Violation[] {
  const found: Violation[] = [];
  const sessions = new Map<string, string>();
  for (const { doc, stored } of logs) {
    let last = 0;
    for (const { version, epoch, session } of stored?.rows ?? []) {
      if (epoch < last)
        found.push({ rule: 'epoch-decreased', doc, detail: `${epoch} follows ${last} at ${version}` });
      last = Math.max(last, epoch);
      const key = `${stored?.shard}/${epoch}`;
      const holder = sessions.get(key) ?? session;
      sessions.set(key, holder);
      if (holder !== session) {
        found.push({
          rule: 'epoch-shared',
          doc,
          detail: `shard/epoch ${key}: sessions ${holder} and ${session}`,
        });
      }
    }
  }
  return found;
}
