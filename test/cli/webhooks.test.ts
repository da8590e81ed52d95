// `troupe webhooks list` and `retry` beside a node that runs on the embedded PostgreSQL.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import postgres from 'postgres';
import { startEmbeddedPostgres } from '../../actors/storage/embedded-postgres.ts';
import { createControlStore, createEventStore } from '../../actors/storage/store-postgres.ts';
import { run } from '../../src/cli/cli.ts';
import { placeData } from '../support/postgres-data.ts';

async function troupe(directory: string, ...args: string[]) {
  let output = '';
  const into = {
    write: (text: string) => {
      output += text;
    },
  };
  const of = ['--set', `storage.embedded.directory=${directory}`];
  const code = await run([...args, ...of], { stdout: into, stderr: into, env: {} });
  return { code, output };
}

test('the parked messages of a running node with the embedded PostgreSQL are listed, and sent again', {
  timeout: 120_000,
}, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-webhooks-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const data = join(directory, 'data');
  await mkdir(data);
  await placeData(data);
  const server = await startEmbeddedPostgres({ directory: data });
  t.after(() => server.stop());
  const control = createControlStore({ url: server.url });
  const events = createEventStore({ url: server.url });
  const admin = postgres(server.url, { max: 1, onnotice: () => undefined });
  await control.migrate();
  await admin`
      INSERT INTO webhook_message (endpoint, doc, type, event, org, name, since, version, at, problem, parked_at)
      VALUES ('hook', 1, 2, 7, 'acme', 'plan', 0, 3, now(), 'status 500', now())`;
  const listed = await troupe(data, 'webhooks', 'list');
  assert.equal(listed.code, 0, listed.output);
  assert.match(listed.output, /hook +acme\/plan +changed +3 .*parked at .*status 500/);
  const again = await troupe(data, 'webhooks', 'retry');
  assert.deepEqual([again.code, again.output], [0, '1 message will be sent again.\n']);
  assert.equal(await events.parkedCount(), 0);
  // The processes in the folder end before it is removed.
  await admin.end();
  await events.close();
  await control.close();
  await server.stop();
});
