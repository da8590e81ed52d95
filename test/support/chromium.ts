// A headless Chromium for tests: the system's, found or installed, driven through playwright-core.
// Whoever launches it gets it closed at the end of the test, in every outcome.
import type { TestContext } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { findProgram } from './install.ts';
import { CHROMIUM } from './requirements.ts';

export interface Chromium {
  /**
   * A window of its own user: nothing stored is shared with the others. Closed after `t`, which fails
   * if the page threw or logged an error; those that `expectedErrors` matches are not counted.
   */
  window(t: TestContext, options?: WindowOptions): Promise<Page>;
}

export type WindowOptions = BrowserContextOptions & { expectedErrors?: RegExp };

/** Closed after `t`: give it the test around those that open windows. */
export async function launchChromium(t: TestContext): Promise<Chromium> {
  const executablePath = await findProgram(CHROMIUM);
  const root = process.getuid?.() === 0;
  const browser = await chromium.launch({
    executablePath,
    args: ['--disable-gpu', '--disable-dev-shm-usage', ...(root ? ['--no-sandbox'] : [])],
  });
  t.after(() => browser.close());
  return { window: (test, options = {}) => openWindow(browser, test, options) };
}

async function openWindow(
  browser: Browser,
  t: TestContext,
  { expectedErrors, ...options }: WindowOptions,
): Promise<Page> {
  const context = await browser.newContext(options);
  const errors: string[] = [];
  t.after(async () => {
    if (browser.isConnected()) await context.close();
    if (errors.length > 0) throw new Error(`the page reported errors:\n${errors.join('\n')}`);
  });
  const page = await context.newPage();
  const note = (error: string): void => {
    if (expectedErrors?.test(error) !== true) errors.push(error);
  };
  page.on('pageerror', (error) => note(error.stack ?? error.message));
  page.on('console', (message) => message.type() === 'error' && note(message.text()));
  return page;
}
