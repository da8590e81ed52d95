// The page while its server is away and when it is back, against a real node that is stopped and started.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { launchChromium } from '../../support/chromium.ts';
import { startTestNode } from '../../support/node.ts';
import { ADA, DESKTOP, EDITOR, openAs, picture, visit, waitForStatus } from '../windows.ts';

/** The errors that a browser logs by itself for each socket and request that finds no server. */
const expectedErrors = /ERR_CONNECTION|WebSocket connection to|Failed to load resource/;

test('the page and a server that is away', async (file) => {
  const chromium = await launchChromium(file);
  const first = await startTestNode(file);
  const { port, storageUrl } = first;
  const page = await openAs(file, chromium, ADA, { ...DESKTOP, expectedErrors });
  const tries: string[] = [];
  page.on('response', (response) => {
    if (new URL(response.url()).pathname === '/readyz' && response.ok()) tries.push('ready');
  });
  page.on('websocket', () => tries.push('socket'));
  const online = page.getByRole('switch', { name: 'Online' });

  await visit(`${first.url}?doc=page/restart`, page);
  await page.locator(EDITOR).press('Control+End');
  await page.keyboard.type('Before. ');
  await waitForStatus(page, 'Saved');
  assert.equal(await online.getAttribute('data-connection'), 'on');

  await first.stop();
  await waitForStatus(page, 'Reconnecting…');
  assert.equal(await online.getAttribute('data-connection'), 'pending');
  await page.keyboard.type('Meanwhile. ');
  await waitForStatus(page, 'Reconnecting, edits kept');
  await page.locator('.toast').getByText('cannot be reached').waitFor();
  await picture(page, 'server-away');

  await file.test('"Try now" connects at once', async () => {
    const opening = page.waitForEvent('websocket');
    await page.getByRole('button', { name: 'Try now' }).click();
    await opening;
    await page.locator('.toast').getByText('cannot be reached').waitFor();
  });

  await file.test('the page connects as soon as the server says that it is ready', async (t) => {
    tries.length = 0;
    const second = await startTestNode(t, { port, storageUrl });
    await waitForStatus(page, 'Saved');
    assert.equal(await online.getAttribute('data-connection'), 'on');
    await page.locator('.toast').waitFor({ state: 'detached' });
    // An attempt that was under way may have come first. Otherwise one follows the answer.
    const ready = tries.indexOf('ready');
    if (ready >= 0) assert.ok(tries[ready + 1] === 'socket' || tries[ready - 1] === 'socket', tries.join());
    await page.reload();
    await page.locator(EDITOR).filter({ hasText: 'Before. Meanwhile.' }).waitFor();

    await online.click();
    await waitForStatus(page, 'Offline');
    assert.equal(await online.getAttribute('data-connection'), 'off');
    assert.equal(await online.getAttribute('aria-checked'), 'false');
    await page.goto('about:blank');
    await second.stop();
  });
});
