// Text of other programs is pasted into the page's text, in a real browser. The page keeps the formats that
// Quill has, replaces the others, and says so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { newPlace } from '../../../web/place/place.ts';
import { FileNode } from '../../gateway/wire/contract.ts';
import { launchChromium } from '../../support/chromium.ts';
import { ADA, EDITOR, openAs, pasteInto, textOf, visit, waitForStatus } from '../windows.ts';

const shared = new FileNode();

test('pasted content', async (file) => {
  const chromium = await launchChromium(file);
  const { node } = shared;
  const page = await openAs(file, chromium, ADA);
  const paste = async (html: string): Promise<void> => {
    const { text } = newPlace((below) => Math.floor(Math.random() * below));
    await visit(`${node.url}?doc=${text}`, page);
    await page.locator(EDITOR).focus();
    await pasteInto(page, { 'text/html': html });
    await waitForStatus(page, 'Saved');
  };
  const says = (message: string) => page.locator('.toast').getByText(message, { exact: true }).waitFor();

  await file.test(
    'the cells of a row are one line with tabs, formats stay, and a message says so',
    async () => {
      await paste(`<p>Before</p><table><thead><tr><th>Name</th><th>Age</th></tr></thead>
      <tbody><tr><td><p>Ada</p><p>Lovelace</p></td><td><b>36</b></td></tr><tr><td></td><td>x</td></tr></tbody></table><p>After</p>`);
      assert.equal(await textOf(page), 'Before\nName\tAge\nAda Lovelace\t36\n\tx\nAfter');
      await page.locator(`${EDITOR} strong`).getByText('36', { exact: true }).waitFor();
      await says('A document holds no tables: the cells of a row are one line, with tabs between.');
    },
  );

  await file.test(
    'a picture is a link to where it comes from, or is left out, and a message says so',
    async () => {
      await paste(
        '<p>See <img src="https://example.org/a.png" alt="a chart"> and <img src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=" alt="a dot">.</p>',
      );
      assert.equal(await textOf(page), 'See a chart and a dot.');
      assert.equal(await page.locator(`${EDITOR} a`).getAttribute('href'), 'https://example.org/a.png');
      await says(
        'A document holds no pictures: they are links to where they come from. A pasted picture was left out.',
      );
    },
  );

  await file.test('lists within lists, headings, quotes and code stay what they are', async () => {
    await paste(
      '<h2>Plan</h2><ol><li>a<ul><li>b<ul><li>c</li></ul></li></ul></li><li>d</li></ol><blockquote>q</blockquote><pre>x\n  y</pre>',
    );
    const lines = await linesOf(page);
    assert.deepEqual(lines, [
      'H2 Plan',
      'ordered 0 a',
      'bullet 1 b',
      'bullet 2 c',
      'ordered 0 d',
      'BLOCKQUOTE q',
      'DIV x',
      'DIV   y',
      'P ',
    ]);
    assert.equal(await page.locator('.toast').count(), 0);
  });
});

/** Each line of the text: its words, and before them the element, or the kind and depth of a list's item. */
function linesOf(page: Page): Promise<string[]> {
  return page.locator(EDITOR).evaluate((editor) =>
    [...editor.querySelectorAll('h2, li, blockquote, p, .ql-code-block')].map((line) => {
      const depth = /ql-indent-(\d)/.exec(line.className)?.[1] ?? '0';
      const kind = line instanceof HTMLLIElement ? `${line.dataset.list} ${depth}` : line.tagName;
      return `${kind} ${line.textContent}`;
    }),
  );
}
