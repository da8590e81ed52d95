// A node that starts judges the answers of the nodes that the database lists. The answers come from listeners
// of this process, and the rows are the test's. admission.test.ts has whole processes.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../../actors/clock.ts';
import type { SessionRow } from '../../../actors/storage/store.ts';
import { createTcpNetwork } from '../../../cluster/peer/tcp/network-tcp.ts';
import type { PeerCredentials } from '../../../cluster/peer/tcp/tcp-context.ts';
import { configFrom } from '../../../config/load.ts';
import { askAdmission } from '../../../src/membership/admission.ts';
import { type Authority, createAuthority } from '../../cluster/peer/peer-certificates.ts';

const SECRET = 'a secret of the tests';
const STORAGE = { url: 'postgres://db/troupe' };

test('if some nodes accept it and some refuse, a node joins, and names the nodes that refuse', async (t) => {
  const rows = [
    await listening(t, 'a', { secret: SECRET }),
    await listening(t, 'b', { secret: 'another secret' }),
  ];
  const { warnings } = await ask({ rows, cluster: member() });
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /^node b at \S+ does not take this node \{"cause":"cluster.secret differs/);
  await assert.rejects(
    ask({ rows: rows.slice(1), cluster: member() }),
    /^StartError: node b .*cluster\.secret/,
  );
});

test('another run at the address, and rows without a use, say nothing', async (t) => {
  const a = await listening(t, 'a', { secret: 'another secret' });
  const rows = [
    { ...a, run: 'its predecessor' },
    { ...a, slot: 0 },
    { ...a, address: null },
    { ...a, address: 'no address' },
  ];
  assert.deepEqual((await ask({ rows, cluster: member() })).warnings, []);
});

test('TLS that does not come to pass counts where the database shows that the node lives', async (t) => {
  const authority = createAuthority('theirs');
  const row = await listening(t, 'a', { secret: SECRET, tls: authority.issue('a') });
  const rows = [row];
  const stranger = files(t, createAuthority('another'));
  for (const cluster of [member(), member({ link: { tls: stranger } })]) {
    await assert.rejects(ask({ rows, cluster, connected: [row.run] }), /node a at .*cluster\.link\.tls/);
    assert.deepEqual((await ask({ rows, cluster })).warnings, [], 'it may be anything');
  }
  await assert.rejects(
    ask({ rows, cluster: {}, connected: [row.run] }),
    /is used by the cluster of nodes with cluster\.link\.tls, of which node a at \S+ is live: set cluster\.redis/,
  );
  const one = member({ link: { tls: files(t, authority) } });
  assert.deepEqual((await ask({ rows, cluster: one, connected: [row.run] })).warnings, []);
});

test('a node of the same name that leaves is not waited for', async (t) => {
  const row = await listening(t, 'me', { secret: SECRET });
  await ask({ rows: [{ ...row, state: 'draining' }], cluster: member() });
});

const member = (more: object = {}): object => ({
  name: 'tests',
  redis: 'redis://127.0.0.1:1',
  secret: SECRET,
  ...more,
});

interface Asking {
  readonly rows: readonly SessionRow[];
  readonly cluster: object;
  /** The runs that have connections to the database. */
  readonly connected?: readonly string[];
}

async function ask({
  rows,
  cluster,
  connected = [],
}: Asking): Promise<{ readonly warnings: readonly string[] }> {
  const warnings: string[] = [];
  await askAdmission({
    config: configFrom({ node: { name: 'me' }, storage: STORAGE, cluster }),
    control: { sessions: async () => rows, connectedRuns: async () => new Set(connected) },
    log: (_, message, fields) => warnings.push(`${message} ${JSON.stringify(fields)}`),
    signal: new AbortController().signal,
  });
  return { warnings };
}

/** Starts a node that listens, as the database would list it. */
async function listening(t: TestContext, node: string, credentials: PeerCredentials): Promise<SessionRow> {
  const network = createTcpNetwork({
    identity: { cluster: 'tests', node, run: `run-${node}` },
    host: '127.0.0.1',
    port: 0,
    credentials,
    clock: systemClock,
    random: Math.random,
    log: () => undefined,
  });
  t.after(() => network.close());
  const { host, port } = await network.listen();
  return { id: 1, run: `run-${node}`, node, slot: -1, state: 'live', address: `${host}:${port}` };
}

function files(t: TestContext, authority: Authority): Record<string, string> {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-tls-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return Object.fromEntries(
    Object.entries(authority.issue('me')).map(([name, text]) => {
      const file = join(directory, name);
      writeFileSync(file, text);
      return [name, file];
    }),
  );
}
