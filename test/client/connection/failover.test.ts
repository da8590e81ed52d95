// The SDK against a cluster of real processes: a page knows the URL of one node only, that node is killed,
// and the page goes on at another node, of which the first had told it.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { WebSocket } from 'ws';
import { type ConnectionFailure, TroupeClient } from '../../../client/index.ts';
import { freePorts } from '../../../loadtest/nodes/free-ports.ts';
import { start } from '../../cli/spawn.ts';
import { putRedisOnPath } from '../../support/redis.ts';
import { WireClient } from '../../support/wire-client.ts';

const LAUNCHER = fileURLToPath(new URL('../../../tools/local-cluster.js', import.meta.url));
const LIMIT = { timeout: 180_000 };

await putRedisOnPath();

test(
  'HELLO-7 a client whose only node is killed goes on at one that it was told of, and its edits are committed once',
  LIMIT,
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'troupe-failover-'));
    t.after(() => rm(directory, { recursive: true, force: true }));
    const port = await freePorts(2);
    const options = [`--nodes=2`, `--port=${port}`, `--directory=${relative(process.cwd(), directory)}`];
    const cluster = start(t, [LAUNCHER, ...options]);
    const nodes = await Promise.all(
      [1, 2].map(async (number) => {
        const [, url = '', pid = ''] = await cluster.line(
          new RegExp(`^node-${number}: +(http\\S+?)/? .*\\(process (\\d+)\\)`),
        );
        const base = url.replace(/^http/, 'ws');
        return { base, socket: `${base}/v1/socket`, pid: Number(pid) };
      }),
    );
    await cluster.line(/^The cluster is ready/);

    const [first, second] = nodes;
    assert.ok(first !== undefined && second !== undefined);
    // Resolves when the node tells its clients of the other, after the two have connected.
    const tells = async (from: string, client: string, other: string): Promise<WireClient> => {
      const watcher = await WireClient.connect(t, from);
      watcher.send({ type: 'hello', client });
      await watcher.take(({ nodes: told }) => isDeepStrictEqual(told, [other]), `the address ${other}`);
      return watcher;
    };
    await tells(first.socket, 'watcher-1', second.base);
    const watcher = await tells(second.socket, 'watcher-2', first.base);

    const dialled: string[] = [];
    class Seen extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        dialled.push(url);
      }
    }
    const urls = [first.socket];
    const client = new TroupeClient({ urls, webSocket: Seen });
    const reader = new TroupeClient({ urls, webSocket: WebSocket });
    t.after(() => {
      client.close();
      reader.close();
    });
    const doc = client.open('acme/failover', 'rich-text');
    const copy = reader.open('acme/failover', 'rich-text');
    await Promise.all([doc.ready, copy.ready]);
    doc.edit([{ insert: 'before ' }]);
    await doc.whenSaved();

    const failed = new Promise<ConnectionFailure>((resolve) => client.on('failed', resolve));
    doc.edit([{ retain: 7 }, { insert: 'during ' }]);
    process.kill(first.pid, 'SIGKILL');
    assert.equal((await failed).url, first.socket);
    doc.edit([{ retain: 14 }, { insert: 'after' }]);
    await doc.whenSaved();
    assert.equal(dialled.at(-1), second.socket);
    assert.deepEqual(
      (await watcher.next('nodes', ({ nodes: told }) => isDeepStrictEqual(told, []))).nodes,
      [],
    );
    assert.deepEqual(doc.content.ops, [{ insert: 'before during after\n' }]);
    const text = () => copy.content.ops[0]?.insert;
    while (text() !== 'before during after\n')
      await new Promise<void>((resolve) => copy.on('change', () => resolve()));
    cluster.child.kill('SIGINT');
    await cluster.ended;
  },
);
