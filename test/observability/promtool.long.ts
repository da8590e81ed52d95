// Prometheus's own checker takes the metrics of a running cluster, the alerts and the configuration.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { packageDirectory } from '../../src/cli/version.ts';
import { startTestNode } from '../support/node.ts';
import { freshDatabase } from '../support/postgres.ts';
import { promtool } from '../support/programs/promtool.ts';
import { startTestRedis } from '../support/redis.ts';
import { WireClient } from '../support/wire-client.ts';

const LIMIT = { timeout: 240_000 };
const PASSED = { code: 0, output: '' };

test('promtool finds nothing wrong with the metrics of each node of a cluster', LIMIT, async (t) => {
  const later: (() => unknown)[] = [];
  const redis = await startTestRedis(t);
  const storageUrl = await freshDatabase({ after: (drop) => void later.push(drop) });
  const cluster = { redis: redis.url, secret: 'a secret of the tests', link: { port: 0 } };
  const nodes = [];
  for (const name of ['a', 'b', 'c'])
    nodes.push(await startTestNode(t, { storageUrl, config: { node: { name }, workers: 1, cluster } }));
  for (const [at, node] of nodes.entries()) {
    const client = await WireClient.connect(t, node.socketUrl, { client: `client-a${at}` });
    await client.open('acme/plan', 'json');
    await client.submit('acme/plan', 1, [{ op: 'add', path: '/x', value: at }]);
    client.close();
  }
  for (const node of nodes) {
    const text = await (await fetch(node.metricsUrl)).text();
    assert.deepEqual(await promtool(['check', 'metrics'], text), PASSED);
  }
  for (const node of nodes) await node.stop();
  for (const drop of later) await drop();
});

test('promtool takes the alerts and the configuration, and refuses a wrong one', LIMIT, async () => {
  const config = join(packageDirectory(), 'config');
  const { code, output } = await promtool(['check', 'config', join(config, 'prometheus.yaml')]);
  assert.equal(code, 0, output);
  assert.match(output, /SUCCESS: \d+ rules found/);
  const wrong = await promtool(['check', 'metrics'], '# TYPE x_ms counter\nx_ms 1\n');
  assert.notEqual(wrong.code, 0);
});
