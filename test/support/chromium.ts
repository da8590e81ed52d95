// A headless Chromium for tests: the system's, found or installed, driven through playwright-core.
// Whoever launches it gets it closed at the end of the test, in every outcome.
import type { TestContext } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { findProgram } from './install.ts';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

export interface BrowserFixture {
  readonly browser: Browser;
  /**
   * A window of its own user: nothing stored is shared with the others. Errors that a page throws
   * or logs fail the test at its end; `expectedErrors` are not counted.
   */
  window(options?: BrowserContextOptions & { expectedErrors?: RegExp }): Promise<Page>;
}

export async function launchChromium(t: TestContext): Promise<BrowserFixture> {
  const executablePath = await findProgram(PROGRAMS, 'chromium');
  const root = process.getuid?.() === 0;
  const browser = await chromium.launch({
    executablePath,
    args: ['--disable-dev-shm-usage', ...(root ? ['--no-sandbox'] : [])],
  });
  const errors: string[] = [];
  t.after(async () => {
    await browser.close();
    if (errors.length > 0) throw new Error(`the page reported errors:\n${errors.join('\n')}`);
  });
  return {
    browser,
    window: async ({ expectedErrors, ...options } = {}) => {
      const context = await browser.newContext(options);
      const page = await context.newPage();
      const note = (error: string): void => {
        if (expectedErrors?.test(error) !== true) errors.push(error);
      };
      page.on('pageerror', (error) => note(error.stack ?? error.message));
      page.on('console', (message) => message.type() === 'error' && note(message.text()));
      return page;
    },
  };
}
