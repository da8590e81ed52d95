// A node, a browser and the windows of two people, for tests of two people at one document.
import type { TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import { type Chromium, launchChromium } from '../support/chromium.ts';
import { startTestNode, type TestNode } from '../support/node.ts';
import { ADA, DESKTOP, GRACE, openAs } from './windows.ts';

export interface Stage {
  readonly chromium: Chromium;
  readonly node: TestNode;
  readonly ada: Page;
  readonly grace: Page;
  /** The address of a document that does not exist yet. Its name begins with `name` and ends with `ending`. */
  newAddress(name: string, ending?: string): string;
}

export async function startStage(t: TestContext): Promise<Stage> {
  // The browser comes first, so it is closed before the node stops. Its windows would report the end of the
  // node.
  const chromium = await launchChromium(t);
  const node = await startTestNode(t);
  const ada = await openAs(t, chromium, ADA, DESKTOP);
  const grace = await openAs(t, chromium, GRACE, DESKTOP);
  let documents = 0;
  const newAddress = (name: string, ending = ''): string => {
    documents += 1;
    return `${node.url}?doc=page/${name}-${documents}${ending}`;
  };
  return { chromium, node, ada, grace, newAddress };
}
