// The page shows documents that another program has made: a `json` document as a tree that can be edited, a
// `yjs` document as its text. The other program is a client of the SDK in this process.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import { type Json, TroupeClient } from '../../../client/index.ts';
import { FileNode } from '../../gateway/wire/contract.ts';
import { launchChromium } from '../../support/chromium.ts';
import { ADA, DESKTOP, EDITOR, GRACE, openAs, picture, visit, waitForStatus } from '../windows.ts';

const shared = new FileNode();

test('documents that another program has made', async (file) => {
  const chromium = await launchChromium(file);
  const { node } = shared;
  const program = new TroupeClient({ urls: [node.socketUrl], webSocket: WebSocket });
  file.after(() => program.close());
  const ada = await openAs(file, chromium, ADA, DESKTOP);
  const grace = await openAs(file, chromium, GRACE, DESKTOP);
  const at = (name: string): string => `${node.url}?doc=${name}`;

  await file.test(
    'a json document is a tree; every value can be edited, added, renamed, moved and deleted',
    async () => {
      const tasks = program.open('acme/tasks', 'json');
      await tasks.ready;
      const first: Json = {
        title: 'Tasks',
        list: [
          { name: 'Write', done: false },
          { name: 'Ship', done: false },
        ],
        'a/b~c': 1,
        notes: 'one\n two',
      };
      for (const [key, value] of Object.entries(first))
        tasks.edit([{ op: 'add', path: `/${key.replace('~', '~0').replace('/', '~1')}`, value }]);
      await tasks.whenSaved();
      await visit(at('acme/tasks'), ada, grace);
      assert.equal(await ada.locator('h1').textContent(), 'Tasks');
      await ada.getByRole('navigation', { name: 'Views' }).waitFor({ state: 'hidden' });
      assert.match((await ada.locator('.kind-note').textContent()) ?? '', /another program/);
      await picture(ada, 'tree');

      await change(ada, 'title: Tasks', 'Our tasks');
      await change(ada, 'a/b~c: 1', '2.5');
      // Shift+Enter writes a line break, and spaces stay.
      await value(ada, 'notes: one\n two').click();
      await ada.keyboard.press('End');
      await ada.keyboard.press('Control+End');
      await ada.keyboard.press('Shift+Enter');
      await ada.keyboard.type(' three');
      await ada.keyboard.press('Enter');
      await row(ada, 'Item 2').locator('> .tree-line .tree-value').waitFor();
      await row(ada, 'Item 2').getByRole('button', { name: 'done: false' }).click();
      await ada.keyboard.type('true');
      await ada.keyboard.press('Enter');
      await ada.getByRole('button', { name: 'Add item to list' }).click();
      await ada.keyboard.type('{"name":"Rest"}');
      await ada.keyboard.press('Enter');
      await choose(ada, 'Item 3', 'Move up');
      await ada.getByRole('button', { name: 'Add member to Document' }).click();
      await ada.keyboard.type('due');
      await ada.keyboard.press('Enter');
      await ada.keyboard.type('tomorrow');
      await ada.keyboard.press('Enter');
      await choose(ada, 'due', 'Rename');
      await ada.keyboard.type('until');
      await ada.keyboard.press('Enter');
      await waitForStatus(ada, 'Saved');
      await equals(tasks, {
        title: 'Our tasks',
        list: [{ name: 'Write', done: false }, { name: 'Rest' }, { name: 'Ship', done: true }],
        'a/b~c': 2.5,
        notes: 'one\n two\n three',
        until: 'tomorrow',
      });
      await value(grace, 'until: tomorrow').waitFor();

      await choose(ada, 'list', 'Delete');
      await value(grace, 'list: 3 items').waitFor({ state: 'hidden' });
      await ada.getByRole('button', { name: 'Bring back' }).click();
      await value(grace, 'list: 3 items').waitFor();
      // The page's undo takes back the edits of this window alone.
      await change(grace, 'title: Our tasks', 'Everyone’s tasks');
      await value(ada, 'title: Everyone’s tasks').waitFor();
      await ada.getByRole('button', { name: 'Undo' }).click();
      await value(ada, 'due: tomorrow').waitFor();
      assert.equal(await ada.locator('.toast').count(), 0);
      assert.equal(await ada.locator('h1').textContent(), 'Everyone’s tasks');
    },
  );

  await file.test(
    'a box that is open stays at its value while others insert before it, and a text stays a text',
    async () => {
      const doc = program.open('acme/rows', 'json');
      await doc.ready;
      doc.edit([{ op: 'add', path: '/rows', value: ['one', 'two', 'three'] }]);
      await doc.whenSaved();
      await visit(at('acme/rows'), ada);
      await value(ada, 'Item 2: two').click();
      doc.edit([{ op: 'add', path: '/rows/0', value: 'zero' }]);
      await value(ada, 'Item 4: three').waitFor();
      await ada.keyboard.type('2');
      await ada.keyboard.press('Enter');
      await waitForStatus(ada, 'Saved');
      await equals(doc, { rows: ['zero', 'one', '2', 'three'] });

      await value(ada, 'Item 4: three').click();
      doc.edit([{ op: 'remove', path: '/rows/3' }]);
      await ada.getByText('Someone deleted what you were editing.').waitFor();
      // Edited as JSON, a value can become any other value.
      await choose(ada, 'Item 3', 'Edit as JSON');
      await ada.keyboard.type('[null]');
      await ada.keyboard.press('Enter');
      await equals(doc, { rows: ['zero', 'one', [null]] });
    },
  );

  await file.test('a long list shows a part, and more when asked', async () => {
    const doc = program.open('acme/long', 'json');
    await doc.ready;
    doc.edit([{ op: 'add', path: '/rows', value: Array.from({ length: 250 }, (_, index) => index) }]);
    await doc.whenSaved();
    await visit(at('acme/long'), ada);
    await ada.getByRole('button', { name: 'Open rows' }).click();
    await value(ada, 'Item 100: 99').waitFor();
    assert.equal(await ada.locator('.tree-row').count(), 102);
    await ada.getByRole('button', { name: 'Show more (150 left)' }).click();
    await ada.getByRole('button', { name: 'Show more (50 left)' }).click();
    await value(ada, 'Item 250: 249').waitFor();
  });

  await file.test(
    'what is named like a board and is none is a tree; a board and a text of others are what they are',
    async () => {
      const doc = program.open('acme/list.board', 'json');
      await doc.ready;
      doc.edit([{ op: 'add', path: '/items', value: ['one'] }]);
      const text = program.open('acme/text.board', 'rich-text');
      await text.ready;
      await text.whenSaved();
      await doc.whenSaved();
      await visit(at('acme/list.board'), ada);
      await value(ada, 'Item 1: one').waitFor();
      await visit(at('acme/text.board'), ada);
      await ada.locator(EDITOR).pressSequentially('Hello');
      await waitForStatus(ada, 'Saved');
      await visit(at('acme/new.board'), ada);
      await ada.locator('.column').first().waitFor();
    },
  );

  await file.test('a yjs document is its text, live, to read', async () => {
    const doc = program.open('acme/page', 'yjs');
    await doc.ready;
    const body = doc.content.getText('body');
    body.insert(0, 'Hello\nworld');
    body.format(0, 5, { bold: true });
    const xml = doc.content.getXmlFragment('prosemirror');
    const paragraph = new Y.XmlElement('paragraph');
    paragraph.insert(0, [new Y.XmlText('First'), new Y.XmlText(' paragraph')]);
    const second = new Y.XmlElement('paragraph');
    second.insert(0, [new Y.XmlText('Second')]);
    xml.insert(0, [paragraph, second]);
    doc.content.getMap('meta').set('author', 'Ada');
    doc.content.getArray('tags').push(['a', 'b']);
    await doc.whenSaved();
    await visit(at('acme/page'), ada);
    assert.match((await ada.locator('.kind-note').textContent()) ?? '', /Editing it needs an editor for Yjs/);
    const parts = async (): Promise<string[]> => ada.locator('.yjs-view .sheet > *').allTextContents();
    assert.deepEqual(await parts(), [
      'body',
      'Hello\nworld',
      'meta',
      '{\n  "author": "Ada"\n}',
      'prosemirror',
      'First paragraph\nSecond',
      'tags',
      '[\n  "a",\n  "b"\n]',
    ]);
    assert.equal(await ada.locator('h1').textContent(), 'Hello');
    assert.ok(
      await ada.getByRole('button', { name: 'Undo' }).isDisabled(),
      'this window has changed nothing',
    );
    await picture(ada, 'yjs');
    body.insert(5, ', you');
    await ada.getByText('Hello, you').first().waitFor();
    body.delete(0, body.length);
    await ada.getByText('Hello, you').first().waitFor({ state: 'hidden' });
  });
});

const value = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

const row = (page: Page, name: string) =>
  page
    .locator('.tree-row')
    .filter({ has: page.locator(`> .tree-line button[aria-label="Actions for ${name}"]`) });

/** Types `words` in the place of the whole value. */
async function change(page: Page, name: string, words: string): Promise<void> {
  await value(page, name).click();
  await page.keyboard.type(words);
  await page.keyboard.press('Enter');
  await value(page, `${name.slice(0, name.indexOf(':'))}: ${words}`).waitFor();
}

async function choose(page: Page, name: string, item: string): Promise<void> {
  await value(page, `Actions for ${name}`).click();
  await page.getByRole('menuitem', { name: item }).click();
}

/** Waits until the other program has this value. */
async function equals(
  doc: { content: Json; on(event: 'change', listener: () => void): () => void },
  expected: Json,
): Promise<void> {
  const isEqual = (): boolean => {
    try {
      assert.deepEqual(doc.content, expected);
      return true;
    } catch {
      return false;
    }
  };
  const deadline = AbortSignal.timeout(15_000);
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (isEqual() || deadline.aborted) resolve();
    };
    deadline.addEventListener('abort', look);
    doc.on('change', look);
    look();
  });
  assert.deepEqual(doc.content, expected);
}
