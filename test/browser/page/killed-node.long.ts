// README's walk through a cluster, in a real browser: the node of a window is killed while its person types,
// and the window goes on at another node.
import assert from 'node:assert/strict';
import { execSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../../loadtest/nodes/free-ports.ts';
import { start } from '../../cli/spawn.ts';
import { launchChromium } from '../../support/chromium.ts';
import { putRedisOnPath } from '../../support/redis.ts';
import {
  ADA,
  EDITOR,
  GRACE,
  openAs,
  recordStatus,
  settled,
  textOf,
  visit,
  waitForStatus,
} from '../windows.ts';

const LAUNCHER = fileURLToPath(new URL('../../../tools/local-cluster.js', import.meta.url));

await putRedisOnPath();

test('a node is killed while somebody types at its page: the window goes on, nothing is lost or there twice', {
  timeout: 180_000,
}, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-killed-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const port = await freePorts(3);
  const cluster = start(t, [LAUNCHER, `--port=${port}`, `--directory=${directory}`]);
  const pageOf = async (number: number): Promise<string> => {
    const [, url = ''] = await cluster.line(new RegExp(`^node-${number}: (http\\S+) `));
    return url;
  };
  const [first, third] = [await pageOf(1), await pageOf(3)];
  // The command that the launcher prints, as a person would copy it.
  const [, kill = ''] = await cluster.line(/^ {2}(kill -9 \d+) +# node-3, while you type at its page$/);

  const chromium = await launchChromium(t);
  const ada = await openAs(t, chromium, ADA);
  // The browser logs that the connection to the killed node failed.
  const grace = await openAs(t, chromium, GRACE, { expectedErrors: /ERR_CONNECTION_(REFUSED|RESET)/ });
  await visit(first, ada);
  await visit(third, grace);
  const words = Array.from({ length: 60 }, (_, index) => `${index}`);
  const statusSeen = await recordStatus(grace);
  await grace.locator(EDITOR).focus();
  for (const word of words) {
    await grace.keyboard.type(`${word} `);
    if (word === '20') execSync(kill);
  }
  await waitForStatus(grace, 'Saved');
  assert.equal(await settled(textOf, ada, grace), `${words.join(' ')} `);
  assert.ok((await statusSeen()).some((label) => label.startsWith('Reconnecting')));
  await ada.locator(EDITOR).press('Control+End');
  await ada.keyboard.type('Ada.');
  assert.equal(await settled(textOf, ada, grace), `${words.join(' ')} Ada.`);

  // No window is open when the other nodes stop.
  await Promise.all([ada.close(), grace.close()]);
  cluster.child.kill('SIGINT');
  assert.equal((await cluster.ended).code, 0);
});
