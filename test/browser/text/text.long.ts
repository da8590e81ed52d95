// More cases of the page's document view in a real browser against a real node: carets, input methods, emoji, a lost
// server, and changed names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FileNode } from '../../gateway/wire/contract.ts';
import { startStage } from '../stage.ts';
import {
  caretStandsWhereItsOwnerHasIt,
  EDITOR,
  loaded,
  MARY,
  openAs,
  picture,
  settled,
  textOf,
  visit,
  waitForStatus,
  waitForText,
} from '../windows.ts';

const shared = new FileNode();

test('more of the document view', async (file) => {
  const { chromium, ada, grace, newAddress } = await startStage(file, shared.node);

  await file.test("another's caret stays at its word while text before it changes", async () => {
    await visit(newAddress('text'), ada, grace);
    await ada.keyboard.type('here');
    await waitForText(grace, 'here');
    await grace.locator('.ql-cursor-name').waitFor({ state: 'attached' });
    await grace.locator(EDITOR).press('Control+Home');
    await grace.keyboard.type('Ada is ');
    await settled(textOf, ada, grace);
    await caretStandsWhereItsOwnerHasIt(ada, grace);
  });

  await file.test("a word that an input method composes is not disturbed by another's edits", async () => {
    await visit(newAddress('text'), ada, grace);
    await ada.keyboard.type('[]');
    await waitForText(grace, '[]');
    await ada.keyboard.press('ArrowLeft');
    const keyboard = await ada.context().newCDPSession(ada);
    const compose = (text: string): Promise<unknown> =>
      keyboard.send('Input.imeSetComposition', {
        text,
        selectionStart: text.length,
        selectionEnd: text.length,
      });
    await compose('に');
    await compose('にほ');
    await grace.locator(EDITOR).press('Control+Home');
    await grace.keyboard.type('Grace ');
    await waitForStatus(grace, 'Saved');
    await compose('にほん');
    await keyboard.send('Input.insertText', { text: '日本' });
    await keyboard.detach();
    assert.equal(await settled(textOf, ada, grace), 'Grace [日本]');
    await ada.keyboard.type('!');
    assert.equal(await settled(textOf, ada, grace), 'Grace [日本!]');
  });

  await file.test('emoji are typed and deleted whole, at the border of formats too', async () => {
    await visit(newAddress('text'), ada, grace);
    await ada.keyboard.type('😀😁');
    await ada.keyboard.press('Shift+ArrowLeft');
    await ada.getByRole('button', { name: 'Bold' }).click();
    await ada.locator(EDITOR).press('ArrowLeft');
    await ada.keyboard.type('😂');
    assert.equal(await settled(textOf, ada, grace), '😀😂😁');
    await ada.keyboard.press('Delete');
    assert.equal(await settled(textOf, ada, grace), '😀😂');
    await ada.keyboard.press('Backspace');
    assert.equal(await settled(textOf, ada, grace), '😀');
    assert.equal(await ada.locator('.toast').count(), 0);
  });

  await file.test('a lost server is said so, edits made meanwhile are sent when it is back', async (t) => {
    const mary = await openAs(t, chromium, MARY);
    let reachable = true;
    const sockets = new Set<{ close(): Promise<void> }>();
    await mary.routeWebSocket(/\/v1\/socket$/, async (socket) => {
      if (!reachable) return socket.close();
      sockets.add(socket);
      socket.connectToServer();
    });
    await visit(newAddress('text'), mary, grace);
    await mary.keyboard.type('Before. ');
    await waitForText(grace, 'Before.');
    await waitForStatus(mary, 'Saved');
    reachable = false;
    for (const socket of sockets) await socket.close();
    await waitForStatus(mary, 'Reconnecting…');
    await mary.keyboard.type('Meanwhile. ');
    await waitForStatus(mary, 'Reconnecting, edits kept');
    await mary.locator('.toast').getByText('cannot be reached').waitFor();
    await picture(mary, 'server-gone');
    reachable = true;
    await waitForText(grace, 'Meanwhile.');
    await waitForStatus(mary, 'Saved');
    await mary.locator('.toast').waitFor({ state: 'detached' });
  });

  await file.test("a changed name and colour show in the other window's people and cursor", async (t) => {
    const mary = await openAs(t, chromium, MARY);
    await visit(newAddress('text'), mary, grace);
    await mary.keyboard.type('x');
    await mary.getByRole('button', { name: /^You are Mary/ }).click();
    await mary.getByLabel('Your name').fill('Countess');
    await mary.getByRole('radio', { name: 'Cobalt' }).check();
    await picture(mary, 'person');
    await mary.getByRole('button', { name: 'Save' }).click();
    await grace.locator('.others button[title="Countess"]').waitFor();
    await grace
      .locator('.ql-cursor-name')
      .getByText('Countess', { exact: true })
      .waitFor({ state: 'attached' });
    await mary.reload();
    await loaded(mary);
    await mary.getByRole('button', { name: /^You are Countess/ }).waitFor();
  });
});
