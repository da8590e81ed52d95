// The checker for runs in which programs write over HTTP too. Finds each write in the log by its marker, tests the promises
// of HTTP at its place, and hands the writes and reads to checker.ts, which judges them as it judges those of sockets.
import type { Wire } from '../../protocol/messages.ts';
import { type CheckOptions, check, type DocumentLog, type LogRow } from './checker.ts';
import { type HttpRecord, type HttpWrite, MARKER } from './http-records.ts';
import type { DocumentRecord, Rule, SubmitRecord, Violation } from './records.ts';
import { told } from './records.ts';

export interface HttpCheckOptions extends CheckOptions {
  /** Whether clients without records may have written the documents too. Default false: then each of their patches is a violation. */
  readonly others?: boolean;
}

/** Every contradiction between the logs, the records of sockets, and those of HTTP clients. */
export function checkWithHttp(
  logs: readonly DocumentLog[],
  records: readonly DocumentRecord[],
  http: readonly HttpRecord[],
  { others = false, ...options }: HttpCheckOptions = {},
): Violation[] {
  const found = http.flatMap(({ violations }) => [...violations]);
  const placed: DocumentRecord[] = [];
  const withReads = logs.map((log) => {
    const own = http.filter(({ doc }) => doc === log.doc);
    if (others && own.length === 0) return log;
    const known = new Set(records.filter(({ doc }) => doc === log.doc).map(({ client }) => client));
    const checked = new WritesCheck(log, own, known, others);
    found.push(...checked.violations);
    placed.push(...checked.placed.values());
    return { ...log, snapshots: [...(log.snapshots ?? []), ...checked.reads] };
  });
  return [...found, ...check(withReads, [...records, ...placed], options)];
}

/** The writes and reads of all HTTP clients of one document. */
class WritesCheck {
  readonly violations: Violation[] = [];
  readonly reads: { readonly version: number; readonly content: Wire }[] = [];
  /** The writes that are in the log, by the client id under which they committed. */
  readonly placed = new Map<string, DocumentRecord & { readonly submits: Map<number, SubmitRecord> }>();
  readonly #log: DocumentLog;

  constructor(log: DocumentLog, http: readonly HttpRecord[], known: ReadonlySet<string>, hasOthers: boolean) {
    this.#log = log;
    const rows = this.#rowsByMarker(known);
    for (const record of http) {
      for (const write of record.writes) {
        this.#write(record, write, rows.get(write.marker) ?? []);
        rows.delete(write.marker);
      }
      this.#reads(record);
    }
    if (hasOthers) return;
    for (const [marker, [row]] of rows)
      this.#broken('never-submitted', `${marker || 'a patch without a marker'}, version ${row?.version}`);
  }

  /** The rows of clients without records, which are those of HTTP. A row without a marker has ''. */
  #rowsByMarker(known: ReadonlySet<string>): Map<string, LogRow[]> {
    const found = new Map<string, LogRow[]>();
    for (const row of this.#log.rows) {
      if (known.has(row.client)) continue;
      for (const marker of textOf(row.op).match(MARKER) ?? ['']) {
        const rows = found.get(marker);
        if (rows === undefined) found.set(marker, [row]);
        else rows.push(row);
      }
    }
    return found;
  }

  #write({ writer }: HttpRecord, write: HttpWrite, rows: readonly LogRow[]): void {
    const { marker, fate, ifVersion, isUsed } = write;
    const versions = rows.map(({ version }) => version);
    const where = versions.join(' and ');
    if (versions.length > 1) this.#broken('committed-twice', `${marker} is versions ${where}`, writer);
    if (isUsed) {
      if (versions.length > 0)
        this.#broken(
          'key-used-twice',
          `${marker} is version ${where}, under a key that had been applied`,
          writer,
        );
      return;
    }
    if (fate.type === 'ok' && !versions.includes(fate.version)) {
      const rule = versions.length === 0 ? 'acked-lost' : 'acked-elsewhere';
      this.#broken(rule, `${marker} was ${told(fate)}, and is ${where || 'gone'}`, writer);
    }
    if (fate.type === 'rejected' && versions.length > 0)
      this.#broken('rejected-committed', `${marker} was ${told(fate)}, and is version ${where}`, writer);
    if (ifVersion !== undefined) {
      for (const version of versions)
        if (version !== ifVersion + 1)
          this.#broken('if-match-broken', `${marker} on ${ifVersion} alone is version ${version}`, writer);
      if (
        fate.type === 'rejected' &&
        fate.code === 'precondition-failed' &&
        this.#log.rows.length <= ifVersion
      )
        this.#broken('if-match-refused', `${marker} on ${ifVersion}, which is still the head`, writer);
    }
    for (const row of rows) this.#place(write, row);
  }

  /**
   * The write as a submit, whose fate is judged here. A patch without a base is made on the version before its own.
   */
  #place({ op, base, sends }: HttpWrite, { client, seq, version }: LogRow): void {
    const { doc, history, kind } = this.#log;
    let record = this.placed.get(client);
    if (record === undefined) {
      record = { doc, client, submits: new Map(), streams: [], violations: [], replica: undefined };
      this.placed.set(client, record);
    }
    record.submits.set(seq, {
      seq,
      base: kind === 'yjs' ? undefined : (base ?? version - 1),
      op,
      history,
      fate: { type: 'unknown' },
      sends,
      changed: false,
      firstSentAt: 0,
      lastSentAt: 0,
      seenAtLastSend: -1,
      decidedAt: undefined,
    });
  }

  #reads({ writer, reads }: HttpRecord): void {
    const { history, rows } = this.#log;
    for (const read of reads) {
      if (read.history !== history)
        this.#broken('history-changed', `read ${read.history}, and the log is of ${history}`, writer);
      else if (read.version > rows.length)
        this.#broken('stream-ahead', `read version ${read.version}, the head is ${rows.length}`, writer);
      else this.reads.push(read);
    }
  }

  #broken(rule: Rule, detail: string, client?: string): void {
    this.violations.push({ rule, doc: this.#log.doc, detail, ...(client === undefined ? {} : { client }) });
  }
}

const textOf = (op: Wire): string =>
  op instanceof Uint8Array ? Buffer.from(op).toString('latin1') : JSON.stringify(op);
