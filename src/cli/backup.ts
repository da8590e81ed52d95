// `troupe storage backup` and `troupe storage restore`: write the whole database to a file, and read such a
// file into an empty database. They need no pg_dump, and work for the embedded PostgreSQL too, also while its
// node runs.
import { access, open, rename, rm } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import * as database from '../../actors/storage/store-postgres.ts';
import { EXIT, type ExitCode, StartError } from '../../config/fatal.ts';
import type { Config } from '../../config/schema.ts';
import { withRunningDatabase } from './database.ts';
import type { Output } from './output.ts';

/** The file gets its name once it is complete. */
export async function backup(config: Config, file: string, io: Output): Promise<ExitCode> {
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  if (isThere) throw new StartError(`${file} is there already: choose another name`);
  const draft = `${file}.${process.pid}.part`;
  const handle = await open(draft, 'wx', 0o600).catch((error: unknown) => {
    throw fileProblem(error, file);
  });
  const sink = handle.createWriteStream({ flush: true });
  const written = finished(sink);
  written.catch(() => undefined);
  try {
    const summary = await withRunningDatabase(config, async (options) => {
      const made = await database.backup(options, sink);
      sink.end();
      await written;
      return made;
    });
    await rename(draft, file);
    io.stdout.write(`The database is in ${file}: ${size(summary.bytes)}, ${summary.tables} tables.\n`);
    return EXIT.ok;
  } catch (error) {
    sink.destroy();
    await rm(draft, { force: true });
    throw fileProblem(error, file);
  }
}

export async function restore(config: Config, file: string, io: Output): Promise<ExitCode> {
  const handle = await open(file).catch((error: unknown) => {
    throw fileProblem(error, file);
  });
  const source = handle.createReadStream({ highWaterMark: READ_BYTES });
  try {
    const summary = await withRunningDatabase(config, (options) => database.restore(options, source));
    io.stdout.write(
      `${file} is restored: ${size(summary.bytes)}, ${summary.tables} tables. The history is renewed (${summary.history}): clients load their documents anew.\n`,
    );
    return EXIT.ok;
  } catch (error) {
    throw fileProblem(error, file);
  } finally {
    source.destroy();
  }
}

const READ_BYTES = 1_048_576;

/** The error of the file system as one line. */
function fileProblem(error: unknown, file: string): unknown {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return error;
  if (!/^(open|read|write|rename|fsync|close)$/.test(String(error.syscall))) return error;
  return new StartError(`${file}: ${error.message}`, { cause: error });
}

const size = (bytes: number): string =>
  bytes < 1_000_000 ? `${Math.ceil(bytes / 1_000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
