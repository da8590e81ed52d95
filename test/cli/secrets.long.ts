// Secrets in the log of nodes that a database or Redis refuses, or that a defect ends. secrets.test.ts has the commands.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ordinaryDatabase, testPostgresUrl } from '../support/postgres.ts';
import { startTestRedis } from '../support/redis.ts';
import { MAIN, serve, start, troupe } from './spawn.ts';

const LIMIT = { timeout: 120_000 };

/** It has at least 16 characters, as cluster.secret must have. Nothing else that is written contains it. */
const SECRET = 'ZweiundvierzigKraniche';

test('refusals of PostgreSQL and Redis are logged without the password, at every level', LIMIT, async (t) => {
  const { admin } = await ordinaryDatabase(t);
  const wrong = new URL(admin);
  wrong.password = SECRET;
  for (const command of ['serve', 'migrate']) {
    const sets = [`storage.url=${wrong}`, 'listen.port=0', 'log.level=trace'];
    const { code, stdout, stderr } = await troupe(t, command, ...sets.flatMap((set) => ['--set', set])).ended;
    assert.equal(code, 1, stderr);
    assert.match(stderr, /password authentication failed/);
    assert.ok(!`${stdout}${stderr}`.includes(SECRET), stderr);
  }
  const redis = await startTestRedis(t, { args: ['--requirepass', 'another password'] });
  for (const url of [
    `redis://:${SECRET}@127.0.0.1:${redis.port}`,
    `redis://u:${SECRET}@127.0.0.1:${redis.port}`,
  ]) {
    const sets = [
      `cluster.redis=${url}`,
      `cluster.secret=${SECRET}`,
      'cluster.link.port=0',
      'log.level=trace',
    ];
    const node = serve(t, admin, ...sets.flatMap((set) => ['--set', set]));
    await node.told(/WRONGPASS/);
    const shown = await troupe(
      t,
      ...['cluster', 'status', '--set', `storage.url=${admin}`],
      ...sets.flatMap((set) => ['--set', set]),
    ).ended;
    assert.match(shown.stdout, /Redis is not reached: .*WRONGPASS/);
    node.child.kill('SIGTERM');
    const { stdout, stderr } = await node.ended;
    assert.ok(!`${stdout}${stderr}${shown.stdout}${shown.stderr}`.includes(SECRET), stderr);
  }
});

test(
  'a defect ends the process with its stack, and without the secrets that hang on the error',
  LIMIT,
  async (t) => {
    const server = new URL(await testPostgresUrl());
    const defect = `
    const error = new Error('at postgres://u:${SECRET}@h');
    error.options = { password: '${SECRET}', url: 'redis://u:${SECRET}#@h' };
    // The configuration has been read by then.
    setTimeout(() => { throw error; }, 1_500);`;
    const node = start(t, [
      ...['--import', `data:text/javascript,${encodeURIComponent(defect)}`, MAIN, 'serve'],
      ...['--set', 'listen.port=0', '--set', `storage.url=${server}`, '--set', `cluster.secret=${SECRET}`],
    ]);
    const { code, stderr } = await node.ended;
    assert.equal(code, 1);
    assert.match(stderr, /Error: at postgres:\/\/u:\*\*\*@h\n +at /);
    assert.ok(!stderr.includes(SECRET), stderr);
  },
);
