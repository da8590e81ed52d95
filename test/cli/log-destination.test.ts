// The destination of a node's log: lines stay in order, the node never waits for it, and lost lines are
// counted. The pipe is a real one.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { LogDestination } from '../../src/cli/log-destination.ts';

/** Both ends of a pipe, neither of which blocks. */
function pipe(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-log-'));
  const path = join(directory, 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  t.after(() => {
    for (const fd of [reader, writer]) closeSync(fd);
    rmSync(directory, { recursive: true });
  });
  const bytes = Buffer.alloc(1 << 20);
  const read = (): string => {
    try {
      return bytes.toString('utf8', 0, readSync(reader, bytes));
    } catch {
      return '';
    }
  };
  return { writer, read };
}

const lines = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, at) => `${from + at} ${'x'.repeat(990)}\n`);

const failing = (code: string) => Object.assign(new Error(code), { code });

test('a line is written when it is told', (t) => {
  const { writer, read } = pipe(t);
  const log = new LogDestination(writer);
  log.write('one\n');
  log.write('two\n');
  assert.equal(read(), 'one\ntwo\n');
});

test('lines that a slow reader has not taken wait, and come whole and in order', async (t) => {
  const { writer, read } = pipe(t);
  const log = new LogDestination(writer);
  const told = lines(0, 300);
  for (const line of told) log.write(line);
  let got = '';
  while (got.length < told.join('').length) {
    got += read();
    await new Promise((turn) => setImmediate(turn));
  }
  assert.equal(got, told.join(''));
});

test('at the end of the process what waits is written, and a reader that has stopped is left', (t) => {
  const { writer, read } = pipe(t);
  const log = new LogDestination(writer);
  const told = lines(0, 70);
  for (const line of told) log.write(line);
  log.flushSync();
  const first = read();
  log.flushSync();
  assert.equal(first + read(), told.join(''));
});

test('past a megabyte that waits lines are dropped; their number is told when lines are written again', async (t) => {
  const { writer, read } = pipe(t);
  const resumed = new Promise<number>((resolve) => {
    const log = new LogDestination(writer, { onResumed: resolve });
    for (const line of lines(0, 3000)) log.write(line);
  });
  let got = '';
  let dropped: number | undefined;
  void resumed.then((count) => {
    dropped = count;
  });
  while (dropped === undefined) {
    got += read();
    await new Promise((turn) => setImmediate(turn));
  }
  got += read();
  const kept = got.split('\n').length - 1;
  assert.equal(kept + dropped, 3000);
  assert.equal(got, lines(0, kept).join(''));
});

test('lines that cannot be written are dropped at once, and a line that was cut off spoils no other', () => {
  let room = 10;
  const written: string[] = [];
  const resumed: number[] = [];
  const log = new LogDestination(-1, {
    onResumed: (dropped) => {
      resumed.push(dropped);
      log.write(`${dropped} dropped\n`);
    },
    write: (_fd, bytes) => {
      const size = Math.min(room, bytes.length);
      if (size === 0) throw failing('ENOSPC');
      room -= size;
      written.push(Buffer.from(bytes.subarray(0, size)).toString());
      return size;
    },
  });
  for (const line of ['first\n', 'second\n', 'third\n']) log.write(line);
  room = 100;
  log.write('fourth\n');
  assert.equal(written.join(''), 'first\nseco\nfourth\n2 dropped\n');
  assert.deepEqual(resumed, [2]);
});
