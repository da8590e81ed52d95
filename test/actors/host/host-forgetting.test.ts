// OPEN-7 and ONCE-2 where retention has forgotten clients: no client that may have committed is told 0.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPENED, type ToGateway } from '../../../actors/link/link-messages.ts';
import { createMemoryDatabase, type MemoryDatabase } from '../../doubles/store-memory.ts';
import { compact } from '../../storage/contract/support.ts';
import { frameMessage, type Harness, startHost } from './host-harness.ts';

const DOC = 'acme/plan';

async function openedAs(host: Harness, subscriptionId: number, client = `client-${subscriptionId}`) {
  host.got.length = 0;
  host.open(subscriptionId, DOC, { client });
  await host.idle();
  const [frame] = host.got.flatMap((message: ToGateway) => (message[0] === OPENED ? message[3] : []));
  assert.ok(frame instanceof Uint8Array);
  return frameMessage(frame);
}

/** The document at version 1, which is folded away with its author's seqs. */
async function forget(database: MemoryDatabase, host: Harness) {
  const control = database.control();
  const me = await control.openSession({ run: 'control', node: 'test', slot: -1 });
  const writer = database.worker();
  await writer.open({ run: 'writer', node: 'test', slot: 1 });
  const { id } = (await writer.find('acme', 'plan')) ?? assert.fail('no document');
  const state = Buffer.from(JSON.stringify([{ insert: 'a\n' }]));
  const clients = [{ client: 'client-1', user: 'user', lastSeq: 7, pairs: [[7, 1]] as const }];
  assert.equal(
    await writer.writeSnapshot({ doc: id, version: 1, epoch: 1, previous: 0, logged: 1, state, clients }),
    true,
  );
  assert.equal(await compact(control, { olderThanMs: 0, keepOps: 0, limit: 100 }), 1);
  await control.fence(me, { session: host.session });
}

test('OPEN-7 lastSeq is null for whom the document may have forgotten, and known again once he commits', async (t) => {
  const database = createMemoryDatabase();
  const first = await startHost(database);
  t.after(() => first.host.dispose());
  assert.equal((await openedAs(first, 1)).lastSeq, 0);
  first.submit(1, 7, 0, [{ insert: 'a' }]);
  await first.idle();
  assert.equal((await openedAs(first, 2, 'client-1')).lastSeq, 7);
  await forget(database, first);

  const second = await startHost(database);
  t.after(() => second.host.dispose());
  assert.equal((await openedAs(second, 1)).lastSeq, null, 'it has committed');
  assert.equal((await openedAs(second, 2)).lastSeq, null, 'it has not, which nobody knows any more');
  second.submit(2, 1, 1, [{ insert: 'b' }]);
  await second.idle();
  assert.equal((await openedAs(second, 3, 'client-2')).lastSeq, 1);
});
