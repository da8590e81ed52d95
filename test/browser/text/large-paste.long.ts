// A very large text pasted into the page: the editor takes seconds for it, in both windows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FileNode } from '../../gateway/wire/contract.ts';
import { launchChromium } from '../../support/chromium.ts';
import {
  ADA,
  DESKTOP,
  EDITOR,
  GRACE,
  openAs,
  pasteInto,
  settled,
  textOf,
  visit,
  waitForStatus,
} from '../windows.ts';

const shared = new FileNode();

test('a large text in the document view', async (file) => {
  // The browser comes first, so it is closed before the node stops. Its windows would report the end of the
  // node.
  const chromium = await launchChromium(file);
  const { node } = shared;
  const ada = await openAs(file, chromium, ADA, DESKTOP);
  const grace = await openAs(file, chromium, GRACE, DESKTOP);

  await file.test(
    '100,000 words pasted at once reach the other window, and one undo takes them back',
    async () => {
      await visit(`${node.url}?doc=page/large`, ada, grace);
      await ada.keyboard.type('Small. ');
      const words = Array.from(
        { length: 100_000 },
        (_, index) => `word${index % 100}${index % 12 === 11 ? '\n' : ' '}`,
      );
      const text = words.join('');
      await pasteInto(ada, { 'text/plain': text });
      await waitForStatus(ada, 'Saved');
      assert.equal(await ada.locator('.toast').count(), 0);
      assert.equal((await settled(textOf, ada, grace)).trimEnd(), `Small. ${text}`.trimEnd());
      await ada.locator(EDITOR).press('Control+z');
      assert.equal(await settled(textOf, ada, grace), 'Small. ');
    },
  );
});
