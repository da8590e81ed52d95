// A real node whose run is fenced while it starts, on a real PostgreSQL and a real Redis.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import postgres from 'postgres';
import { WireClient } from '../../support/wire-client.ts';
import { startStage } from './admission-stage.ts';

const LIMIT = { timeout: 120_000 };

test(
  'a node whose first run is fenced before its workers have sessions goes on under another run',
  LIMIT,
  async (t) => {
    const { databaseUrl, node, runs } = await startStage(t);
    await node('a');
    const sql = postgres(databaseUrl, { max: 1, fetch_types: false, onnotice: () => undefined });
    try {
      // The control session of the first run of b is fenced as soon as it is there.
      await sql.unsafe(`
        CREATE FUNCTION fence_first() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NOT EXISTS (SELECT 1 FROM session WHERE node = NEW.node) THEN
            NEW.state := 'fenced';
            NEW.fenced_by := NEW.id;
            NEW.fenced_at := clock_timestamp();
          END IF;
          RETURN NEW;
        END $$;
        CREATE TRIGGER fence_first BEFORE INSERT ON session
          FOR EACH ROW WHEN (NEW.node = 'b') EXECUTE FUNCTION fence_first()`);
      const log: string[] = [];
      const b = await node('b', (line) => log.push(JSON.stringify(line)));
      assert.ok(
        log.some((line) => /the run \S+ has been fenced.*a worker has ended/.test(line)),
        `no worker was refused a session: ${log.join('\n')}`,
      );
      assert.equal(log.filter((line) => line.includes('it starts over under a new run')).length, 1);
      const [fenced, ...others] = await sql<{ run: string }[]>`
        SELECT run FROM session WHERE node = 'b' AND state = 'fenced'`;
      assert.deepEqual(others, [], 'no worker of the fenced run has got a session');
      const live = (await runs()).filter((session) => session.node === 'b');
      assert.equal(live.length, 1);
      assert.notEqual(live[0]?.run, fenced?.run);
      const client = await WireClient.connect(t, b.socketUrl, { client: 'client-of-b' });
      await client.open('acme/plan', 'json');
      const { type } = await client.submit('acme/plan', 1, [{ op: 'add', path: '/x', value: 1 }], 0);
      assert.equal(type, 'commit');
    } finally {
      await sql.end();
    }
  },
);
