// The story that each of the examples has to tell in two windows: text and carets arrive, a window works on offline and
// catches up, and everything survives a restart of the node.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { bundleExamples, serveFiles } from '../../../tools/example-pages.ts';
import { launchChromium } from '../../support/chromium.ts';
import { startTestNode } from '../../support/node.ts';
import { picture } from '../windows.ts';

export interface Example {
  /** Its folder in examples/. */
  readonly name: string;
  /** The element that has the focus while somebody types. */
  readonly editor: string;
  /** The elements with the names at the carets of others. */
  readonly caretName: string;
  /** Elements within the editor that are no text of the document. */
  readonly decoration: string;
  /** The text of the status when everything has arrived. */
  readonly settled: string;
}

/** Browsers log sockets that fail while the node is away. */
const AWAY = { expectedErrors: /WebSocket connection to .* failed|net::ERR/ };

export function testExample(example: Example): void {
  test(`${example.name}: two windows, carets, offline and back, and a restart of the node`, async (t) => {
    const chromium = await launchChromium(t);
    const server = await serveFiles(await bundleExamples([example.name]), 0);
    t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const pages = `http://127.0.0.1:${address.port}`;
    const config = { listen: { origins: [pages] } };
    const node = await startTestNode(t, { config });
    const open = async (name: string): Promise<Page> => {
      const page = await chromium.window(t, { ...AWAY, viewport: { width: 900, height: 620 } });
      page.setDefaultTimeout(30_000);
      const query = new URLSearchParams({
        doc: `demo/${example.name}`,
        node: `ws://127.0.0.1:${node.port}`,
        name,
      });
      await page.goto(`${pages}/${example.name}/?${query}`);
      await says(page, example.settled);
      await page.locator(example.editor).click();
      return page;
    };
    const shows = (page: Page, text: string): Promise<unknown> =>
      page.waitForFunction(
        ({ editor, decoration, wanted }) => {
          const copy = document.querySelector(editor)?.cloneNode(true);
          if (!(copy instanceof Element)) return false;
          for (const each of copy.querySelectorAll(decoration)) each.remove();
          return copy.textContent?.replaceAll(/[\u2060\u200b\ufeff]/g, '') === wanted;
        },
        { editor: example.editor, decoration: example.decoration, wanted: text },
      );

    const ada = await open('Ada');
    const grace = await open('Grace');
    await ada.locator(example.editor).pressSequentially('One. ');
    await shows(grace, 'One. ');
    await grace.locator(example.editor).press('Control+End');
    await grace.keyboard.type('Two. ');
    await shows(ada, 'One. Two. ');
    for (const [page, other] of [
      [ada, 'Grace'],
      [grace, 'Ada'],
    ] as const)
      await page.locator(example.caretName).filter({ hasText: other }).first().waitFor();
    await picture(ada, `example-${example.name}-ada`);
    await picture(grace, `example-${example.name}-grace`);

    await ada.getByRole('button', { name: 'Go offline' }).click();
    await says(ada, 'Offline');
    // The caret of a window that has gone goes too.
    await grace.locator(example.caretName).filter({ hasText: 'Ada' }).first().waitFor({ state: 'detached' });
    await ada.locator(example.editor).press('Control+End');
    await ada.keyboard.type('Three. ');
    await grace.locator(example.editor).press('Control+Home');
    await grace.keyboard.type('Zero. ');
    await shows(grace, 'Zero. One. Two. ');
    await shows(ada, 'One. Two. Three. ');
    await ada.getByRole('button', { name: 'Go online' }).click();
    for (const page of [ada, grace]) await shows(page, 'Zero. One. Two. Three. ');

    await node.stop();
    for (const page of [ada, grace]) await says(page, 'Offline');
    await grace.locator(example.editor).press('Control+End');
    await grace.keyboard.type('Four. ');
    await startTestNode(t, { config, port: node.port, storageUrl: node.storageUrl });
    for (const page of [ada, grace]) await shows(page, 'Zero. One. Two. Three. Four. ');
    for (const page of [ada, grace]) await says(page, example.settled);
    // A window that was never there has it from the node alone.
    const mary = await open('Mary');
    await shows(mary, 'Zero. One. Two. Three. Four. ');
  });
}

async function says(page: Page, text: string): Promise<void> {
  await page.locator('#status').getByText(text, { exact: true }).waitFor();
}
