// A user whose token is revoked at one node loses the sockets at the other node, and edits nothing any more, with Redis and
// without it. `npm run revocations` measures how long that takes.
import { test } from 'node:test';
import { freshDatabase } from '../support/postgres.ts';
import { closingInReverse } from './failover-load.ts';
import { startRevocations } from './revocations.ts';

test('REVOKE-3 REVOKE-4 YWS-9 HOC-7 every socket at another node ends, with Redis and without it, and nothing commits afterwards', {
  timeout: 180_000,
}, async (context) => {
  const t = closingInReverse(context);
  const storageUrl = await freshDatabase({ after: (drop) => t.after(async () => void (await drop())) });
  const revocations = await startRevocations(t, storageUrl);
  await revocations.round();
  await revocations.killRedis();
  await revocations.round();
});
