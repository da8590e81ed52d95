// Text and board with several people, in light, in dark and on a phone. The tests take pictures if
// TROUPE_TEST_SCREENSHOTS names a folder, and check that the page does not scroll sideways.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { FileNode } from '../../gateway/wire/contract.ts';
import { launchChromium } from '../../support/chromium.ts';
import {
  ADA,
  addCards,
  boardOf,
  cardOf,
  DESKTOP,
  EDITOR,
  GRACE,
  MARY,
  openAs,
  PHONE,
  picture,
  settled,
  textOf,
  visit,
  waitForText,
} from '../windows.ts';

const shared = new FileNode();

test('the looks of the page', async (file) => {
  const chromium = await launchChromium(file);
  const { node } = shared;
  const ada = await openAs(file, chromium, ADA, DESKTOP);
  const grace = await openAs(file, chromium, GRACE, DESKTOP);

  await file.test('text: light, dark, and on a phone without sideways scrolling', async (t) => {
    const phone = await openAs(t, chromium, MARY, PHONE);
    await visit(`${node.url}?doc=page/text`, ada, grace, phone);
    await grace.emulateMedia({ colorScheme: 'dark' });
    await writeSample(ada);
    await waitForText(grace, 'Rehearse the fallback');
    await waitForText(phone, 'Rehearse the fallback');
    await grace.locator(`${EDITOR} p`).first().click();
    await grace.keyboard.press('Shift+Home');
    await ada
      .locator('.ql-cursor-name')
      .getByText(GRACE.name, { exact: true })
      .waitFor({ state: 'attached' });
    await settled(textOf, ada, grace);
    await picture(ada, 'text-light');
    await picture(grace, 'text-dark');
    await picture(phone, 'text-phone');
    assert.equal(await phone.evaluate(() => document.documentElement.scrollWidth), 360);
  });

  await file.test('board: light with two people, dark, and on a phone', async (t) => {
    const phone = await openAs(t, chromium, MARY, PHONE);
    await visit(`${node.url}?doc=page/plan.board`, ada, grace, phone);
    await grace.emulateMedia({ colorScheme: 'dark' });
    await ada.locator('.board-title').click();
    await ada.keyboard.type('Launch');
    await ada.keyboard.press('Enter');
    await addCards(
      ada,
      'To do',
      'Write the announcement',
      'Collect screenshots from both views',
      'Ask legal about the wording',
    );
    await addCards(
      ada,
      'In progress',
      'Rehearse the fallback with the on-call team',
      'Measure again on the small machine',
    );
    await addCards(ada, 'Done', 'Choose a date', 'Book the room');
    await cardOf(grace, 'Rehearse').focus();
    await cardOf(ada, 'Rehearse').and(ada.locator('[data-visited]')).waitFor();
    await cardOf(ada, 'Write').focus();
    await cardOf(grace, 'Write').and(grace.locator('[data-visited]')).waitFor();
    await settled(boardOf, ada, grace, phone);
    await picture(ada, 'board-light');
    await picture(grace, 'board-dark');
    await picture(phone, 'board-phone');
    assert.equal(await phone.evaluate(() => document.documentElement.scrollWidth), 360);
  });
});

async function writeSample(page: Page): Promise<void> {
  await page.getByLabel('Text style').selectOption({ label: 'Title' });
  await page.keyboard.type('Launch plan\n');
  await page.keyboard.type(
    'Everything we agreed on Tuesday, in one place. What you type is stored before anyone else sees it.\n',
  );
  await page.getByLabel('Text style').selectOption({ label: 'Heading' });
  await page.keyboard.type('Before Friday\n');
  await page.keyboard.type(
    '- Read the rollout notes\nAsk support for the five most common questions\nRehearse the fallback',
  );
}
