// The page at a node with `auth.mode: jwt`, in a real browser: signing in by a token, a viewer's window, tokens that end
// and rights that are lost while a person types.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Page } from 'playwright-core';
import { launchChromium } from '../../support/chromium.ts';
import { startTestNode } from '../../support/node.ts';
import { TOKEN_SECRET, tokenOf } from '../../support/tokens.ts';
import {
  ADA,
  DESKTOP,
  EDITOR,
  GRACE,
  loaded,
  openAs,
  PHONE,
  picture,
  settled,
  textOf,
  waitForStatus,
  waitForText,
} from '../windows.ts';

const PANEL = '.sign-in';
/** The cookie of a session is good for so long, and is refreshed before. */
const FRESH_MS = 1500;
/** The browser reports each answer of this status, and the page asks whether there is a session. */
const expectedErrors = /status of 401/;

async function stage(t: TestContext) {
  const chromium = await launchChromium(t);
  const node = await startTestNode(t, {
    config: {
      auth: {
        mode: 'jwt',
        graceMs: 200,
        jwt: { secret: TOKEN_SECRET, toleranceMs: 0 },
        session: { freshMs: FRESH_MS },
      },
    },
  });
  return { chromium, address: `${node.url}?doc=acme/plan` };
}

async function signIn(page: Page, token: string): Promise<void> {
  await page.locator('#sign-in-token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function enter(page: Page, address: string, token: string): Promise<void> {
  await page.goto(address);
  await page.locator(PANEL).waitFor();
  await signIn(page, token);
  await page.locator(PANEL).waitFor({ state: 'hidden' });
  await loaded(page);
}

/** Ends the session of the window's browser, as a logout in another window does. */
async function logOutElsewhere(page: Page): Promise<void> {
  const session = new URL('/v1/session', page.url()).href;
  const found = await page.request.get(session);
  const { csrf } = (await found.json()) as { csrf: string };
  const ended = await page.request.delete(session, { headers: { 'x-csrf-token': csrf } });
  assert.equal(ended.status(), 204);
}

test('the page at a node that asks for tokens', async (file) => {
  const { chromium, address } = await stage(file);
  const ada = await openAs(file, chromium, ADA, { ...DESKTOP, expectedErrors });

  await file.test('the page asks for a token, tells why one is refused, and lets its user in', async () => {
    await ada.goto(address);
    await ada.locator(PANEL).waitFor();
    await waitForStatus(ada, 'Signed out');
    assert.equal(await ada.evaluate(() => document.activeElement?.id), 'sign-in-token');
    await picture(ada, 'sign-in');
    await signIn(ada, 'no token');
    await ada.getByText('That is no token').waitFor();
    const forged = await tokenOf('ada', { 'acme/*': 'editor' });
    await signIn(ada, `${forged.slice(0, -4)}AAAA`);
    await ada.getByText('The node did not take this token').waitFor();
    await signIn(ada, await tokenOf('ada', { 'acme/*': 'editor' }));
    await ada.locator(PANEL).waitFor({ state: 'hidden' });
    await loaded(ada);
    await ada.locator(EDITOR).click();
    await ada.keyboard.type('A plan of two');
    await waitForStatus(ada, 'Saved');
    await ada.reload();
    await waitForText(ada, 'A plan of two');
    await waitForStatus(ada, 'Up to date');
    const stored = await ada.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
    assert.doesNotMatch(stored, /eyJ/, 'the session is a cookie; no token is kept where scripts can read it');
    assert.equal(await ada.evaluate(() => document.cookie), '');
  });

  await file.test('a viewer sees each edit, cannot type, and the page says so', async (t) => {
    for (const options of [DESKTOP, PHONE]) {
      const grace = await openAs(t, chromium, GRACE, { ...options, expectedErrors });
      await enter(grace, address, await tokenOf('grace', { 'acme/*': 'viewer' }));
      await waitForText(grace, 'A plan of two');
      await grace.getByText('View only').waitFor();
      await grace.locator(EDITOR).click();
      await grace.keyboard.type('mine');
      assert.doesNotMatch(await textOf(grace), /mine/);
      await picture(grace, options === PHONE ? 'viewer-phone' : 'viewer');
    }
  });

  await file.test(
    'the session is refreshed while the page is open, also after it was loaded anew',
    async () => {
      const refreshed = () =>
        ada.waitForResponse((answer) => answer.url().endsWith('/v1/session/refresh') && answer.ok());
      for (const words of [' first', ' second']) {
        await refreshed();
        await refreshed();
        await ada.locator(EDITOR).press('Control+End');
        await ada.keyboard.type(words);
        await waitForStatus(ada, 'Saved');
        await ada.locator(EDITOR).press('Control+z');
        await waitForStatus(ada, 'Saved');
        assert.equal(await ada.locator(PANEL).isVisible(), false);
        await ada.reload();
        await waitForText(ada, 'A plan of two');
      }
    },
  );

  await file.test('signing out ends the session in all windows of the browser', async (t) => {
    const grace = await openAs(t, chromium, GRACE, { ...DESKTOP, expectedErrors });
    await enter(grace, address, await tokenOf('grace', { 'acme/*': 'editor' }));
    const other = await grace.context().newPage();
    await other.goto(address);
    await loaded(other);
    await grace.getByRole('button', { name: 'Documents' }).click();
    await grace.getByRole('menuitem', { name: 'Sign out' }).click();
    await Promise.all([grace, other].map((page) => page.locator(PANEL).waitFor()));
    await grace.reload();
    await grace.locator(PANEL).waitFor();
  });

  await file.test(
    'edits are kept when the session ends in another window, and are stored after the next sign-in',
    async (t) => {
      const grace = await openAs(t, chromium, GRACE, { ...DESKTOP, expectedErrors });
      await enter(grace, address, await tokenOf('grace', { 'acme/*': 'editor' }));
      await logOutElsewhere(grace);
      await grace.locator(PANEL).waitFor();
      await grace.locator(EDITOR).press('Control+End');
      await grace.keyboard.type(' and one');
      await waitForStatus(grace, 'Signed out, edits kept');
      await picture(grace, 'sign-in-again');
      await signIn(grace, await tokenOf('mallory', { 'acme/*': 'editor' }));
      await grace.getByText('This token is for another user').waitFor();
      await signIn(grace, await tokenOf('grace', { 'acme/*': 'editor' }));
      await waitForStatus(grace, 'Saved');
      await waitForText(ada, 'A plan of two and one');
    },
  );

  await file.test(
    'an editor who becomes a viewer is told, and the text that was taken back can be copied',
    async (t) => {
      const grace = await openAs(t, chromium, GRACE, { ...DESKTOP, expectedErrors });
      await enter(grace, address, await tokenOf('grace', { 'acme/*': 'editor' }));
      await logOutElsewhere(grace);
      await grace.locator(PANEL).waitFor();
      await grace.locator(EDITOR).press('Control+End');
      await grace.keyboard.type(' lost words');
      await waitForStatus(grace, 'Signed out, edits kept');
      await signIn(grace, await tokenOf('grace', { 'acme/*': 'viewer' }));
      await grace.getByText('You may only read this document now').waitFor();
      await grace.getByText('View only').waitFor();
      assert.doesNotMatch(await textOf(grace), /lost words/);
      await picture(grace, 'taken-back');
      await grace.getByRole('button', { name: 'Copy it' }).click();
      await grace.getByText(/in the clipboard|lost words/).waitFor();
    },
  );

  await file.test(
    'a person who is revoked while typing is told, and every word is kept for the next sign-in',
    async (t) => {
      const grace = await openAs(t, chromium, GRACE, { ...DESKTOP, expectedErrors });
      const issued = Math.floor(Date.now() / 1_000) - 5;
      await enter(grace, address, await tokenOf('hedy', { 'acme/*': 'editor' }, { iat: issued }));
      await grace.locator(EDITOR).press('Control+End');
      const words = ' one two three four five six';
      const typing = grace.keyboard.type(words, { delay: 20 });
      const admin = await tokenOf('root', {}, { admin: true });
      const revoked = await fetch(new URL('/v1/revocations', address), {
        method: 'POST',
        headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
        body: JSON.stringify({ sub: 'hedy', before: (issued + 1) * 1_000 }),
      });
      assert.equal(revoked.status, 200);
      await typing;
      await grace.locator(PANEL).waitFor();
      await signIn(grace, await tokenOf('hedy', { 'acme/*': 'editor' }, { iat: issued + 1 }));
      await grace.locator(PANEL).waitFor({ state: 'hidden' });
      const shown = await settled(textOf, grace, ada);
      assert.ok(shown.includes(words.trim()), shown);
    },
  );

  await file.test('a document without any right looks like a missing one', async (t) => {
    const grace = await openAs(t, chromium, GRACE, { ...DESKTOP, expectedErrors });
    await grace.goto(address);
    await signIn(grace, await tokenOf('grace', { 'other/*': 'owner' }));
    await grace.getByText('This document does not exist.').waitFor();
  });
});
