// The first contact with PostgreSQL: the start waits for a server that is not there yet, and ends at one that
// cannot be used.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import postgres from 'postgres';
import { EXIT, StartError } from '../../../config/fatal.ts';
import { waitForPostgres } from '../../../src/database/postgres-start.ts';
import { startPgBouncer } from '../../support/pgbouncer.ts';
import { freshDatabase } from '../../support/postgres.ts';

const LIMIT = { timeout: 120_000 };
/** The settings with which every connection begins. */
const STARTUP = ['statement_timeout', 'idle_in_transaction_session_timeout', 'tcp_user_timeout']
  .concat(['tcp_keepalives_idle', 'tcp_keepalives_interval', 'tcp_keepalives_count'])
  .join();
/** Longer than a test may take. */
const LONG_MS = 600_000;

test('a PostgreSQL that is not there yet is waited for, and that is told', LIMIT, async (t) => {
  const url = await freshDatabase(t);
  const { hostname, port } = new URL(url);
  // A port at which no server listens until the wait has been reported.
  const door = createServer().listen(0, '127.0.0.1');
  await once(door, 'listening');
  const address = door.address();
  assert.ok(address !== null && typeof address === 'object');
  door.close();
  await once(door, 'close');
  const reasons: string[] = [];
  const late = createServer((caller) => {
    const server = connect(Number(port), hostname);
    caller.pipe(server).pipe(caller);
    for (const socket of [caller, server]) socket.on('error', () => undefined);
  });
  t.after(() => new Promise((closed) => late.close(closed)));
  await waitForPostgres({
    storage: { url: Object.assign(new URL(url), { host: `127.0.0.1:${address.port}` }).href },
    timeoutMs: LONG_MS,
    onWaiting: ({ reason }) => {
      reasons.push(reason);
      if (!late.listening) late.listen(address.port, '127.0.0.1');
    },
  });
  assert.match(reasons[0] ?? '', /ECONNREFUSED/);
});

test('the wait ends with one line that says how long it was', LIMIT, async () => {
  const waiting = waitForPostgres({
    storage: { url: 'postgres://u@127.0.0.1:1/d' },
    timeoutMs: 150,
    onWaiting: () => undefined,
  });
  await assert.rejects(
    waiting,
    /^StartError: cannot reach PostgreSQL \(tried for 150ms: storage\.startTimeoutMs\): .*127\.0\.0\.1:1$/,
  );
});

test('the start does not wait at a failure that does not pass by itself', LIMIT, async (t) => {
  const url = new URL(await freshDatabase(t));
  const of = (change: Partial<URL>): string => Object.assign(new URL(url), change).href;
  for (const [wrong, line] of [
    [
      of({ password: 'another' }),
      /^PostgreSQL refuses the user or the password of storage\.url: password authentication failed/,
    ],
    [of({ pathname: '/nowhere' }), /^PostgreSQL has no such database: database "nowhere" does not exist/],
    [of({ search: '?no_such_setting=1' }), /^PostgreSQL refuses: unrecognized configuration parameter/],
  ] as const) {
    await refused(wrong, line, EXIT.failure);
  }
});

test(
  'a pooler that shares backends, or drops what a connection begins with, is refused',
  LIMIT,
  async (t) => {
    const url = await freshDatabase(t);
    const line = /^a connection pooler stands between this node and PostgreSQL \(it ([^)]*)\)/;
    const drops = await startPgBouncer(t, { url, mode: 'transaction', ignored: STARTUP });
    assert.equal(
      (await refused(drops, line, EXIT.config))[1],
      'ignores the settings that a connection begins with',
    );
    const strict = await startPgBouncer(t, { url, mode: 'transaction' });
    assert.equal(
      (await refused(strict, line, EXIT.config))[1],
      'does not take the settings that a connection begins with',
    );
  },
);

test('a pooler that keeps the settings is seen by the backends that it shares', LIMIT, async (t) => {
  const url = new URL(await freshDatabase(t));
  const database = url.pathname.slice(1);
  const sql = postgres(url.href, { max: 1, onnotice: () => undefined });
  // As with a pooler that forwards the settings, each backend begins with them by itself.
  await sql.unsafe(`ALTER DATABASE ${database} SET idle_in_transaction_session_timeout = 30000`);
  await sql.end();
  const shares = await startPgBouncer(t, { url: url.href, mode: 'transaction', ignored: STARTUP });
  await refused(shares, /\(it shares backends between connections\)/, EXIT.config);
  const session = await startPgBouncer(t, { url: url.href, mode: 'session', ignored: STARTUP });
  await waitForPostgres({ storage: { url: session }, timeoutMs: 0, onWaiting: () => undefined });
});

async function refused(url: string, line: RegExp, exitCode: number): Promise<RegExpExecArray> {
  const waiting = waitForPostgres({ storage: { url }, timeoutMs: LONG_MS, onWaiting: () => undefined });
  const error = await waiting.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StartError, String(error));
  assert.equal(error.exitCode, exitCode);
  const match = line.exec(error.message);
  assert.ok(match, error.message);
  return match;
}
