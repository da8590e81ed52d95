// Windows of the page for its tests: opens them as different people, waits for content to appear, and takes
// pictures if TROUPE_TEST_SCREENSHOTS names a folder.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import type { Chromium, WindowOptions } from '../support/chromium.ts';

export interface Someone {
  readonly name: string;
  readonly colour: string;
}

export const ADA: Someone = { name: 'Ada Lovelace', colour: '#be123c' };
export const GRACE: Someone = { name: 'Grace Hopper', colour: '#0f766e' };

export const MARY: Someone = { name: 'Mary Shelley', colour: '#6d28d9' };

export const DESKTOP: WindowOptions = { viewport: { width: 1360, height: 860 } };
export const PHONE: WindowOptions = {
  viewport: { width: 360, height: 740 },
  deviceScaleFactor: 2,
  hasTouch: true,
  isMobile: true,
};

export const EDITOR = '.ql-editor';

/** Opens an empty window of the person `who`. */
export async function openAs(
  t: TestContext,
  chromium: Chromium,
  who: Someone,
  options: WindowOptions = {},
): Promise<Page> {
  const page = await chromium.window(t, options);
  page.setDefaultTimeout(30_000);
  await page.addInitScript((person) => {
    // A window that was opened by the page begins at a blank document, which has no storage.
    if (location.protocol === 'about:') return;
    if (localStorage.length === 0) localStorage.setItem('troupe.person', JSON.stringify(person));
  }, who);
  return page;
}

/** Opens the document at `address` in each of the windows, and waits until it is there. */
export async function visit(address: string, ...pages: readonly Page[]): Promise<void> {
  await Promise.all(
    pages.map(async (page) => {
      await page.goto(address);
      await loaded(page);
    }),
  );
}

export async function loaded(page: Page): Promise<void> {
  await page.waitForSelector('.stage > main:not([data-loading])');
}

/** The document's text as the window shows it, without the caret guards that Quill puts around embeds. */
export function textOf(page: Page): Promise<string> {
  return page
    .locator(EDITOR)
    .evaluate((editor) => [...editor.children].map((line) => line.textContent).join('\n'));
}

/** Pastes as a browser does, with the clipboard that another program has filled. */
export async function pasteInto(page: Page, data: Record<string, string>): Promise<void> {
  await page.locator(EDITOR).evaluate((editor, entries) => {
    const clipboardData = new DataTransfer();
    for (const [type, value] of Object.entries(entries)) clipboardData.setData(type, value);
    const event = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true });
    editor.dispatchEvent(event);
  }, data);
}

export async function waitForText(page: Page, ...parts: readonly string[]): Promise<void> {
  for (const part of parts) await page.locator(EDITOR).filter({ hasText: part }).waitFor();
}

export async function waitForStatus(page: Page, label: string): Promise<void> {
  await page.locator('.status').getByText(label, { exact: true }).waitFor();
}

/** Waits until the windows show the same, and returns what they show. */
export async function settled(
  show: (page: Page) => Promise<string>,
  ...pages: readonly Page[]
): Promise<string> {
  for (const page of pages) await waitForStatusIn(page, ['Saved', 'Up to date']);
  const [first, ...rest] = pages;
  assert.ok(first);
  const deadline = AbortSignal.timeout(30_000);
  for (;;) {
    const shown = await show(first);
    const others = await Promise.all(rest.map(show));
    if (others.every((other) => other === shown)) return shown;
    deadline.throwIfAborted();
    await first.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
  }
}

async function waitForStatusIn(page: Page, labels: readonly string[]): Promise<void> {
  await page.waitForFunction(
    (wanted) => wanted.includes(document.querySelector('.status')?.textContent ?? ''),
    labels,
  );
}

/** Records everything that the status says from now on. The recording ends with the window. */
export async function recordStatus(page: Page): Promise<() => Promise<string[]>> {
  const seen = await page.evaluateHandle(() => {
    const status = document.querySelector('.status');
    if (status === null) throw new Error('no status');
    const labels: string[] = [];
    new MutationObserver(() => labels.push(status.textContent ?? '')).observe(status, {
      childList: true,
      characterData: true,
      subtree: true,
    });
    return labels;
  });
  return () => seen.jsonValue();
}

/** The columns of the board with their cards' titles, as the window shows them. */
export function boardOf(page: Page): Promise<string> {
  return page.evaluate(() =>
    [...document.querySelectorAll('.column')]
      .map((column) => {
        const cards = [...column.querySelectorAll('.card-title')].map((title) => title.textContent);
        return `${column.querySelector('.column-title')?.textContent}: ${cards.join(', ')}`;
      })
      .join('\n'),
  );
}

export function columnOf(page: Page, title: string) {
  return page
    .locator('.column')
    .filter({ has: page.locator('.column-title').getByText(title, { exact: true }) });
}

export function cardOf(page: Page, title: string) {
  return page.locator('.card').filter({ hasText: title });
}

export async function addCards(page: Page, column: string, ...titles: readonly string[]): Promise<void> {
  await columnOf(page, column).locator('.add-card').click();
  for (const title of titles) {
    await page.locator('.composer textarea').fill(title);
    await page.keyboard.press('Enter');
    await cardOf(page, title).waitFor();
  }
  await page.keyboard.press('Escape');
}

/** The owner's caret stands in the other window within two pixels of its place in the owner's window. */
export async function caretStandsWhereItsOwnerHasIt(owner: Page, other: Page): Promise<void> {
  const own = await owner.evaluate(() => {
    const range = getSelection()?.getRangeAt(0);
    if (range === undefined) throw new Error('no selection');
    const box = range.getBoundingClientRect();
    return { x: box.x, y: box.y };
  });
  await other.waitForFunction(({ x, y }) => {
    const box = document.querySelector('.ql-cursor-caret')?.getBoundingClientRect();
    return box !== undefined && Math.abs(box.x + box.width / 2 - x) <= 2 && Math.abs(box.y - y) <= 4;
  }, own);
}

export function focusIn(page: Page, selector: string): Promise<boolean> {
  return page.evaluate((within) => document.activeElement?.closest(within) != null, selector);
}

export async function moveByMenu(page: Page, card: string, item: string): Promise<void> {
  await cardOf(page, card).hover();
  await cardOf(page, card).getByRole('button', { name: 'Card actions' }).click();
  await page.getByRole('menuitem', { name: item }).click();
}

const folder = process.env.TROUPE_TEST_SCREENSHOTS;

/** Takes a picture for a person to look at, if a folder for pictures is named. */
export async function picture(page: Page, name: string): Promise<void> {
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' });
}
