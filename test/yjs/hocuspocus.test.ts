// The endpoint for Hocuspocus with its real providers, each version in turn, beside other clients of the same documents.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as Y from 'yjs';
import { msgpackCodec } from '../../protocol/codec.ts';
import { FileNode, holdCommits } from '../gateway/wire/contract.ts';
import { STOCK_PACKAGES, type StockPackage, type StockProvider } from '../support/stock-providers.ts';
import { until, untilSeen } from '../support/until.ts';

const file = new FileNode();

const HOCUSPOCUS = STOCK_PACKAGES.filter(({ protocol }) => protocol === 'hocuspocus');

function start(t: TestContext, stock: StockPackage, doc: string): StockProvider {
  const provider = stock.start({ port: file.node.port, doc });
  t.after(() => provider.destroy());
  return provider;
}

/** Declares the test for each version. */
const forEach = (title: string, run: (t: TestContext, stock: StockPackage) => Promise<void>): void => {
  for (const stock of HOCUSPOCUS) test(`${title} [${stock.name}]`, (t) => run(t, stock));
};

const saved = (...providers: StockProvider[]): Promise<void> =>
  until(() => providers.every(({ isSynced, isSaved }) => isSynced && isSaved === true));

forEach(
  'HOC-1 HOC-3 providers edit a document together, and with clients of the contract',
  async (t, stock) => {
    const doc = file.newDoc();
    const ada = start(t, stock, doc);
    ada.insert(0, 'hello');
    await saved(ada);
    assert.equal(ada.isReadOnly, false);
    const bob = start(t, stock, doc);
    await saved(bob);
    assert.equal(bob.text(), 'hello');
    const eve = await file.connect(t, msgpackCodec);
    await eve.open(doc, 'yjs');
    bob.insert(5, ' world');
    await until(() => ada.text() === 'hello world');
    await eve.next('commit');
    const copy = new Y.Doc();
    Y.applyUpdate(copy, ada.state());
    const before = Y.encodeStateVector(copy);
    copy.getText('t').delete(0, 6);
    await eve.submit(doc, 1, Y.encodeStateAsUpdate(copy, before));
    await until(() => ada.text() === 'world' && bob.text() === 'world');
    await saved(ada, bob);
  },
);

forEach(
  'HOC-4 a provider has unsynced changes until they are durable, and none afterwards',
  async (t, stock) => {
    const doc = file.newDoc();
    const ada = start(t, stock, doc);
    await saved(ada);
    const bob = start(t, stock, doc);
    await saved(bob);
    const release = await holdCommits(t, file.node.storageUrl);
    ada.insert(0, 'a');
    ada.insert(1, 'b');
    ada.setPresence({ name: 'Ada' });
    // A presence is exempt, so it passes the updates.
    await until(() => bob.presences().get(ada.yjsClient)?.name === 'Ada');
    assert.equal(ada.isSaved, false);
    assert.equal(bob.text(), '');
    await release();
    await saved(ada);
    await until(() => bob.text() === 'ab');
  },
);

forEach(
  'HOC-4 edits made without a connection are saved with the step 2 of the next one',
  async (t, stock) => {
    const doc = file.newDoc();
    const ada = start(t, stock, doc);
    ada.insert(0, 'one');
    await saved(ada);
    const before = ada.connects;
    ada.drop();
    ada.insert(3, ' two');
    ada.remove(0, 1);
    ada.remove(0, 1);
    await until(() => ada.connects > before);
    await saved(ada);
    const bob = start(t, stock, doc);
    await saved(bob);
    assert.equal(bob.text(), 'e two');
    // A count below zero would call later edits saved before they are, and one above zero would never call them saved.
    assert.equal(ada.unsavedCount, 0);
    ada.insert(0, 'o');
    assert.equal(ada.isSaved, false);
    await saved(ada);
  },
);

forEach('AWARE-1 presence reaches the others, and goes with its socket', async (t, stock) => {
  const doc = file.newDoc();
  const [ada, bob] = [start(t, stock, doc), start(t, stock, doc)];
  const eve = await file.connect(t);
  await eve.open(doc, 'yjs');
  ada.setPresence({ name: 'Ada' });
  await until(() => bob.presences().get(ada.yjsClient)?.name === 'Ada');
  await eve.next('presence', ({ states }) => JSON.stringify(states).includes('Ada'));
  eve.send({ type: 'presence', doc, data: { name: 'Eve' } });
  await until(() => [...ada.presences().values()].some(({ name }) => name === 'Eve'));
  ada.destroy();
  await until(() => bob.presences().get(ada.yjsClient) === undefined);
});

forEach(
  'HOC-5 a stateless message reaches the other providers of its document and nobody else',
  async (t, stock) => {
    const [doc, other] = [file.newDoc(), file.newDoc()];
    const [ada, bob, eve, far] = [doc, doc, doc, other].map((name) => start(t, stock, name));
    assert.ok(ada && bob && eve && far);
    await saved(ada, bob, eve, far);
    ada.sendStateless('{"do":"this"}');
    bob.sendStateless('😀');
    await until(() => eve.stateless.length === 2 && bob.stateless.length === 1);
    await until(() => ada.stateless.length === 1);
    assert.deepEqual([...eve.stateless].sort(), ['{"do":"this"}', '😀'].sort());
    assert.deepEqual([ada.stateless, bob.stateless, far.stateless], [['😀'], ['{"do":"this"}'], []]);
  },
);

test('HOC-1 all versions of both protocols edit one document', async (t) => {
  const doc = file.newDoc();
  const all = STOCK_PACKAGES.map((stock) => start(t, stock, doc));
  await until(() => all.every(({ isSynced }) => isSynced));
  for (const [at, provider] of all.entries()) provider.insert(0, `${at},`);
  await untilSeen(
    () => JSON.stringify(all.map((provider) => provider.text())),
    () =>
      all.every(
        (provider) => provider.text() === all[0]?.text() && provider.text().length === 2 * all.length,
      ),
  );
  await until(() => all.every(({ isSaved }) => isSaved !== false));
});
