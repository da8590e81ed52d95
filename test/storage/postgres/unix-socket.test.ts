// A PostgreSQL that listens on a Unix socket, by both forms of its URL.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { createControlStore, createWorkerStore } from '../../../actors/storage/store-postgres.ts';
import { serversOf } from '../../../config/urls/postgres-url.ts';
import { startTestPostgres } from '../../support/postgres.ts';
import { row } from '../contract/contract.ts';
import { document } from './support.ts';

void test('a store works over a Unix socket, named in the query or in the place of the host', async (t) => {
  const server = await startTestPostgres({ fsync: false, unixSocket: true });
  t.after(() => server.stop());
  const [place] = serversOf(server.url);
  assert.ok(place);
  const credentials = `${place.user}:${place.password}`;
  const query = `postgres://${credentials}@/${place.database}?host=${server.directory}&port=${place.port}`;
  const host = `postgres://${credentials}@${encodeURIComponent(server.directory)}:${place.port}/${place.database}`;
  for (const [slot, url] of [query, host].entries()) {
    const control = createControlStore({ url });
    t.after(() => control.close());
    await control.migrate();
    const worker = createWorkerStore({ url });
    t.after(() => worker.abort());
    await worker.open({ run: randomUUID(), node: 'node', slot });
    const doc = await document(worker, `d${slot}`, slot);
    assert.equal((await worker.append([row(doc, 1)], new Map([[doc, 0]]))).type, 'committed');
  }
});
