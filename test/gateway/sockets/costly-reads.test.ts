// Sockets whose frames take the thread long come one after the other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CostlyReads } from '../../../src/gateway/sockets/costly-reads.ts';
import { FileNode, inBoth } from '../wire/contract.ts';

function costlyReads() {
  const told: string[] = [];
  const timers: { readonly ms: number; readonly run: () => void }[] = [];
  const reads = new CostlyReads<string>({
    after: (ms, run) => timers.push({ ms, run }),
    hold: (socket) => told.push(`hold ${socket}`),
    letGo: (socket) => told.push(`let go ${socket}`),
  });
  /** Ends the pause that has begun. Returns its length. */
  const pass = (): number => {
    const [timer] = timers.splice(0);
    timer?.run();
    return timer?.ms ?? 0;
  };
  return { told, timers, reads, pass };
}

test('LIMIT-3 sockets with costly frames are let go one at a time, after pauses as long as the reads were', () => {
  const { told, timers, reads, pass } = costlyReads();
  reads.read('a', 20);
  reads.read('b', 30);
  reads.read('c', 1);
  assert.deepEqual(told.splice(0), ['hold a', 'hold b']);
  assert.equal(pass(), 40);
  assert.deepEqual(told.splice(0), ['let go a']);
  reads.read('a', 20);
  assert.equal(pass(), 60, 'what b has taken');
  assert.deepEqual(told.splice(0), ['hold a', 'let go b']);
  assert.equal(pass(), 40);
  assert.deepEqual(told.splice(0), ['let go a']);
  assert.equal(timers.length, 0);
});

test('LIMIT-3 the next socket is let go also where one is closed or says no more', () => {
  const { told, timers, reads, pass } = costlyReads();
  for (const socket of ['a', 'b', 'c']) reads.read(socket, 10);
  reads.closed('a');
  pass();
  pass();
  assert.deepEqual(told.slice(3), ['let go b', 'let go c']);
  assert.equal(timers.length, 0);
});

const KiB = 1024;
const file = new FileNode();

inBoth('LIMIT-3 frames that cost and are refused are answered, and others go on', async (t, codec) => {
  const clients = await Promise.all(Array.from({ length: 5 }, () => file.connect(t, codec)));
  const other = await file.connect(t, codec);
  const doc = file.newDoc();
  const own = file.newDoc();
  await other.open(own, 'json');
  // A large array without any step of a patch.
  const op = Array.from({ length: 60 * KiB }, () => ({}));
  const answers = clients.map(async (client) => {
    await client.open(doc, 'json');
    for (let seq = 1; seq <= 4; seq++) client.send({ type: 'submit', doc, seq, op });
    for (let seq = 1; seq <= 4; seq++) assert.equal((await client.next('reject')).seq, seq);
  });
  for (let seq = 1; seq <= 10; seq++)
    assert.equal((await other.submit(own, seq, [{ op: 'add', path: '/n', value: seq }])).type, 'commit');
  await Promise.all(answers);
});
