// The page's layout in a real browser with ten people, from a phone to a wide window: controls do not
// overlap, and none is too small to be pressed. layout.long.ts has one person alone.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Page } from 'playwright-core';
import WebSocket from 'ws';
import { TroupeClient } from '../../../client/index.ts';
import { COLOURS } from '../../../web/frame/people.ts';
import { FileNode } from '../../gateway/wire/contract.ts';
import { type Chromium, launchChromium } from '../../support/chromium.ts';
import type { TestNode } from '../../support/node.ts';
import { ADA, addCards, openAs, PHONE, visit } from '../windows.ts';
import { nothingOverlaps } from './bar.ts';

const FINGER = 44;

const shared = new FileNode();

test('the layout of the page', async (file) => {
  const chromium = await launchChromium(file);
  const { node } = shared;
  const crowd = join(file, node, 'page/crowd', 9);
  await Promise.all(crowd);

  for (const view of ['text', 'board'] as const) {
    await file.test(`with ten people at a ${view}, nothing in the bar overlaps at any width`, async (t) => {
      const page = await openAs(t, chromium, ADA, { viewport: { width: 1_440, height: 900 } });
      await visit(`${node.url}?doc=page/crowd${view === 'board' ? '.board' : ''}`, page);
      await page.locator('.others .more').waitFor();
      await nothingOverlaps(page, `${view}-ten`);
    });
  }

  await file.test('on a phone every control is at least 44 px wide and high', async (t) => {
    const page = await phone(t, chromium);
    await visit(`${node.url}?doc=page/crowd`, page);
    await page.locator('.others .more').waitFor();
    assert.deepEqual(await smallTargets(page), []);
    await page.getByRole('button', { name: 'Documents' }).click();
    assert.deepEqual(await smallTargets(page), []);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: /^You are/ }).click();
    assert.deepEqual(await smallTargets(page), []);
    await page.keyboard.press('Escape');
    await visit(`${node.url}?doc=page/alone.board`, page);
    await addCards(page, 'To do', 'A card');
    assert.deepEqual(await smallTargets(page), []);
  });

  await file.test('people in one document have colours that differ, the same in every window', async (t) => {
    const one = await openAs(t, chromium, ADA, { viewport: { width: 1_440, height: 900 } });
    const two = await openAs(t, chromium, ADA, { viewport: { width: 1_440, height: 900 } });
    await visit(`${node.url}?doc=page/twins`, one);
    await visit(`${node.url}?doc=page/twins`, two);
    await one.locator('.others button').waitFor();
    await two.locator('.others button').waitFor();
    const mine = await colourOf(one, '.me');
    const theirs = await colourOf(one, '.others button');
    assert.equal(mine, ADA.colour);
    assert.notEqual(theirs, mine);
    assert.equal(await colourOf(two, '.me'), theirs);
    assert.equal(await colourOf(two, '.others button'), mine);
  });
});

/** Clients of the SDK that are present at a text and at its board, all in one colour. */
function join(t: TestContext, node: TestNode, name: string, count: number): Promise<void>[] {
  return Array.from({ length: count }, async (_, index) => {
    const client = new TroupeClient({ urls: [node.socketUrl], webSocket: WebSocket });
    t.after(() => client.close());
    const data = { name: `Person Number ${index + 1}`, color: COLOURS[0]?.hex ?? '' };
    const text = client.open(name, 'rich-text');
    const board = client.open(`${name}.board`, 'json');
    text.presence.set(data);
    board.presence.set(data);
    await Promise.all([text.ready, board.ready]);
  });
}

async function phone(t: TestContext, chromium: Chromium): Promise<Page> {
  const page = await openAs(t, chromium, ADA, PHONE);
  return page;
}

function colourOf(page: Page, selector: string): Promise<string> {
  return page.locator(selector).evaluate((avatar) => avatar.style.getPropertyValue('--person'));
}

/** Visible controls that are too small for a finger. A tool may be scrolled out of sight, but not shrunk. */
function smallTargets(page: Page): Promise<string[]> {
  return page.evaluate((least) => {
    const controls = 'button, a, select, input:not([type=radio]), .swatch, [role=menuitem], li.card';
    return [...document.querySelectorAll(controls)]
      .filter((control) => control.closest('.ql-clipboard, .ql-editor') === null)
      .map((control) => ({ control, box: control.getBoundingClientRect() }))
      .filter(({ box }) => box.width > 0 && (box.width < least - 0.5 || box.height < least - 0.5))
      .map(
        ({ control, box }) =>
          `${control.getAttribute('aria-label') ?? control.outerHTML.slice(0, 80)}: ` +
          `${Math.round(box.width)} × ${Math.round(box.height)}`,
      );
  }, FINGER);
}
