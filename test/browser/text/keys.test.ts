// The document view by keys alone, and its formatting of text as it is typed, in a real browser against a
// real node. The tests look at a second window too, because the content of the document counts. keys.long.ts
// has more cases.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { FileNode } from '../../gateway/wire/contract.ts';
import { startStage } from '../stage.ts';
import { EDITOR, focusIn, settled, textOf, visit, waitForText } from '../windows.ts';

const shared = new FileNode();

test('the document view by keys', async (file) => {
  const { node } = shared;
  const { ada, grace, newAddress } = await startStage(file, node);
  const begin = async (): Promise<void> => {
    await visit(newAddress('keys'), ada, grace);
    await ada.locator(EDITOR).press('Control+Home');
  };
  const html = (page: Page): Promise<string> => page.locator(EDITOR).innerHTML();

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

/** The accessible name of the focused element, without its shortcut. */
function focusName(page: Page): Promise<string> {
  return page.evaluate(() => {
    const focused = document.activeElement;
    const name = focused?.getAttribute('aria-label') ?? focused?.textContent ?? '';
    return name.replace(/ \(.*\)$/, '');
  });
}
