// The page's layout in a real browser, from a phone to a wide window, alone and with ten people: nothing
// lies over anything else, nothing shrinks to less than can be pressed.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Page } from 'playwright-core';
import WebSocket from 'ws';
import { TroupeClient } from '../../client/index.ts';
import { COLOURS } from '../../web/people.ts';
import { type Chromium, launchChromium } from '../support/chromium.ts';
import { startTestNode, type TestNode } from '../support/node.ts';
import { ADA, addCards, EDITOR, openAs, PHONE, picture, visit, waitForText } from './windows.ts';

const WIDTHS = [360, 390, 768, 844, 900, 1_100, 1_440];
const FINGER = 44;

test('the layout of the page', async (file) => {
  const chromium = await launchChromium(file);
  const node = await startTestNode(file);
  const crowd = join(file, node, 'page/crowd', 9);
  await Promise.all(crowd);

  for (const [people, text] of [
    ['one', 'page/alone'],
    ['ten', 'page/crowd'],
  ] as const) {
    for (const view of ['text', 'board'] as const) {
      await file.test(`with ${people} at a ${view}, nothing in the bar overlaps at any width`, async (t) => {
        const page = await openAs(t, chromium, ADA, { viewport: { width: 1_440, height: 900 } });
        await visit(`${node.url}?doc=${text}${view === 'board' ? '.board' : ''}`, page);
        if (people === 'ten') await page.locator('.others .more').waitFor();
        if (view === 'text' && people === 'one') await write(page);
        for (const width of WIDTHS) {
          await page.setViewportSize({ width, height: width < 700 ? 780 : 900 });
          await picture(page, `${view}-${people}-${width}`);
          assert.deepEqual(await faults(page), [], `${width} px`);
        }
      });
    }
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

async function write(page: Page): Promise<void> {
  await page.locator(EDITOR).click();
  await page.keyboard.type('A rather long title of a document that has to give way to the buttons');
  await waitForText(page, 'give way');
}

function colourOf(page: Page, selector: string): Promise<string> {
  return page.locator(selector).evaluate((avatar) => avatar.style.getPropertyValue('--person'));
}

/** Controls of the bar that overlap, stick out of the window or are squeezed, once the page has drawn a frame in its new width. */
function faults(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    // The number of avatars follows the width in the frame after it has changed.
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    const bar = document.querySelector('.bar');
    const parts = [...document.querySelectorAll('.bar button, .bar a, .bar .title, .bar .status')]
      .map((element) => ({
        name: element.getAttribute('aria-label') ?? element.className,
        avatar: element.matches('.others button'),
        box: element.getBoundingClientRect(),
        squeezed: element.matches('button, a') && element.scrollWidth > element.clientWidth + 1,
      }))
      .filter(({ box }) => box.width > 0);
    const found: string[] = [];
    for (const [index, one] of parts.entries()) {
      if (one.box.left < 0 || one.box.right > innerWidth) found.push(`${one.name} is outside the window`);
      if (one.squeezed) found.push(`${one.name} is squeezed`);
      if (one.box.width < 24 && !one.name.includes('status')) found.push(`${one.name} is a sliver`);
      for (const other of parts.slice(index + 1)) {
        const across = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
        const down = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
        // Avatars stand like a hand of cards, some pixels over each other.
        const allowed = one.avatar && other.avatar ? 7 : 0.5;
        if (across > allowed && down > 0.5) found.push(`${one.name} and ${other.name} overlap`);
      }
    }
    if (document.documentElement.scrollWidth > innerWidth) found.push('the page scrolls sideways');
    if (bar !== null && bar.scrollWidth > bar.clientWidth) found.push('the bar overflows');
    return found;
  });
}

/** Visible controls that a finger would miss. A tool may be scrolled out of sight, not shrunk. */
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
