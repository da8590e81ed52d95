// The bytes of a document in PostgreSQL: its snapshots stay in proportion to it and its log, however often it
// is opened.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import postgres from 'postgres';
import { startTestNode } from '../../support/node.ts';
import { freshDatabase } from '../../support/postgres.ts';
import { WireClient } from '../../support/wire-client.ts';

const DOC = 'acme/book';
const CHUNK = 250_000;
const TYPED = 5_000;
const INSERT = 500;
const STAYS = 2;

test('a document of 1 MB that is opened twice for 5 kB of typing has snapshots of less than it and its log', async (t) => {
  const storageUrl = await freshDatabase(t);
  /** One stay: the node stops afterwards, and writes the snapshot of an idle document if one is due. */
  const stay = async (edit: (client: WireClient) => Promise<void>) => {
    const node = await startTestNode(t, { storageUrl, config: { limits: { submitsPerSecond: 100_000 } } });
    const client = await WireClient.connect(t, node.socketUrl, { client: 'somebody' });
    await client.open(DOC, 'rich-text');
    await edit(client);
    await node.stop();
  };
  let seq = 0;
  let length = 0;
  const insert = async (client: WireClient, text: string): Promise<void> => {
    const answer = await client.submit(DOC, ++seq, [
      ...(length === 0 ? [] : [{ retain: length }]),
      { insert: text },
    ]);
    assert.equal(answer.type, 'commit');
    length += text.length;
  };

  const sql = postgres(storageUrl, { max: 1, fetch_types: false, onnotice: () => undefined });
  t.after(() => sql.end({ timeout: 1 }));
  const stored = async () => {
    const [bytes] = await sql<{ snapshots: number; log: number }[]>`
      SELECT (SELECT sum(octet_length(state))::int FROM snapshot) AS snapshots,
        (SELECT sum(octet_length(ops))::int FROM delta) AS log`;
    return bytes ?? assert.fail('nothing is stored');
  };

  await stay(async (client) => {
    for (let i = 0; i < 4; i++) await insert(client, 'a'.repeat(CHUNK));
  });
  for (let i = 0; i < STAYS; i++)
    await stay(async (client) => {
      for (let typed = 0; typed < TYPED; typed += INSERT) await insert(client, 'b'.repeat(INSERT));
    });

  const { snapshots, log } = await stored();
  assert.ok(log > 4 * CHUNK + STAYS * TYPED && log < 4 * CHUNK + 2 * STAYS * TYPED, `${log} bytes of log`);
  assert.ok(snapshots > 0 && snapshots < 4 * CHUNK + STAYS * TYPED + log, `${snapshots} bytes of snapshots`);

  const node = await startTestNode(t, { storageUrl });
  const reader = await WireClient.connect(t, node.socketUrl, { client: 'reader-1' });
  const { snapshot } = await reader.open(DOC);
  assert.deepEqual(snapshot, [{ insert: `${'a'.repeat(4 * CHUNK)}${'b'.repeat(STAYS * TYPED)}\n` }]);
});
