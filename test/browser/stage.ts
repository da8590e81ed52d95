// The windows of two people and the names of new documents, for tests of two people at one document.
import type { TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import { type Chromium, launchChromium } from '../support/chromium.ts';
import type { TestNode } from '../support/node.ts';
import { ADA, DESKTOP, GRACE, openAs } from './windows.ts';

/** Files may share a node, so documents are counted over all of them. */
let documents = 0;

export interface Stage {
  readonly chromium: Chromium;
  readonly ada: Page;
  readonly grace: Page;
  /** The address of a document that does not exist yet. Its name begins with `name` and ends with `ending`. */
  newAddress(name: string, ending?: string): string;
}

export async function startStage(t: TestContext, node: TestNode): Promise<Stage> {
  const chromium = await launchChromium(t);
  const ada = await openAs(t, chromium, ADA, DESKTOP);
  const grace = await openAs(t, chromium, GRACE, DESKTOP);
  const newAddress = (name: string, ending = ''): string => {
    documents += 1;
    return `${node.url}?doc=page/${name}-${documents}${ending}`;
  };
  return { chromium, ada, grace, newAddress };
}
