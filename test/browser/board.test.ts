// The page's board view in a real browser against a real node: what people at one board see.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { launchChromium } from '../support/chromium.ts';
import { startTestNode } from '../support/node.ts';
import {
  ADA,
  addCards,
  boardOf,
  cardOf,
  columnOf,
  DESKTOP,
  GRACE,
  loaded,
  openAs,
  picture,
  settled,
  visit,
  waitForStatus,
} from './windows.ts';

test('the board view', async (file) => {
  // The browser first: it is then closed before the node stops, which its windows would report.
  const chromium = await launchChromium(file);
  const node = await startTestNode(file);
  const ada = await openAs(file, chromium, ADA, DESKTOP);
  const grace = await openAs(file, chromium, GRACE, DESKTOP);
  let boards = 0;
  const newAddress = (): string => {
    boards += 1;
    return `${node.url}?doc=page/plan-${boards}.board`;
  };

  await file.test(
    'a new board has three columns and says that it is empty; cards come by Enter',
    async () => {
      await visit(newAddress(), ada);
      await picture(ada, 'board-empty');
      assert.equal(await boardOf(ada), 'To do: \nIn progress: \nDone: ');
      await ada.getByText('No cards yet').waitFor();
      await addCards(ada, 'To do', 'One', 'Two');
      await ada.getByText('2 cards', { exact: true }).waitFor();
      assert.equal(await boardOf(ada), 'To do: One, Two\nIn progress: \nDone: ');
    },
  );

  await file.test('two people add at once: every card is in both windows, in the same order', async () => {
    await visit(newAddress(), ada, grace);
    await Promise.all([addCards(ada, 'To do', 'A1', 'A2', 'A3'), addCards(grace, 'To do', 'G1', 'G2', 'G3')]);
    const board = await settled(boardOf, ada, grace);
    for (const title of ['A1', 'A2', 'A3', 'G1', 'G2', 'G3'])
      assert.equal(board.split(title).length, 2, title);
  });

  await file.test(
    'offline, one moves and deletes while the other renames and moves; both ends agree',
    async () => {
      await visit(newAddress(), ada, grace);
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

  await file.test('a card goes where it is dragged to, in both windows', async () => {
    await visit(newAddress(), ada, grace);
    await addCards(ada, 'To do', 'First', 'Second');
    await addCards(ada, 'Done', 'Third', 'Fourth');
    await drag(ada, 'First', 'Fourth');
    assert.equal(
      await settled(boardOf, ada, grace),
      'To do: Second\nIn progress: \nDone: Third, First, Fourth',
    );
    await drag(ada, 'Fourth', 'Third');
    assert.equal(
      await settled(boardOf, ada, grace),
      'To do: Second\nIn progress: \nDone: Fourth, Third, First',
    );
  });

  await file.test('cards move by keyboard, keep the focus, and undo takes the move back', async () => {
    await visit(newAddress(), ada);
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

  await file.test('a title being edited is not disturbed by others, who see who is at the card', async () => {
    await visit(newAddress(), ada, grace);
    await addCards(ada, 'To do', 'Draft', 'Other');
    await cardOf(grace, 'Other').waitFor();
    await cardOf(ada, 'Draft').click();
    await ada.keyboard.press('End');
    await ada.keyboard.type(' of');
    await cardOf(grace, 'Draft').and(grace.locator('[data-visited]')).waitFor();
    await picture(grace, 'board-visited');
    await moveByMenu(grace, 'Draft', 'Move to Done');
    await columnOf(ada, 'Done').locator('textarea').waitFor();
    await ada.keyboard.type(' the letter');
    await ada.keyboard.press('Enter');
    assert.equal(
      await settled(boardOf, ada, grace),
      'To do: Other\nIn progress: \nDone: Draft of the letter',
    );
  });

  await file.test(
    'columns are added, renamed, moved and deleted with their cards; undo brings them back',
    async () => {
      await visit(newAddress(), ada, grace);
      await ada.getByRole('button', { name: 'Add column' }).click();
      await ada.keyboard.type('Ideas');
      await ada.keyboard.press('Enter');
      await addCards(ada, 'Ideas', 'Fly');
      await columnMenu(ada, 'Ideas', 'Move left');
      await columnOf(ada, 'To do').locator('.column-title').click();
      await ada.keyboard.type('Next');
      await ada.keyboard.press('Enter');
      const board = 'Next: \nIn progress: \nIdeas: Fly\nDone: ';
      assert.equal(await settled(boardOf, ada, grace), board);
      await columnMenu(ada, 'Ideas', 'Delete column and 1 card');
      assert.equal(await settled(boardOf, ada, grace), 'Next: \nIn progress: \nDone: ');
      await ada.getByRole('button', { name: 'Undo' }).click();
      assert.equal(await settled(boardOf, ada, grace), board);
    },
  );

  await file.test(
    'the tabs lead from the board to the text beside it and back; a reload finds the board',
    async () => {
      await visit(newAddress(), ada);
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

async function moveByMenu(page: Page, card: string, item: string): Promise<void> {
  await cardOf(page, card).hover();
  await cardOf(page, card).getByRole('button', { name: 'Card actions' }).click();
  await page.getByRole('menuitem', { name: item }).click();
}

async function columnMenu(page: Page, column: string, item: string): Promise<void> {
  await columnOf(page, column).getByRole('button', { name: 'Column actions' }).click();
  await page.getByRole('menuitem', { name: item }).click();
}

/** Drags a card to just above the middle of another. */
async function drag(page: Page, card: string, onto: string): Promise<void> {
  // Cards glide to their places after a drop: where they are is asked once they stand still.
  for (const title of [card, onto]) await cardOf(page, title).hover({ trial: true });
  const from = await cardOf(page, card).boundingBox();
  const to = await cardOf(page, onto).boundingBox();
  assert.ok(from && to);
  await page.mouse.move(from.x + 40, from.y + from.height / 2);
  await page.mouse.down();
  await page.mouse.move(from.x + 60, from.y + from.height / 2 + 10);
  await page.mouse.move(to.x + 60, to.y + 8, { steps: 6 });
  await page.locator('.drop-line').waitFor();
  await page.mouse.up();
}
