// The SDK under React in a real browser against a real node: useSyncExternalStore over the values of
// documents, StrictMode, and two components that hold one document.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { WebSocket } from 'ws';
import { TroupeClient } from '../../../client/index.ts';
import { FileNode } from '../../gateway/wire/contract.ts';
import { launchChromium } from '../../support/chromium.ts';

const NAME = 'acme/react';

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'react-app.js')],
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    // React's own development build, which checks that snapshots are stable.
    define: { 'process.env.NODE_ENV': '"development"' },
    logLevel: 'warning',
  });
  return outputFiles[0]?.text ?? '';
}

/** The application, on an address of the node itself: a page from elsewhere may not reach loopback. */
async function visit(page: Page, url: string): Promise<void> {
  await page.goto(`${url}healthz?doc=${NAME}`);
  await page.setContent('<!doctype html><link rel="icon" href="data:,"><div id="root"></div>');
  await page.addScriptTag({ content: await bundle() });
}

const shared = new FileNode();

test('React renders each change of presence, cursors and content, and components close their own hold', async (t) => {
  const chromium = await launchChromium(t);
  const { node } = shared;
  // Chromium asks for an icon, which that address does not have.
  const page = await chromium.window(t, { bypassCSP: true, expectedErrors: /status of 404/ });
  page.setDefaultTimeout(30_000);
  await visit(page, node.url);
  const other = new TroupeClient({ urls: [node.socketUrl], webSocket: WebSocket });
  t.after(() => other.close());
  const doc = other.open(NAME, 'rich-text');
  await doc.ready;

  const shows = (panel: string, part: string, text: string) =>
    page
      .locator(`#${panel}`)
      .getByText(text, { exact: true })
      .and(page.locator(`.${part}`))
      .waitFor();
  for (const panel of ['one', 'two']) await shows(panel, 'text', '[{"insert":"\\n"}]');
  doc.presence.set({ name: 'Ada' });
  for (const panel of ['one', 'two']) await shows(panel, 'people', '[{"name":"Ada"}]');
  doc.presence.set({ name: 'Ada again' });
  for (const panel of ['one', 'two']) await shows(panel, 'people', '[{"name":"Ada again"}]');
  doc.edit([{ insert: 'hello' }]);
  doc.setSelection({ index: 5, length: 0 });
  for (const panel of ['one', 'two']) {
    await shows(panel, 'text', '[{"insert":"hello\\n"}]');
    await shows(panel, 'cursors', '5');
  }
  await page.locator('#two').getByText('Edit').click();
  for (const panel of ['one', 'two']) {
    await shows(panel, 'text', '[{"insert":"React hello\\n"}]');
    await shows(panel, 'cursors', '11');
    await shows(panel, 'state', 'saved');
  }

  await page.locator('#two').getByText('Edit').click();
  await page.locator('#toggle').click();
  await page.locator('#two').waitFor({ state: 'detached' });
  doc.presence.set(null);
  doc.setSelection(null);
  await shows('one', 'people', '[]');
  await page.locator('#one').getByText('Edit').click();
  await shows('one', 'text', '[{"insert":"React React React hello\\n"}]');
  await shows('one', 'state', 'saved');
  await page.locator('#toggle').click();
  await shows('two', 'text', '[{"insert":"React React React hello\\n"}]');
  await doc.whenSaved();
  while (doc.content.ops[0]?.insert !== 'React React React hello\n')
    await new Promise<void>((resolve) => {
      const stop = doc.on('change', () => {
        stop();
        resolve();
      });
    });
  assert.equal(doc.state, 'saved');
});
