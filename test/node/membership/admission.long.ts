// Admission where the starting node has to wait: admission.test.ts has the other cases.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { startStage } from './admission-stage.ts';

const LIMIT = { timeout: 120_000 };

test('a node that has died, and a stranger at its address, keep no node from starting', LIMIT, async (t) => {
  const { of, serving, runs } = await startStage(t);
  const dead = await serving(...of('a'));
  dead.child.kill('SIGKILL');
  await dead.ended;
  const [row] = await runs();
  const port = Number(row?.address?.split(':')[1]);
  // The server accepts connections, and ends them.
  const stranger = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
  await once(stranger, 'listening');
  t.after(() => stranger.close());
  const other = await serving(...of('a', 'cluster.name=other'));
  other.child.kill('SIGTERM');
  assert.equal((await other.ended).code, 0);
});
