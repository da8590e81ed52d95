// The SDK against a cluster of real processes: the node of a page is killed, and the page goes on at another.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { type ConnectionFailure, TroupeClient } from '../../client/index.ts';
import { freePort } from '../../loadtest/node-process.ts';
import { start } from '../cli/spawn.ts';
import { putRedisOnPath } from '../support/redis.ts';

const LAUNCHER = fileURLToPath(new URL('../../src/local-cluster.js', import.meta.url));
const LIMIT = { timeout: 180_000 };

await putRedisOnPath();

test(
  'a client whose node is killed goes on at another, and its edits are committed once',
  LIMIT,
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'troupe-failover-'));
    t.after(() => rm(directory, { recursive: true, force: true }));
    const port = await freePort();
    const options = [`--nodes=2`, `--port=${port}`, `--directory=${relative(process.cwd(), directory)}`];
    const cluster = start(t, [LAUNCHER, ...options]);
    const nodes = await Promise.all(
      [1, 2].map(async (number) => {
        const [, url = '', pid = ''] = await cluster.line(
          new RegExp(`^node-${number}: +(http\\S+?)/? .*\\(process (\\d+)\\)`),
        );
        return { socket: `${url.replace(/^http/, 'ws')}/v1/socket`, pid: Number(pid) };
      }),
    );
    await cluster.line(/^The cluster is ready/);

    const dialled: string[] = [];
    class Seen extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        dialled.push(url);
      }
    }
    const urls = nodes.map(({ socket }) => socket);
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

    const [home] = dialled;
    const killed = nodes.find(({ socket }) => socket === home);
    assert.ok(killed);
    const failed = new Promise<ConnectionFailure>((resolve) => client.on('failed', resolve));
    doc.edit([{ retain: 7 }, { insert: 'during ' }]);
    process.kill(killed.pid, 'SIGKILL');
    assert.equal((await failed).url, home);
    doc.edit([{ retain: 14 }, { insert: 'after' }]);
    await doc.whenSaved();
    assert.notEqual(dialled.at(-1), home);
    assert.deepEqual(doc.content.ops, [{ insert: 'before during after\n' }]);
    const text = () => copy.content.ops[0]?.insert;
    while (text() !== 'before during after\n')
      await new Promise<void>((resolve) => copy.on('change', () => resolve()));
    cluster.child.kill('SIGINT');
    await cluster.ended;
  },
);
