// A headless Chromium for tests: the system's, found or installed, driven through playwright-core. The tests of a
// process share one browser. Their windows are closed after each test, in every outcome, and the browser at the end.
import { after, type TestContext } from 'node:test';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';
import { findProgram } from './programs/install.ts';
import { CHROMIUM } from './programs/requirements.ts';

export interface Chromium {
  /**
   * A window of its own user: nothing stored is shared with the others. Closed after `t`, which fails
   * if the page threw or logged an error; those that `expectedErrors` matches are not counted.
   */
  window(t: TestContext, options?: WindowOptions): Promise<Page>;
}

export type WindowOptions = BrowserContextOptions & { expectedErrors?: RegExp };

/**
 * Pages are laid out and not drawn, unless TROUPE_TEST_SCREENSHOTS asks for pictures. Without a graphics card
 * the drawing takes half of the processor time of a page. Events, scrolling and animation frames do not depend on it.
 */
const DRAWN = process.env.TROUPE_TEST_SCREENSHOTS !== undefined;

/** The settings of Playwright, which gives the pointer of a desktop by them. A later switch replaces the whole list. */
const SETTINGS = [
  'primaryHoverType=2',
  'availableHoverTypes=2',
  'primaryPointerType=4',
  'availablePointerTypes=4',
  'acceleratedCompositingEnabled=false',
];

let shared: Promise<Browser> | undefined;

after(async () => (await shared)?.close());

/** All its windows are closed after `t`, which must be the test around those that open windows. */
export async function launchChromium(t: TestContext): Promise<Chromium> {
  const browser = await sharedBrowser();
  const windows = new Set<BrowserContext>();
  t.after(() => Promise.all([...windows].map((window) => window.close())));
  return { window: (test, options = {}) => openWindow(browser, windows, test, options) };
}

/** A browser that has crashed is replaced, for the tests that follow. */
async function sharedBrowser(): Promise<Browser> {
  const there = await shared;
  if (there?.isConnected()) return there;
  shared = launch();
  return shared;
}

async function launch(): Promise<Browser> {
  const executablePath = await findProgram(CHROMIUM);
  const root = process.getuid?.() === 0;
  return chromium.launch({
    executablePath,
    args: [
      '--disable-gpu',
      '--disable-dev-shm-usage',
      ...(DRAWN ? [] : [`--blink-settings=${SETTINGS.join()}`]),
      ...(root ? ['--no-sandbox'] : []),
    ],
  });
}

async function openWindow(
  browser: Browser,
  windows: Set<BrowserContext>,
  t: TestContext,
  { expectedErrors, ...options }: WindowOptions,
): Promise<Page> {
  // Transitions take frames, and all frames are drawn by the processor.
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  windows.add(context);
  const errors: string[] = [];
  t.after(async () => {
    windows.delete(context);
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
