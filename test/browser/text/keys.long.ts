// More cases of the document view by keys: Tab in lists and code, links that are typed, pasted and pressed, and
// lists that are indented.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { FileNode } from '../../gateway/wire/contract.ts';
import { startStage } from '../stage.ts';
import { EDITOR, focusIn, pasteInto, settled, textOf, visit } from '../windows.ts';

const shared = new FileNode();

test('more of the document view by keys', async (file) => {
  const { node } = shared;
  const { ada, grace, newAddress } = await startStage(file, node);
  const begin = async (): Promise<void> => {
    await visit(newAddress('keys'), ada, grace);
    await ada.locator(EDITOR).press('Control+Home');
  };
  const html = (page: Page): Promise<string> => page.locator(EDITOR).innerHTML();

  await file.test('Tab and Shift+Tab leave the text, in a list and in a code block too', async () => {
    for (const line of ['plain', '- item', '``` code']) {
      await begin();
      await ada.keyboard.type(line);
      const before = await textOf(ada);
      await ada.keyboard.press('Tab');
      assert.equal(await focusIn(ada, EDITOR), false, line);
      await ada.locator(EDITOR).focus();
      await ada.keyboard.press('Shift+Tab');
      assert.equal(await focusIn(ada, '.toolbar'), true, line);
      assert.equal(await textOf(ada), before);
    }
  });

  await file.test(
    'Ctrl+K with nothing selected writes the address as a link, and typing goes on beside it',
    async () => {
      await begin();
      await ada.keyboard.press('Control+k');
      await ada.getByLabel('Address').fill('https://example.org');
      await ada.keyboard.press('Enter');
      await ada.locator(`${EDITOR} a`).waitFor();
      await ada.keyboard.type(' more');
      assert.equal(
        await settled(html, ada, grace),
        '<p><a href="https://example.org" rel="noopener noreferrer" target="_blank">https://example.org</a> more</p>',
      );
    },
  );

  await file.test('a link that is pressed offers to open, change and remove it', async () => {
    await begin();
    await ada.keyboard.type(`go to ${node.url}healthz now`);
    await ada.locator(`${EDITOR} a`).click();
    const opening = ada.context().waitForEvent('page');
    await ada.getByRole('link', { name: /^Open / }).click();
    const opened = await opening;
    await opened.waitForURL(`${node.url}healthz`);
    await opened.close();
    await ada.locator(`${EDITOR} a`).click();
    await ada.getByRole('button', { name: 'Remove link' }).click();
    await grace.locator(`${EDITOR} a`).waitFor({ state: 'detached' });
    await ada.locator('.link-bubble').waitFor({ state: 'detached' });
    assert.equal(await settled(textOf, ada, grace), `go to ${node.url}healthz now`);
  });

  await file.test(
    'a typed or pasted address becomes a link; one undo takes the link and keeps the text',
    async () => {
      await begin();
      await ada.keyboard.type('at www.example.org, and (https://example.org/a_(b)).');
      assert.equal(await ada.locator(`${EDITOR} a`).count(), 1);
      await ada.keyboard.press('Enter');
      const link = (page: Page): Promise<string> =>
        page
          .locator(`${EDITOR} a`)
          .evaluateAll((all) => all.map((a) => `${a.textContent}=${a.getAttribute('href')}`).join(' '));
      const both =
        'www.example.org=https://www.example.org https://example.org/a_(b)=https://example.org/a_(b)';
      assert.equal(await settled(link, ada, grace), both);
      const text = await textOf(ada);
      await ada.keyboard.press('Control+z');
      assert.equal(await settled(link, ada, grace), 'www.example.org=https://www.example.org');
      assert.equal(await textOf(ada), text);
      await begin();
      await pasteInto(ada, { 'text/plain': 'first https://example.org/x, then' });
      assert.equal(await settled(link, ada, grace), 'https://example.org/x=https://example.org/x');
    },
  );

  await file.test('Ctrl+] and Ctrl+[ indent the items of a list', async () => {
    await begin();
    await ada.keyboard.type('- one\ntwo');
    await ada.keyboard.press('Control+]');
    await grace.locator(`${EDITOR} li.ql-indent-1`).getByText('two').waitFor();
    await ada.keyboard.press('Control+[');
    await grace.locator(`${EDITOR} li.ql-indent-1`).waitFor({ state: 'detached' });
    await settled(html, ada, grace);
  });
});
