// The page that describes the API, in a real browser: it shows every call under its strict policy, and asks nobody else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { launchChromium } from '../../support/chromium.ts';
import { startTestNode } from '../../support/node.ts';

test('HTTP-8 the page of the description shows the calls, and loads nothing from elsewhere', async (t) => {
  const chromium = await launchChromium(t);
  const node = await startTestNode(t);
  const page = await chromium.window(t);
  const asked: string[] = [];
  page.on('request', (request) => void asked.push(request.url()));
  await page.goto(new URL('/v1/reference/', node.url).href);
  await page.getByText('Create a document', { exact: true }).waitFor();
  const elsewhere = asked.filter((url) => !url.startsWith(node.url) && !url.startsWith('data:'));
  assert.deepEqual(elsewhere, []);
});
