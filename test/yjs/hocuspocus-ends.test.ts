// Tokens, rights and ends at the endpoint for Hocuspocus, with its real providers: what each version does when it is refused,
// when its token ends, and when its document is deleted.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { FileNode } from '../gateway/wire/contract.ts';
import {
  type ProviderOptions,
  STOCK_PACKAGES,
  type StockPackage,
  type StockProvider,
} from '../support/stock-providers.ts';
import { tokenOf, WITH_TOKENS } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { WireClient } from '../support/wire-client.ts';

const file = new FileNode(WITH_TOKENS);

const HOCUSPOCUS = STOCK_PACKAGES.filter(({ protocol }) => protocol === 'hocuspocus');

function start(
  t: TestContext,
  stock: StockPackage,
  doc: string,
  options: Omit<ProviderOptions, 'port' | 'doc'>,
): StockProvider {
  const provider = stock.start({ port: file.node.port, doc, ...options });
  t.after(() => provider.destroy());
  return provider;
}

/** Declares the test for each version. */
const forEach = (title: string, run: (t: TestContext, stock: StockPackage) => Promise<void>): void => {
  for (const stock of HOCUSPOCUS) test(`${title} [${stock.name}]`, (t) => run(t, stock));
};

const saved = (...providers: StockProvider[]): Promise<void> =>
  until(() => providers.every(({ isSynced, isSaved }) => isSynced && isSaved === true));

const editor = (sub: string, more: object = {}): Promise<string> =>
  tokenOf(sub, { 'acme/*': 'editor' }, more);

async function post(path: string, body: object): Promise<void> {
  const authorization = `Bearer ${await tokenOf('root', {}, { admin: true })}`;
  const answer = await fetch(new URL(path, file.node.url), {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  assert.ok(answer.ok, await answer.text());
}

forEach('HOC-2 HOC-6 a provider without a good token is refused once, and stops', async (t, stock) => {
  const doc = file.newDoc();
  const wrong = start(t, stock, doc, { token: 'x.y.z' });
  wrong.insert(0, 'lost');
  await until(() => wrong.refusals.length > 0);
  const stranger = start(t, stock, doc, { token: await tokenOf('eve', { 'other/*': 'owner' }) });
  await until(() => stranger.refusals.length > 0);
  const none = start(t, stock, doc, {});
  await until(() => none.refusals.length > 0);
  const good = start(t, stock, doc, { token: await editor('ada') });
  await saved(good);
  assert.equal(good.text(), '');
  for (const refused of [wrong, stranger, none]) {
    assert.equal(refused.refusals.length, 1);
    assert.equal(refused.connects, 1);
    assert.deepEqual([refused.isSynced, refused.isSaved], [false, false]);
  }
});

forEach(
  'HOC-2 the token is that of the message, of the header, of the query or of a session',
  async (t, stock) => {
    const doc = file.newDoc();
    const ada = start(t, stock, doc, { token: await editor('ada') });
    ada.insert(0, 'abc');
    const bob = start(t, stock, doc, { headers: { authorization: `Bearer ${await editor('bob')}` } });
    await saved(ada, bob);
    await until(() => bob.text() === 'abc');
    const eve = start(t, stock, doc, { query: `token=${await editor('eve')}` });
    const headers = { authorization: `Bearer ${await editor('joe')}` };
    const session = await fetch(new URL('v1/session', file.node.url), { method: 'POST', headers });
    const [cookie = ''] = (session.headers.get('set-cookie') ?? '').split(';');
    const joe = start(t, stock, doc, { headers: { cookie } });
    await saved(eve, joe);
    assert.deepEqual([eve.text(), joe.text()], ['abc', 'abc']);
  },
);

forEach(
  'HOC-3 HOC-4 a reader is told so at once, is synced, and none of its edits is acknowledged',
  async (t, stock) => {
    const doc = file.newDoc();
    const ada = start(t, stock, doc, { token: await editor('ada') });
    ada.insert(0, 'abcdef');
    ada.remove(1, 2);
    await saved(ada);
    const token = await tokenOf('bob', { [doc]: 'viewer' });
    const bob = start(t, stock, doc, { token });
    await saved(bob);
    assert.equal(bob.isReadOnly, true);
    assert.equal(bob.text(), 'adef');
    bob.insert(0, 'no');
    ada.insert(4, 'g');
    await until(() => bob.text() === 'noadefg');
    assert.equal(bob.isSaved, false);
    assert.equal(ada.text(), 'adefg');
    // Its edits are not acknowledged after a reconnect either, a deletion without an insertion included.
    bob.remove(0, 2);
    const eve = start(t, stock, doc, { token, text: bob.shared });
    bob.destroy();
    await until(() => eve.isSynced);
    ada.insert(0, '!');
    await until(() => eve.text() === '!adefg');
    assert.equal(eve.isSaved, false);
    assert.deepEqual(eve.refusals, []);
  },
);

forEach(
  'HOC-7 a token that ends is replaced, and no edit is lost or called saved too early',
  async (t, stock) => {
    const doc = file.newDoc();
    const tokens = [await editor('ada', { exp: Math.floor(Date.now() / 1000) + 2 }), await editor('ada')];
    const first = tokens[0];
    const ada = start(t, stock, doc, { token: () => tokens.shift() ?? 'none left' });
    ada.insert(0, 'a');
    await saved(ada);
    // The second token is asked for when the first has ended.
    await until(() => tokens.length === 0);
    ada.insert(1, 'b');
    await saved(ada);
    const bob = start(t, stock, doc, { token: await editor('bob') });
    await saved(bob);
    assert.equal(bob.text(), 'ab');
    assert.deepEqual(ada.refusals, []);
    assert.ok(first);
    if (!stock.name.includes('2.15')) assert.equal(ada.connects, 1);
  },
);

forEach('HOC-7 a client whose token is revoked and not replaced is refused, and stops', async (t, stock) => {
  const doc = file.newDoc();
  const sub = `ada-${stock.name.replaceAll(/\W/g, '')}`;
  const ada = start(t, stock, doc, { token: await editor(sub) });
  await saved(ada);
  await post('/v1/revocations', { sub });
  await until(() => ada.refusals.length > 0);
  ada.insert(0, 'too late');
  const bob = start(t, stock, doc, { token: await editor('bob') });
  await saved(bob);
  assert.equal(bob.text(), '');
  assert.notEqual(ada.isSaved, true);
  assert.ok(ada.connects <= 2);
});

forEach(
  'HOC-6 a document that is deleted ends for its provider, which does not come back',
  async (t, stock) => {
    const doc = file.newDoc();
    const ada = start(t, stock, doc, { token: await editor('ada') });
    await saved(ada);
    const answer = await fetch(new URL(`/v1/docs/${doc}`, file.node.url), {
      method: 'DELETE',
      headers: { authorization: `Bearer ${await tokenOf('own', { [doc]: 'owner' })}` },
    });
    assert.ok(answer.ok);
    await until(() => ada.refusals.length > 0);
    assert.equal(ada.connects, 1);
  },
);

forEach('HOC-6 a name that is none, and a document of another kind, are refused', async (t, stock) => {
  const doc = file.newDoc();
  const eve = await WireClient.connect(t, file.url);
  eve.send({ type: 'hello', client: file.newClient(), token: await editor('eve') });
  await eve.open(doc, 'json');
  for (const name of ['no-document', 'acme/a/b', 'ACME/x', doc]) {
    const ada = start(t, stock, name, { token: await tokenOf('ada', { '*': 'owner', 'acme/*': 'owner' }) });
    await until(() => ada.refusals.length > 0);
  }
});
