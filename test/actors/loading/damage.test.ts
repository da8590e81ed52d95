// A host whose store returns damaged bytes of a document, or refuses to return them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPEN_FAILED, OPENED } from '../../../actors/link/link-messages.ts';
import { createMemoryDatabase } from '../../doubles/store-memory.ts';
import { openOn, startHost, withStore } from '../host/host-harness.ts';

const DOC = 'acme/plan';

test('ERR-6 a document whose stored bytes are damaged is quarantined at the third open; the log names the part, its neighbours go on, and a release tries again', async (t) => {
  const memory = createMemoryDatabase();
  const control = memory.control();
  const me = await control.openSession({ run: 'control', node: 'test', slot: -1 });
  const first = await startHost(memory);
  first.open(1, DOC);
  await first.idle();
  const id = Number.parseInt(first.got.flatMap((m) => (m[0] === OPENED ? [m[5]] : []))[0] ?? '', 36);
  first.submit(1, 1, -1, [{ insert: 'a' }]);
  first.submit(1, 2, -1, [{ insert: 'b' }]);
  await first.idle();
  await control.fence(me, { session: first.session });
  first.host.dispose();

  let isDamaged = true;
  const database = withStore(memory, (store) => ({
    load: async (...asked) =>
      (await store.load(...asked)).map((loaded) =>
        loaded?.id !== id || !isDamaged
          ? loaded
          : {
              ...loaded,
              deltas: loaded.deltas.map((delta) =>
                delta.version === 2 ? { ...delta, op: delta.op.subarray(1) } : delta,
              ),
            },
      ),
  }));
  const host = await startHost(database);
  t.after(() => host.host.dispose());
  let subscriptionId = 0;
  const answerTo = async (doc: string): Promise<unknown> => {
    host.got.length = 0;
    const channelId = ++subscriptionId;
    openOn(host, channelId, subscriptionId, doc);
    await host.idle();
    const [answer] = host.got;
    return answer?.[0] === OPEN_FAILED ? answer[3] : answer?.[0];
  };
  for (const code of ['internal', 'internal', 'unavailable', 'unavailable'])
    assert.equal(await answerTo(DOC), code);
  assert.ok(
    host.got.some((m) => m[0] === OPEN_FAILED && Number(m[5]) > 0),
    'it is told when to come again',
  );
  assert.deepEqual(host.failed, [DOC, DOC, DOC]);
  const told = host.errors as { message: string; doc: string; damaged?: string; times?: number }[];
  assert.deepEqual(
    told.map(({ message, doc, damaged, times }) => [message, doc, damaged, times]),
    [1, 2, 3].map((times) => ['a document does not load', DOC, 'the patch of version 2', times]),
  );
  assert.equal(await answerTo('acme/neighbour'), OPENED);
  isDamaged = false;
  assert.equal(await answerTo(DOC), 'unavailable');
  host.host.releaseQuarantined(DOC);
  assert.equal(await answerTo(DOC), OPENED);
});

test('an error of the database that is not about one document puts no document out of service', async (t) => {
  const denied = Object.assign(new Error('permission denied for table delta'), { code: '42501' });
  const database = withStore(createMemoryDatabase(), () => ({ find: () => Promise.reject(denied) }));
  const host = await startHost(database);
  t.after(() => host.host.dispose());
  for (let subscriptionId = 1; subscriptionId <= 5; subscriptionId++) {
    host.open(subscriptionId, DOC);
    await host.idle();
  }
  assert.deepEqual(
    host.got.map((m) => (m[0] === OPEN_FAILED ? m[3] : m[0])),
    Array.from({ length: 5 }, () => 'internal'),
  );
  assert.deepEqual(host.failed, []);
});
