// The published versions of y-websocket, unmodified, on one document with a client of the contract: edits with drops, the end of
// an owner, presence, and refusals.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as Y from 'yjs';
import { msgpackCodec } from '../../protocol/codec.ts';
import { FileNode } from '../gateway/wire/contract.ts';
import { fuzzRuns } from '../support/fuzz-runs.ts';
import { startTestNode } from '../support/node.ts';
import { STOCK_PACKAGES, type StockPackage, type StockProvider } from '../support/stock-providers.ts';
import { tokenOf, WITH_TOKENS } from '../support/tokens.ts';
import { untilSeen } from '../support/until.ts';
import { WireClient } from '../support/wire-client.ts';

const file = new FileNode();
/** A node that demands tokens. */
const withTokens = new FileNode(WITH_TOKENS);
const VERSIONS = STOCK_PACKAGES.filter(({ protocol }) => protocol === 'y-websocket');
/** Versions that do not come back after a code from 4400 to 4499. */
const STOPS: ReadonlySet<string> = new Set(['y-websocket 3']);
const FAULTY_WORKER = new URL('../support/faulty-worker.js', import.meta.url);

interface Place {
  readonly port: number;
  readonly doc: string;
  readonly token?: string;
}

function start(t: TestContext, version: StockPackage, place: Place): StockProvider {
  const provider = version.start(place);
  t.after(() => provider.destroy());
  return provider;
}

const synced = (providers: readonly StockProvider[]) =>
  untilSeen('all are synced', () => providers.every(({ isSynced }) => isSynced));

const alike = (providers: readonly StockProvider[], more: () => string = () => '') =>
  untilSeen(
    () => `one text: ${JSON.stringify(providers.map((provider) => provider.text()))} ${more()}`,
    () =>
      new Set([...providers.map((provider) => provider.text()), ...(more() === '' ? [] : [more()])]).size ===
      1,
  );

/** A client of the contract with the document in a Y.Doc. */
async function contractClient(t: TestContext, url: string, doc: string, client: string) {
  const wire = await WireClient.connect(t, url, { codec: msgpackCodec, client });
  const replica = new Y.Doc();
  const { snapshot } = await wire.open(doc, 'yjs');
  Y.applyUpdate(replica, snapshot as Uint8Array, 'server');
  let seq = 0;
  let committed = 0;
  replica.on('update', (op: Uint8Array, origin: unknown) => {
    if (origin !== 'server') wire.send({ type: 'submit', doc, seq: ++seq, op });
  });
  wire.socket.on('message', () => {
    for (;;) {
      const at = wire.received.findIndex(({ type }) => type === 'commit');
      const [commit] = at < 0 ? [] : wire.received.splice(at, 1);
      if (commit === undefined) return;
      for (const entry of commit.ops as { client: string; op: Uint8Array }[]) {
        if (entry.client === client) committed += 1;
        Y.applyUpdate(replica, entry.op, 'server');
      }
    }
  });
  const allCommitted = () =>
    untilSeen(
      () => `the commits of ${client}; came: ${JSON.stringify(wire.received).slice(0, 500)}`,
      () => committed === seq,
    );
  return { wire, text: replica.getText('t'), allCommitted };
}

/** Numbers from 0 to below 1, the same for a seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function edit(provider: StockProvider, random: () => number): void {
  const { length } = provider.text();
  const at = Math.floor(random() * (length + 1));
  if (length > 5 && random() < 0.3) provider.remove(Math.min(at, length - 2), 1 + Math.floor(random() * 2));
  else provider.insert(at, random() < 0.2 ? 'é😀' : String.fromCharCode(97 + Math.floor(random() * 26)));
}

test('YWS-3 YWS-4 all versions and a client of the contract converge over random edits with drops', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const random = seeded(7);
  const providers = [...VERSIONS, ...VERSIONS].map((version) => start(t, version, { port, doc }));
  await synced(providers);
  const eve = await contractClient(t, file.url, doc, file.newClient());
  for (let round = 0; round < fuzzRuns(12); round++) {
    for (let i = 0; i < 40; i++) {
      const provider = providers[Math.floor(random() * providers.length)];
      if (provider !== undefined) edit(provider, random);
      if (i % 8 === 0) eve.text.insert(Math.floor(random() * (eve.text.length + 1)), 'E');
      // Frames are under way while others are cut off.
      if (i % 10 === 0) await new Promise(setImmediate);
      if (random() < 0.03) providers[Math.floor(random() * providers.length)]?.drop();
    }
    // The client of the contract does not send again what is refused for too many submits under way.
    await eve.allCommitted();
  }
  await alike(providers, () => eve.text.toString());
  assert.ok(providers.some(({ connects }) => connects > 1));
  // A client that comes later gets all of it.
  for (const version of VERSIONS) {
    const late = start(t, version, { port, doc });
    await untilSeen(version.name, () => late.text() === eve.text.toString());
  }
});

test('YWS-4 the end of a thread that owns the document is hidden, and edits under way are not lost', async (t) => {
  const node = await startTestNode(t, { config: { workers: 1 }, workerModule: FAULTY_WORKER });
  const { port } = node;
  const doc = 'acme/plan';
  const providers = VERSIONS.map((version) => start(t, version, { port, doc }));
  await synced(providers);
  for (const [i, provider] of providers.entries()) provider.setPresence({ name: `user ${i}` });
  const killer = await WireClient.connect(t, node.socketUrl, { client: 'killer-of-threads' });
  await killer.open('acme/victim', 'rich-text');
  killer.send({ type: 'submit', doc: 'acme/victim', seq: 1, base: 0, op: [{ insert: 'KILL' }] });
  for (let i = 0; i < 40; i++) {
    providers[i % providers.length]?.insert(0, String.fromCharCode(97 + (i % 26)));
    if (i % 5 === 0) await new Promise((next) => setImmediate(next));
  }
  await untilSeen('all edits', () => providers.every((provider) => provider.text().length === 40));
  await alike(providers);
  assert.deepEqual(
    providers.map(({ connects }) => connects),
    providers.map(() => 1),
  );
  // The presence is at the new owner too.
  const late = start(t, VERSIONS[0] as StockPackage, { port, doc });
  await untilSeen('the presence of all', () =>
    providers.every(({ yjsClient }, i) => late.presences().get(yjsClient)?.name === `user ${i}`),
  );
  assert.equal(late.text().length, 40);
});

test('AWARE-1 AWARE-5 presence goes between all versions and clients of the contract, also after a drop', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const providers = VERSIONS.map((version) => start(t, version, { port, doc }));
  await synced(providers);
  const eve = await file.connect(t);
  await eve.open(doc);
  eve.send({ type: 'presence', doc, data: { name: 'Eve' } });
  const seen = (reader: StockProvider, name: string): boolean =>
    [...reader.presences().values()].some((state) => state.name === name);
  for (const [i, provider] of providers.entries()) provider.setPresence({ name: `user ${i}` });
  await untilSeen('everyone', () =>
    providers.every((reader) => seen(reader, 'Eve') && providers.every((_, i) => seen(reader, `user ${i}`))),
  );
  const late = await file.connect(t);
  const { presence } = await late.open(doc);
  assert.deepEqual(
    Object.values(presence as Record<string, { name: string }>)
      .map(({ name }) => name)
      .sort(),
    ['Eve', ...providers.map((_, i) => `user ${i}`)].sort(),
  );
  const [first, ...rest] = providers;
  assert.ok(first);
  first.drop();
  await untilSeen('the end of the first', () => rest.every((reader) => !seen(reader, 'user 0')));
  // It comes back with the clock that the others know. They would wait for its next clock, up to 15 s.
  await untilSeen('the first again', () => rest.every((reader) => seen(reader, 'user 0')));
  first.setPresence(null);
  await untilSeen('no state of the first', () => rest.every((reader) => !seen(reader, 'user 0')));
});

test('YWS-5 YWS-8 YWS-9 a provider that is refused is told why, and stops, or comes back now and then', async (t) => {
  const { port } = withTokens.node;
  const doc = withTokens.newDoc();
  const editor = await tokenOf('ada', { [doc]: 'editor' });
  const viewer = await tokenOf('eve', { [doc]: 'viewer' });
  const short = await tokenOf('bob', { [doc]: 'editor' }, { exp: Math.floor(Date.now() / 1000) + 4 });
  const refused = async (version: StockPackage): Promise<void> => {
    const owner = start(t, version, { port, doc, token: editor });
    await synced([owner]);
    const reader = start(t, version, { port, doc, token: viewer });
    const stranger = start(t, version, { port, doc, token: 'x.y.z' });
    const expiring = start(t, version, { port, doc, token: short });
    await synced([reader, expiring]);
    reader.insert(0, 'mine');
    await untilSeen('the refusal of the edit', () => reader.refusals.length > 0);
    assert.equal(owner.text().includes('mine'), false);
    assert.equal(reader.connects, 1);
    await untilSeen('the end of the stranger', () => stranger.closes.length > 0);
    assert.equal(stranger.closes[0], 4401);
    assert.equal(stranger.isSynced, false);
    await untilSeen('the end of the token', () => expiring.closes.length > 0);
    assert.equal(expiring.closes[0], 4401);
    if (STOPS.has(version.name)) {
      // An application that has a new token connects again itself.
      assert.deepEqual([stranger.connects, expiring.connects], [1, 1], version.name);
      return;
    }
    await untilSeen('the refusal of the ended token', () => expiring.refusals.length > 0);
    // It was refused once for each connection that it has made.
    assert.ok(stranger.connects <= stranger.refusals.length + 1);
  };
  await Promise.all(VERSIONS.map(refused));
});
