// The examples of docs/client.md for the browser, as they are printed there, in windows of Chromium against a real
// node. test/examples/client.test.ts has the example for Node.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { WebSocket } from 'ws';
import { TroupeClient } from '../../../client/index.ts';
import { at, blockWith, bundle } from '../../examples/blocks.ts';
import { FileNode } from '../../gateway/wire/contract.ts';
import { type Chromium, launchChromium } from '../../support/chromium.ts';

const DOCUMENT = 'docs/client.md';
const EDITOR = '.ql-editor';

const shared = new FileNode();

test('the example of an editor is shared by its windows, and each undoes its own edits alone', async (file) => {
  const chromium = await launchChromium(file);
  const { node } = shared;
  const example = await bundle(
    // The next example of the document goes on with the client of the first.
    at(node.socketUrl, blockWith(DOCUMENT, 'bindQuill(')) + blockWith(DOCUMENT, "client.on('failed'"),
  );
  const open = async (): Promise<Page> => {
    const page = await visit(file, chromium, node.url, '<div id="editor"></div>');
    await page.addStyleTag({ content: example.styles });
    await page.addScriptTag({ content: example.script });
    await page.locator(`${EDITOR}[contenteditable=true]`).waitFor();
    return page;
  };
  const first = await open();
  await first.locator(EDITOR).pressSequentially('One. ');
  await first.waitForFunction(() => document.title === 'Plan (saved)');
  const second = await open();
  await shows(second, 'One. ');

  await second.locator(EDITOR).press('Control+End');
  await second.keyboard.type('Two. ');
  await shows(first, 'One. Two. ');
  await first.locator('.ql-cursor-caret').waitFor();
  assert.equal(await first.locator('.ql-cursor-name').textContent(), 'Ada');

  await first.locator(EDITOR).press('Control+End');
  await first.keyboard.type('Three. ');
  await shows(second, 'One. Two. Three. ');
  // There are one or two steps, depending on the speed of typing. There is never a third.
  for (let step = 0; step < 3; step += 1) await first.keyboard.press('Control+z');
  for (const page of [first, second]) await shows(page, 'Two. ');
  for (let step = 0; step < 3; step += 1) await first.keyboard.press('Control+Shift+z');
  for (const page of [first, second]) await shows(page, 'One. Two. Three. ');
});

test('the hooks of the example for React show who is there, under StrictMode', async (file) => {
  const chromium = await launchChromium(file);
  const { node } = shared;
  const application = `import { StrictMode, useCallback, useEffect, useState, useSyncExternalStore } from 'react';
import { createRoot } from 'react-dom/client';
import { type RichTextDocument, TroupeClient } from 'troupe/client';
${blockWith(DOCUMENT, 'useSyncExternalStore(')}
const client = new TroupeClient({ urls: ['${node.socketUrl}'] });
function App() {
  const doc = useDocument(client, 'acme/plan');
  return doc === undefined ? null : <People doc={doc} />;
}
createRoot(document.body).render(<StrictMode><App /></StrictMode>);
`;
  const page = await visit(file, chromium, node.url, '');
  await page.addScriptTag({ content: (await bundle(application)).script });
  await page.getByText('0 others').waitFor();
  const client = new TroupeClient({ urls: [node.socketUrl], webSocket: WebSocket });
  file.after(() => client.close());
  const doc = client.open('acme/plan', 'rich-text');
  await doc.ready;
  doc.presence.set({ name: 'Grace' });
  await page.getByText('1 others').waitFor();
  doc.presence.set(null);
  await page.getByText('0 others').waitFor();
});

/** A window with a page at the node's own address, which has nothing but this body. */
async function visit(
  t: Parameters<Chromium['window']>[0],
  chromium: Chromium,
  url: string,
  body: string,
): Promise<Page> {
  // Chromium asks for an icon, which that address does not have.
  const page = await chromium.window(t, { bypassCSP: true, expectedErrors: /status of 404/ });
  page.setDefaultTimeout(30_000);
  await page.goto(`${url}healthz`);
  await page.setContent(`<!doctype html><link rel="icon" href="data:,">${body}`);
  return page;
}

async function shows(page: Page, text: string): Promise<void> {
  await page.waitForFunction(
    ([selector, wanted]) =>
      [...document.querySelectorAll(`${selector} > *`)].map((line) => line.textContent).join('\n') === wanted,
    [EDITOR, text] as const,
  );
}
