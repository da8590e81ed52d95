// The page's document view in a real browser against a real node, seen by two people at one text.
// text.long.ts, looks.long.ts and large-paste.long.ts have more cases.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import WebSocket from 'ws';
import { TroupeClient } from '../../../client/index.ts';
import { FileNode } from '../../gateway/wire/contract.ts';
import { startStage } from '../stage.ts';
import {
  ADA,
  caretStandsWhereItsOwnerHasIt,
  EDITOR,
  GRACE,
  loaded,
  picture,
  recordStatus,
  settled,
  textOf,
  visit,
  waitForStatus,
  waitForText,
} from '../windows.ts';

const shared = new FileNode();

test('the document view', async (file) => {
  const { node } = shared;
  const { ada, grace, newAddress } = await startStage(file, node);

  await file.test('a new document gets a fresh name, and its link opens the same document', async () => {
    await visit(`${node.url}?new`, ada);
    const address = new URL(ada.url());
    assert.match(address.searchParams.get('doc') ?? '', /^demo\/[a-z]+-[a-z]+-[a-z0-9]{4}$/);
    await waitForStatus(ada, 'Up to date');
    await picture(ada, 'text-empty');
    assert.deepEqual(await namelessControls(ada), []);
    await ada.keyboard.type('A shared line');
    await visit(address.href, grace);
    await waitForText(grace, 'A shared line');
    assert.equal(await grace.title(), 'A shared line · Troupe');
  });

  await file.test('two people typing at once both keep every letter, and see each other', async () => {
    await visit(newAddress('text'), ada, grace);
    await ada.keyboard.type('Ada: \nGrace: ');
    await settled(textOf, ada, grace);
    await grace.locator(EDITOR).press('Control+End');
    await ada.locator(EDITOR).press('Control+Home');
    await ada.keyboard.press('End');
    const adas = 'the engine weaves patterns';
    const graces = 'a ship in port is safe';
    await Promise.all([ada.keyboard.type(adas, { delay: 4 }), grace.keyboard.type(graces, { delay: 4 })]);
    assert.equal(await settled(textOf, ada, grace), `Ada: ${adas}\nGrace: ${graces}`);

    await grace
      .locator('.ql-cursor-name')
      .getByText(ADA.name, { exact: true })
      .waitFor({ state: 'attached' });
    await ada
      .locator('.ql-cursor-name')
      .getByText(GRACE.name, { exact: true })
      .waitFor({ state: 'attached' });
    await grace.locator(`.others button[title="${ADA.name}"]`).waitFor();
    await ada.locator(`.others button[title="${GRACE.name}"]`).waitFor();
    await caretStandsWhereItsOwnerHasIt(ada, grace);
    await caretStandsWhereItsOwnerHasIt(grace, ada);
  });

  await file.test('typing is said to be saving, then saved', async () => {
    await visit(newAddress('text'), ada);
    const statuses = await recordStatus(ada);
    await ada.keyboard.type('Kept.');
    await waitForStatus(ada, 'Saved');
    const seen = await statuses();
    assert.equal(seen[0], 'Saving…');
    assert.equal(seen.at(-1), 'Saved');
  });

  await file.test('offline, both write; back online, both texts are in both windows', async () => {
    await visit(newAddress('text'), ada, grace);
    await ada.keyboard.type('Together.');
    await waitForText(grace, 'Together.');

    await ada.getByRole('switch', { name: 'Online' }).click();
    await waitForStatus(ada, 'Offline');
    await grace.locator(`.others button[title="${ADA.name}"]`).waitFor({ state: 'detached' });
    await ada.locator(EDITOR).press('Control+End');
    await ada.keyboard.type(' Ada in a tunnel.');
    await waitForStatus(ada, 'Offline, edits kept');
    await picture(ada, 'text-offline');
    await grace.locator(EDITOR).press('Control+Home');
    await grace.keyboard.type('Grace at her desk. ');
    await waitForStatus(grace, 'Saved');
    assert.equal(await textOf(ada), 'Together. Ada in a tunnel.');
    assert.equal(await textOf(grace), 'Grace at her desk. Together.');

    await ada.getByRole('switch', { name: 'Online' }).click();
    const text = await settled(textOf, ada, grace);
    assert.equal(text, 'Grace at her desk. Together. Ada in a tunnel.');
    await grace.locator(`.others button[title="${ADA.name}"]`).waitFor();
  });

  await file.test("undo takes back one's own edit and keeps the other's, redo brings it back", async () => {
    await visit(newAddress('text'), ada, grace);
    const undo = ada.getByRole('button', { name: 'Undo' });
    assert.equal(await undo.isDisabled(), true);
    await ada.keyboard.type('Mine. ');
    assert.equal(await settled(textOf, ada, grace), 'Mine. ');
    await grace.locator(EDITOR).press('Control+End');
    await grace.keyboard.type('Yours.');
    assert.equal(await settled(textOf, ada, grace), 'Mine. Yours.');

    await undo.click();
    assert.equal(await settled(textOf, ada, grace), 'Yours.');
    await ada.getByRole('button', { name: 'Redo' }).click();
    assert.equal(await settled(textOf, ada, grace), 'Mine. Yours.');
    await ada.locator(EDITOR).press('Control+z');
    assert.equal(await settled(textOf, ada, grace), 'Yours.');
    await ada.locator(EDITOR).press('Control+Shift+z');
    assert.equal(await settled(textOf, ada, grace), 'Mine. Yours.');
  });

  await file.test('formats reach the other window, and a reload finds them again', async () => {
    await visit(newAddress('text'), ada, grace);
    await ada.getByLabel('Text style').selectOption({ label: 'Title' });
    await ada.keyboard.type('Plan\nfirst\nsecond');
    await ada.getByRole('button', { name: 'Bulleted list' }).click();
    await ada.keyboard.press('Shift+Home');
    await ada.getByRole('button', { name: 'Bold' }).click();
    await grace.locator(`${EDITOR} li strong`).getByText('second', { exact: true }).waitFor();
    const shown = await settled((page) => page.locator(EDITOR).innerHTML(), ada, grace);
    assert.match(shown, /<h1>Plan<\/h1>/);

    await waitForStatus(ada, 'Saved');
    await ada.reload();
    await loaded(ada);
    assert.equal(await settled((page) => page.locator(EDITOR).innerHTML(), ada, grace), shown);
  });

  await file.test(
    'content that the editor cannot show stands as a chip and survives edits around it',
    async (t) => {
      const address = newAddress('text');
      await visit(address, ada);
      const name = new URL(address).searchParams.get('doc') ?? '';
      const client = new TroupeClient({
        urls: [node.socketUrl],
        webSocket: WebSocket,
      });
      t.after(() => client.close());
      const doc = client.open(name, 'rich-text');
      await doc.ready;
      const image = { image: 'https://example.org/a.png' };
      doc.edit([
        { insert: 'a\r\nb' },
        { insert: image, attributes: { color: 'red', header: 9 } },
        { insert: 'c' },
      ]);
      await ada.locator(`${EDITOR} .ql-foreign`).getByText('image').waitFor();
      await ada.locator(EDITOR).press('Control+End');
      await ada.keyboard.type('!');
      await waitForStatus(ada, 'Saved');
      await new Promise<void>((resolve) => {
        const check = (): void => {
          if (JSON.stringify(doc.content.ops).includes('c!')) resolve();
        };
        doc.on('change', check);
        check();
      });
      assert.deepEqual(doc.content.ops[1], { insert: image, attributes: { color: 'red', header: 9 } });
      assert.equal(doc.content.ops[0]?.insert, 'a\r\nb');
    },
  );

  await file.test('the page asks no one but its own server for anything', async () => {
    const elsewhere: string[] = [];
    const note = (request: { url(): string }): void => {
      const url = request.url();
      if (!url.startsWith(node.url) && !url.startsWith('data:')) elsewhere.push(url);
    };
    ada.on('request', note);
    await visit(newAddress('text'), ada);
    ada.off('request', note);
    assert.deepEqual(elsewhere, []);
  });

  await file.test('a name that is none is said so, with a way on', async () => {
    await ada.goto(`${node.url}?doc=NotAName`);
    await ada.getByRole('heading', { name: 'This document cannot be opened' }).waitFor();
    await picture(ada, 'failure');
    assert.equal(
      await ada.getByRole('link', { name: 'New document', exact: true }).getAttribute('href'),
      '/?new',
    );
  });
});

/** Buttons, links and fields without an accessible name. */
function namelessControls(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll('button, a, input, select, textarea')]
      .filter(
        (control) =>
          !control.ariaLabel &&
          !(control instanceof HTMLInputElement && control.labels?.length) &&
          !control.textContent?.trim() &&
          !control.closest('.ql-clipboard, .ql-tooltip'),
      )
      .map((control) => control.outerHTML),
  );
}
