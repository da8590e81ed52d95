// The form of a backup, version 1: a line that names the form, then frames. A frame is its type (one byte),
// the length of its body (four bytes, big-endian) and the body. The first frame is the header. For each
// table there follow its beginning, the bytes that PostgreSQL copies, and its end. The last frame has the
// number of bytes before it and their SHA-256. Pure except for the streams.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { StartError } from '../../../config/fatal.ts';

const MAGIC = Buffer.from('troupe-backup 1\n');
const TYPE = { header: 1, table: 2, data: 3, tableEnd: 4, end: 5 } as const;
/** A row of PostgreSQL is at most 1 GiB. */
const MAX_BODY = 2 ** 30 + 2 ** 20;
const HEAD_BYTES = 5;

export interface BackupTable {
  readonly name: string;
  readonly columns: readonly string[];
}

export interface BackupSummary {
  readonly tables: number;
  readonly bytes: number;
}

export interface BackupSource {
  readonly migrations: readonly string[];
  readonly tables: readonly BackupTable[];
  readonly copy: (table: BackupTable) => AsyncIterable<Uint8Array>;
}

export async function writeBackup(sink: Writable, source: BackupSource): Promise<BackupSummary> {
  const hash = createHash('sha256');
  let bytes = 0;
  const put = async (piece: Uint8Array): Promise<void> => {
    hash.update(piece);
    bytes += piece.length;
    const isTaken = sink.write(piece);
    if (sink.errored !== null) throw sink.errored;
    if (!isTaken) await once(sink, 'drain');
  };
  const frame = async (type: number, body: Uint8Array): Promise<void> => {
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt8(type);
    head.writeUInt32BE(body.length, 1);
    await put(head);
    await put(body);
  };
  await put(MAGIC);
  await frame(TYPE.header, json({ migrations: source.migrations }));
  for (const table of source.tables) {
    await frame(TYPE.table, json(table));
    for await (const chunk of source.copy(table)) await frame(TYPE.data, chunk);
    await frame(TYPE.tableEnd, json({}));
  }
  await frame(TYPE.end, json({ bytes, sha256: hash.copy().digest('hex') }));
  return { tables: source.tables.length, bytes };
}

export interface BackupFile {
  readonly migrations: readonly string[];
  /**
   * Calls `take` for each table in turn; `take` must read all chunks of the table. Rejects with StartError
   * if the file is cut off or changed.
   */
  read(
    take: (table: BackupTable, chunks: AsyncIterable<Uint8Array>) => Promise<void>,
  ): Promise<BackupSummary>;
}

/** Reads the header. Rejects with StartError if the source is not a backup. */
export async function readBackup(source: AsyncIterable<Uint8Array>): Promise<BackupFile> {
  const input = new Input(source);
  const magic = await input.take(MAGIC.length);
  if (!MAGIC.equals(magic)) {
    const [line = ''] = magic.toString('latin1').split('\n');
    throw new StartError(
      /^troupe-backup /.test(line)
        ? `the backup is of another version of Troupe (${line})`
        : 'the file is no backup of Troupe',
    );
  }
  const header = await input.frame();
  if (header.type !== TYPE.header) throw broken();
  const { migrations } = parse<{ migrations: readonly string[] }>(header.body);
  return { migrations, read: (take) => readTables(input, take) };
}

async function readTables(input: Input, take: Parameters<BackupFile['read']>[0]): Promise<BackupSummary> {
  for (let tables = 0; ; tables++) {
    const { bytes, sha256 } = input;
    const { type, body } = await input.frame();
    if (type === TYPE.end) {
      const said = parse<{ bytes: number; sha256: string }>(body);
      if (said.bytes !== bytes || said.sha256 !== sha256) throw broken();
      await input.demandEnd();
      return { tables, bytes };
    }
    if (type !== TYPE.table) throw broken();
    await take(parse<BackupTable>(body), chunksOf(input));
  }
}

async function* chunksOf(input: Input): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { type, body } = await input.frame();
    if (type === TYPE.tableEnd) return;
    if (type !== TYPE.data) throw broken();
    yield body;
  }
}

/** Reads the source on demand, and counts and hashes its bytes. */
class Input {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #hash = createHash('sha256');
  #rest: Buffer = Buffer.alloc(0);
  bytes = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  get sha256(): string {
    return this.#hash.copy().digest('hex');
  }

  async take(count: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    let missing = count;
    while (missing > 0) {
      if (this.#rest.length === 0) {
        const { value, done } = await this.#source.next();
        if (done === true) throw new StartError('the backup is cut off: it has no end');
        this.#rest = Buffer.from(value.buffer, value.byteOffset, value.length);
      }
      const piece = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(piece.length);
      missing -= piece.length;
      pieces.push(piece);
    }
    const taken = pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
    this.#hash.update(taken);
    this.bytes += count;
    return taken;
  }

  async frame(): Promise<{ readonly type: number; readonly body: Buffer }> {
    const head = await this.take(HEAD_BYTES);
    const length = head.readUInt32BE(1);
    if (length > MAX_BODY) throw broken();
    return { type: head.readUInt8(), body: await this.take(length) };
  }

  async demandEnd(): Promise<void> {
    if (this.#rest.length > 0) throw broken();
    for (;;) {
      const { value, done } = await this.#source.next();
      if (done === true) return;
      if (value.length > 0) throw broken();
    }
  }
}

const broken = (): StartError =>
  new StartError('the backup has been changed since it was written: its checksum differs');

const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));

function parse<T>(body: Buffer): T {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw broken();
  }
}
