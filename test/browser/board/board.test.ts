// The page's board view in a real browser against a real node, seen by several people. board.long.ts has more
// cases.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { FileNode } from '../../gateway/wire/contract.ts';
import { startStage } from '../stage.ts';
import {
  addCards,
  boardOf,
  cardOf,
  loaded,
  moveByMenu,
  picture,
  settled,
  visit,
  waitForStatus,
} from '../windows.ts';

const shared = new FileNode();

test('the board view', async (file) => {
  const { ada, grace, newAddress } = await startStage(file, shared.node);

  await file.test(
    'a new board has three columns and says that it is empty; cards come by Enter',
    async () => {
      await visit(newAddress('plan', '.board'), ada);
      await picture(ada, 'board-empty');
      assert.equal(await boardOf(ada), 'To do: \nIn progress: \nDone: ');
      await ada.getByText('No cards yet').waitFor();
      await addCards(ada, 'To do', 'One', 'Two');
      await ada.getByText('2 cards', { exact: true }).waitFor();
      assert.equal(await boardOf(ada), 'To do: One, Two\nIn progress: \nDone: ');
    },
  );

  await file.test('two people add at once: every card is in both windows, in the same order', async () => {
    await visit(newAddress('plan', '.board'), ada, grace);
    await Promise.all([addCards(ada, 'To do', 'A1', 'A2', 'A3'), addCards(grace, 'To do', 'G1', 'G2', 'G3')]);
    const board = await settled(boardOf, ada, grace);
    for (const title of ['A1', 'A2', 'A3', 'G1', 'G2', 'G3'])
      assert.equal(board.split(title).length, 2, title);
  });

  await file.test(
    'offline, one moves and deletes while the other renames and moves; both ends agree',
    async () => {
      await visit(newAddress('plan', '.board'), ada, grace);
      await addCards(ada, 'To do', 'Alpha', 'Beta', 'Gamma');
      await cardOf(grace, 'Gamma').waitFor();
      await ada.getByRole('switch', { name: 'Online' }).click();
      await waitForStatus(ada, 'Offline');

      await moveByMenu(ada, 'Alpha', 'Move to Done');
      await cardOf(ada, 'Gamma').focus();
      await ada.keyboard.press('Delete');
      await waitForStatus(ada, 'Offline, edits kept');
      await rename(grace, 'Alpha', 'Alpha, renamed');
      await moveByMenu(grace, 'Beta', 'Move to In progress');
      await waitForStatus(grace, 'Saved');

      await ada.getByRole('switch', { name: 'Online' }).click();
      assert.equal(await settled(boardOf, ada, grace), 'To do: \nIn progress: Beta\nDone: Alpha, renamed');
    },
  );

  await file.test('cards move by keyboard, keep the focus, and undo takes the move back', async () => {
    await visit(newAddress('plan', '.board'), ada);
    await addCards(ada, 'To do', 'One', 'Two', 'Three');
    await cardOf(ada, 'Three').focus();
    await ada.keyboard.press('Alt+ArrowUp');
    assert.equal(await boardOf(ada), 'To do: One, Three, Two\nIn progress: \nDone: ');
    await ada.keyboard.press('Alt+ArrowRight');
    assert.equal(await boardOf(ada), 'To do: One, Two\nIn progress: Three\nDone: ');
    assert.equal(await cardOf(ada, 'Three').evaluate((card) => card === document.activeElement), true);
    await ada.keyboard.press('Control+z');
    assert.equal(await boardOf(ada), 'To do: One, Three, Two\nIn progress: \nDone: ');
    await ada.getByRole('button', { name: 'Undo' }).click();
    assert.equal(await boardOf(ada), 'To do: One, Two, Three\nIn progress: \nDone: ');
    await ada.getByRole('button', { name: 'Redo' }).click();
    assert.equal(await boardOf(ada), 'To do: One, Three, Two\nIn progress: \nDone: ');
  });

  await file.test(
    'the tabs lead from the board to the text beside it and back; a reload finds the board',
    async () => {
      await visit(newAddress('plan', '.board'), ada);
      await ada.locator('.board-title').click();
      await ada.keyboard.type('Autumn');
      await ada.keyboard.press('Enter');
      await addCards(ada, 'To do', 'Harvest');
      await ada.getByRole('link', { name: 'Document', exact: true }).click();
      await loaded(ada);
      await ada.locator('.ql-editor').waitFor();
      assert.match(ada.url(), /\?doc=page\/plan-\d+$/);
      await ada.goBack();
      await cardOf(ada, 'Harvest').waitFor();
      await waitForStatus(ada, 'Saved');
      await ada.reload();
      await cardOf(ada, 'Harvest').waitFor();
      assert.equal(await ada.title(), 'Autumn · Troupe');
    },
  );
});

async function rename(page: Page, from: string, to: string): Promise<void> {
  await cardOf(page, from).click();
  await page.locator('.card textarea').fill(to);
  await page.keyboard.press('Enter');
}
