// The version history of the page, in a real browser: who wrote what, earlier versions, names for them, restoring one, and
// taking back what one person wrote.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import * as Y from 'yjs';
import { launchChromium } from '../../support/chromium.ts';
import { startTestNode } from '../../support/node.ts';
import { TOKEN_SECRET, tokenOf } from '../../support/tokens.ts';
import {
  ADA,
  addCards,
  DESKTOP,
  EDITOR,
  GRACE,
  loaded,
  openAs,
  PHONE,
  picture,
  textOf,
  waitForStatus,
  waitForText,
} from '../windows.ts';

/** The browser reports each answer of this status, and the page asks whether there is a session. */
const expectedErrors = /status of 401/;

async function enter(page: Page, address: string, token: string): Promise<void> {
  await page.goto(address);
  await page.locator('#sign-in-token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await loaded(page);
}

async function openHistory(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Documents' }).click();
  await page.getByRole('menuitem', { name: 'Version history' }).click();
  await page.locator('.history-view .sheet[data-version]').waitFor();
}

const chosen = (page: Page) => page.locator('.history-version .sheet');

/** The parts of the preview that have the colour of an author. */
const coloured = (page: Page): Promise<string[]> =>
  chosen(page).evaluate((sheet) =>
    [...sheet.querySelectorAll<HTMLElement>('[style*="background"]')].map((part) => part.textContent ?? ''),
  );

test('the version history', async (file) => {
  const chromium = await launchChromium(file);
  const node = await startTestNode(file, {
    config: { auth: { mode: 'jwt', jwt: { secret: TOKEN_SECRET } } },
  });
  const address = `${node.url}?doc=acme/plan`;
  const ada = await openAs(file, chromium, ADA, { ...DESKTOP, expectedErrors });
  const grace = await openAs(file, chromium, GRACE, { ...DESKTOP, expectedErrors });
  await enter(ada, address, await tokenOf('ada', { 'acme/*': 'owner' }));

  await file.test('versions are listed with their authors, and get names', async () => {
    await ada.locator(EDITOR).click();
    await ada.keyboard.type('First line');
    await waitForStatus(ada, 'Saved');
    await openHistory(ada);
    assert.deepEqual(await coloured(ada), ['First line']);
    await ada.getByRole('button', { name: 'Name this version' }).click();
    await ada.getByLabel('Name', { exact: true }).fill('The draft');
    await ada.keyboard.press('Enter');
    await ada.locator('.history-entry', { hasText: 'The draft' }).waitFor();
    await ada.getByRole('button', { name: 'Back to the document' }).click();
    await waitForText(ada, 'First line');
  });

  await file.test('a version is previewed with its authors in colour', async () => {
    await enter(grace, address, await tokenOf('grace', { 'acme/*': 'editor' }));
    await grace.locator(EDITOR).press('Control+End');
    await grace.keyboard.type(' and more');
    await waitForStatus(grace, 'Saved');
    await waitForText(ada, 'First line and more');
    await openHistory(ada);
    assert.deepEqual(await ada.locator('.history-author').allTextContents(), ['grace', 'ada']);
    assert.deepEqual(await coloured(ada), [' and more']);
    await picture(ada, 'history');
    await ada.locator('.history-entry', { hasText: 'The draft' }).click();
    await chosen(ada).getByText('First line', { exact: true }).waitFor();
    assert.deepEqual(await coloured(ada), ['First line']);
  });

  await file.test(
    'a version is restored for everyone, and the edits of one person are taken back',
    async () => {
      await ada.getByRole('button', { name: 'Restore this version' }).click();
      await waitForText(ada, 'First line');
      await grace.waitForFunction(
        (editor) => document.querySelector(editor)?.textContent === 'First line',
        EDITOR,
      );
      await openHistory(grace);
      assert.equal(
        await grace.getByRole('button', { name: 'Restore this version' }).count(),
        0,
        'an editor may not',
      );
      await grace.getByRole('button', { name: 'Take back the edits of ada' }).click();
      await waitForText(grace, 'First line and more');
      await ada.waitForFunction(
        (editor) => document.querySelector(editor)?.textContent === 'First line and more',
        EDITOR,
      );
      assert.equal(await textOf(ada), 'First line and more');
    },
  );

  await file.test('a viewer reads the history of a board, on a phone, and changes nothing', async (t) => {
    await ada.goto(`${node.url}?doc=acme/plan.board`);
    await loaded(ada);
    await addCards(ada, 'To do', 'Write a history');
    await waitForStatus(ada, 'Saved');
    const viewer = await openAs(t, chromium, GRACE, { ...PHONE, expectedErrors });
    await enter(viewer, `${node.url}?doc=acme/plan.board`, await tokenOf('grace', { 'acme/*': 'viewer' }));
    await openHistory(viewer);
    await chosen(viewer).getByText('Write a history').waitFor();
    assert.deepEqual(await coloured(viewer), ['Write a history']);
    await chosen(viewer).getByRole('heading', { name: 'To do' }).waitFor();
    assert.deepEqual(await viewer.locator('.history-actions button').allTextContents(), []);
    await picture(viewer, 'history-phone');
    await viewer.keyboard.press('Escape');
    await viewer.locator('.board-view').waitFor();
  });

  await file.test('a document of an editor of Yjs is previewed with its authors in colour, too', async () => {
    const doc = new Y.Doc();
    const text = doc.getText('text');
    const write = async (user: string, method: string, words: string): Promise<void> => {
      const before = Y.encodeStateVector(doc);
      text.insert(text.length, words);
      const update = Buffer.from(Y.encodeStateAsUpdate(doc, before)).toString('base64');
      const body = method === 'PUT' ? { kind: 'yjs', content: update } : { op: update };
      const { ok } = await fetch(`${node.url}v1/docs/acme/notes`, {
        method,
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${await tokenOf(user, { 'acme/*': 'owner' })}`,
        },
        body: JSON.stringify(body),
      });
      assert.ok(ok);
    };
    await write('ada', 'PUT', 'Written by Ada. ');
    await write('grace', 'PATCH', 'And by Grace.');
    await ada.goto(`${node.url}?doc=acme/notes`);
    await openHistory(ada);
    assert.deepEqual(await coloured(ada), ['Written by Ada. ', 'And by Grace.']);
    await picture(ada, 'history-yjs');
  });
});
