// More cases of the page's board view: cards that are dragged, titles that are edited while others move the card, and
// columns.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { FileNode } from '../../gateway/wire/contract.ts';
import { startStage } from '../stage.ts';
import { addCards, boardOf, cardOf, columnOf, moveByMenu, picture, settled, visit } from '../windows.ts';

const shared = new FileNode();

test('more of the board view', async (file) => {
  const { ada, grace, newAddress } = await startStage(file, shared.node);

  await file.test('a card goes where it is dragged to, in both windows', async () => {
    await visit(newAddress('plan', '.board'), ada, grace);
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

  await file.test('a title being edited is not disturbed by others, who see who is at the card', async () => {
    await visit(newAddress('plan', '.board'), ada, grace);
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
      await visit(newAddress('plan', '.board'), ada, grace);
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
});

async function columnMenu(page: Page, column: string, item: string): Promise<void> {
  await columnOf(page, column).getByRole('button', { name: 'Column actions' }).click();
  await page.getByRole('menuitem', { name: item }).click();
}

/** Drags a card to just above the middle of another. */
async function drag(page: Page, card: string, onto: string): Promise<void> {
  // Cards glide to their places after a drop, so the test waits until they stand still.
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
