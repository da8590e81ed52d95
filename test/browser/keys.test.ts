// The document view by keys alone, and what it makes of things as they are typed, in a real browser
// against a real node. What counts is what the document holds, so a second window is looked at.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { launchChromium } from '../support/chromium.ts';
import { startTestNode } from '../support/node.ts';
import {
  ADA,
  DESKTOP,
  EDITOR,
  GRACE,
  openAs,
  pasteInto,
  settled,
  textOf,
  visit,
  waitForText,
} from './windows.ts';

test('the document view by keys', async (file) => {
  const chromium = await launchChromium(file);
  const node = await startTestNode(file);
  const ada = await openAs(file, chromium, ADA, DESKTOP);
  const grace = await openAs(file, chromium, GRACE, DESKTOP);
  let documents = 0;
  const begin = async (): Promise<void> => {
    documents += 1;
    await visit(`${node.url}?doc=page/keys-${documents}`, ada, grace);
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

  await file.test('every control of the page is reached by Tab, and the toolbar is one stop', async () => {
    await begin();
    await ada.keyboard.type('x');
    await ada.evaluate(() =>
      document.activeElement instanceof HTMLElement ? document.activeElement.blur() : 0,
    );
    const seen: string[] = [];
    for (let step = 0; step < 14; step += 1) {
      await ada.keyboard.press('Tab');
      seen.push(await focusName(ada));
    }
    for (const name of [
      'Documents',
      'Document',
      'Board',
      'Undo',
      'Online',
      'Copy link',
      'Text style',
      'Document text',
    ])
      assert.ok(seen.includes(name), `${name} in ${seen.join(', ')}`);
    assert.equal(seen.filter((name) => name === 'Bold').length, 0);
  });

  await file.test('in the toolbar, arrows, Home and End walk, Escape leads back to the text', async () => {
    await begin();
    await ada.keyboard.press('Alt+F10');
    const at = (): Promise<string> => focusName(ada);
    assert.equal(await at(), 'Text style');
    await ada.keyboard.press('ArrowRight');
    assert.equal(await at(), 'Bold');
    await ada.keyboard.press('End');
    assert.equal(await at(), 'Clear formatting');
    await ada.keyboard.press('ArrowRight');
    assert.equal(await at(), 'Text style');
    await ada.keyboard.press('Home');
    await ada.keyboard.press('ArrowRight');
    await ada.keyboard.press('Enter');
    await ada.keyboard.type('bold');
    await grace.locator(`${EDITOR} strong`).getByText('bold', { exact: true }).waitFor();
    await ada.keyboard.press('Alt+F10');
    assert.equal(await at(), 'Bold');
    await ada.keyboard.press('Escape');
    assert.equal(await focusIn(ada, EDITOR), true);
  });

  await file.test('Ctrl+K makes the selection a link, changes it and removes it', async () => {
    await begin();
    await ada.keyboard.type('see the plan');
    await ada.keyboard.press('Control+Shift+ArrowLeft');
    await ada.keyboard.press('Control+k');
    await ada.getByLabel('Address').fill('example.org/plan');
    await ada.keyboard.press('Enter');
    await grace.locator(`${EDITOR} a[href="https://example.org/plan"]`).getByText('plan').waitFor();
    await ada.keyboard.press('ArrowRight');
    await ada.keyboard.press('ArrowLeft');
    await ada.keyboard.press('Control+k');
    assert.equal(await ada.getByLabel('Address').inputValue(), 'https://example.org/plan');
    await ada.getByLabel('Address').fill('https://example.org/other');
    await ada.keyboard.press('Enter');
    await grace.locator(`${EDITOR} a[href="https://example.org/other"]`).getByText('plan').waitFor();
    await ada.keyboard.press('Control+k');
    await ada.getByRole('button', { name: 'Remove link' }).click();
    await grace.locator(`${EDITOR} a`).waitFor({ state: 'detached' });
    assert.equal(await settled(textOf, ada, grace), 'see the plan');
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

  await file.test('# > and fences begin lines, ** ~~ * _ and backticks format words', async () => {
    await begin();
    await ada.keyboard.type('# Title\n## Part\n> quote');
    await ada.keyboard.press('Enter');
    await ada.keyboard.press('Enter');
    await ada.keyboard.type('a **bold** b *it* c ~~no~~ d `x*y*` e __f__ 2*3*4');
    await waitForText(grace, '2*3*4');
    assert.equal(
      await settled(html, ada, grace),
      '<h1>Title</h1><h2>Part</h2><blockquote>quote</blockquote>' +
        '<p>a <strong>bold</strong> b <em>it</em> c <s>no</s> d <code>x*y*</code> e __f__ 2*3*4</p>',
    );
    await begin();
    await ada.keyboard.type('## ');
    await ada.locator(`${EDITOR} h2`).waitFor();
    await ada.keyboard.press('Control+z');
    await ada.locator(`${EDITOR} h2`).waitFor({ state: 'detached' });
    assert.equal((await settled(textOf, ada, grace)).trimEnd(), '##');
  });

  await file.test('Ctrl+] and Ctrl+[ indent the items of a list', async () => {
    await begin();
    await ada.keyboard.type('- one\ntwo');
    await ada.keyboard.press('Control+]');
    await grace.locator(`${EDITOR} li.ql-indent-1`).getByText('two').waitFor();
    await ada.keyboard.press('Control+[');
    await grace.locator(`${EDITOR} li.ql-indent-1`).waitFor({ state: 'detached' });
    await settled(html, ada, grace);
  });

  await file.test('a deleted card comes back by the button of its message', async () => {
    await visit(`${node.url}?doc=page/keys.board`, ada);
    await ada.locator('.add-card').first().click();
    await ada.locator('.composer textarea').fill('Precious');
    await ada.keyboard.press('Enter');
    await ada.keyboard.press('Escape');
    await ada.locator('.card').focus();
    await ada.keyboard.press('Delete');
    await ada.locator('.card').waitFor({ state: 'detached' });
    await ada.locator('.toast').getByRole('button', { name: 'Bring back' }).click();
    await ada.locator('.card').getByText('Precious').waitFor();
    await ada.locator('.toast').waitFor({ state: 'detached' });
  });
});

/** The accessible name of what has the focus, without its shortcut. */
function focusName(page: Page): Promise<string> {
  return page.evaluate(() => {
    const focused = document.activeElement;
    const name = focused?.getAttribute('aria-label') ?? focused?.textContent ?? '';
    return name.replace(/ \(.*\)$/, '');
  });
}

function focusIn(page: Page, selector: string): Promise<boolean> {
  return page.evaluate((within) => document.activeElement?.closest(within) != null, selector);
}
