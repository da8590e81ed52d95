// The page's layout in a real browser with one person, from a phone to a wide window: the parts of the bar do
// not overlap.
import { test } from 'node:test';
import { FileNode } from '../../gateway/wire/contract.ts';
import { launchChromium } from '../../support/chromium.ts';
import { ADA, EDITOR, openAs, visit, waitForText } from '../windows.ts';
import { nothingOverlaps } from './bar.ts';

const shared = new FileNode();

test('the layout of the page with one person', async (file) => {
  const chromium = await launchChromium(file);
  const { node } = shared;

  for (const view of ['text', 'board'] as const) {
    await file.test(`with one person at a ${view}, nothing in the bar overlaps at any width`, async (t) => {
      const page = await openAs(t, chromium, ADA, { viewport: { width: 1_440, height: 900 } });
      await visit(`${node.url}?doc=page/single${view === 'board' ? '.board' : ''}`, page);
      if (view === 'text') {
        await page.locator(EDITOR).click();
        await page.keyboard.type('A rather long title of a document that has to give way to the buttons');
        await waitForText(page, 'give way');
      }
      await nothingOverlaps(page, `${view}-one`);
    });
  }
});
