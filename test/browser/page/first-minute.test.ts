// The first minute as README.md describes it, in a real browser: the page's own address in two windows of one
// profile and in a window of another, and the ways to find a document again.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { packageDirectory } from '../../../src/cli/version.ts';
import { FileNode } from '../../gateway/wire/contract.ts';
import { launchChromium } from '../../support/chromium.ts';
import {
  ADA,
  DESKTOP,
  EDITOR,
  GRACE,
  loaded,
  openAs,
  settled,
  textOf,
  visit,
  waitForStatus,
} from '../windows.ts';

const shared = new FileNode();

test('the first minute', async (file) => {
  const chromium = await launchChromium(file);
  const { node } = shared;
  const ada = await openAs(file, chromium, ADA, DESKTOP);
  const grace = await openAs(file, chromium, GRACE, DESKTOP);

  await file.test('the page opened in two windows and in another profile is one document', async () => {
    const readme = readFileSync(join(packageDirectory(), 'README.md'), 'utf8').replace(/\s+/g, ' ');
    assert.ok(
      readme.includes(
        'Open the page in two windows and type in both; switch one offline, go on typing, and switch it back.',
      ),
    );
    const second = await ada.context().newPage();
    await visit(node.url, ada, second, grace);
    await ada.locator(EDITOR).press('Control+End');
    await ada.keyboard.type('One. ');
    assert.equal(await settled(textOf, ada, second, grace), 'One. ');
    await second.locator(EDITOR).press('Control+End');
    await second.keyboard.type('Two. ');
    assert.equal(await settled(textOf, ada, second, grace), 'One. Two. ');
    await grace.locator(EDITOR).press('Control+End');
    await grace.keyboard.type('Three. ');
    assert.equal(await settled(textOf, ada, second, grace), 'One. Two. Three. ');

    await second.getByRole('switch', { name: 'Online' }).click();
    await waitForStatus(second, 'Offline');
    await second.locator(EDITOR).press('Control+End');
    await second.keyboard.type('Offline. ');
    await waitForStatus(second, 'Offline, edits kept');
    await ada.locator(EDITOR).press('Control+Home');
    await ada.keyboard.type('Zero. ');
    await waitForStatus(ada, 'Saved');
    await second.getByRole('switch', { name: 'Online' }).click();
    assert.equal(await settled(textOf, ada, second, grace), 'Zero. One. Two. Three. Offline. ');
    await second.close();
  });

  await file.test(
    '"Open a second window" opens one at the same document while nobody else is here',
    async () => {
      await grace.goto('about:blank');
      await visit(node.url, ada);
      const opening = ada.context().waitForEvent('page');
      await ada.getByRole('button', { name: 'Open a second window' }).click();
      const second = await opening;
      await loaded(second);
      assert.equal(second.url(), ada.url());
      await ada.getByRole('button', { name: 'Open a second window' }).waitFor({ state: 'hidden' });
      await second.locator(EDITOR).press('Control+Home');
      await second.keyboard.type('Hello. ');
      assert.match(await settled(textOf, ada, second), /^Hello\. Zero\./);
      await second.close();
      await ada.getByRole('button', { name: 'Open a second window' }).waitFor();
    },
  );

  await file.test('a document whose address was lost is in the list of documents', async () => {
    await visit(node.url, ada);
    await ada.getByRole('button', { name: 'Documents' }).click();
    await ada.getByRole('menuitem', { name: 'New document' }).click();
    await ada.waitForURL(/\?doc=demo\/(?!welcome)/);
    await loaded(ada);
    const lost = ada.url();
    await ada.locator(EDITOR).press('Control+Home');
    await ada.keyboard.type('The plan that nobody wrote down');
    await waitForStatus(ada, 'Saved');
    await ada.waitForFunction(() => document.title.startsWith('The plan'));

    await visit(node.url, ada);
    assert.notEqual(ada.url(), lost);
    await ada.getByRole('button', { name: 'Documents' }).click();
    await ada.getByRole('menuitem', { name: /The plan that nobody wrote down/ }).click();
    await ada.waitForURL(lost);
    await loaded(ada);
    assert.equal(await textOf(ada), 'The plan that nobody wrote down');
  });

  await file.test('a name and colour given by chance stay over reloads', async (t) => {
    const page = await chromium.window(t, DESKTOP);
    page.setDefaultTimeout(30_000);
    await visit(node.url, page);
    const me = page.getByRole('button', { name: /^You are / });
    const before = await me.getAttribute('aria-label');
    const colour = await me.getAttribute('style');
    await page.reload();
    await loaded(page);
    assert.equal(await me.getAttribute('aria-label'), before);
    assert.equal(await me.getAttribute('style'), colour);
  });
});
