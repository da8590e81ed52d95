// A host brings many documents into memory at once, as after a takeover: in few statements, documents with a
// waiting edit first, and none fails through the fault of another.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, systemClock } from '../../../actors/clock.ts';
import {
  COMMIT,
  JSON_FRAMES,
  jsonOp,
  OPEN,
  OPEN_FAILED,
  OPENED,
  SUBMIT,
  type ToGateway,
} from '../../../actors/link/link-messages.ts';
import { shardOf } from '../../../actors/shard.ts';
import { LogGap, READ_TOGETHER, StoreUnavailable, type WorkerStore } from '../../../actors/storage/store.ts';
import { createMemoryDatabase, type MemoryDatabase } from '../../doubles/store-memory.ts';
import { until } from '../../support/until.ts';
import { gate, type Harness, startHost, withStore } from '../host/host-harness.ts';

const nameOf = (channelId: number): string => `acme/plan-${channelId}`;
const edit = (text: string): string => JSON.stringify([{ insert: text }]);

/** Opens each document over a channel of its own, which identifies the answers. */
function open(host: Harness, channelId: number, kind?: 'rich-text' | 'yjs'): void {
  const request = {
    doc: nameOf(channelId),
    client: `client-${channelId}`,
    user: 'u',
    role: 'owner',
  } as const;
  host.send([
    OPEN,
    channelId,
    1,
    { ...request, codec: JSON_FRAMES, ...(kind === undefined ? {} : { kind }) },
  ]);
}

const openedOf = (messages: readonly ToGateway[]): number[] =>
  messages.flatMap((message) => (message[0] === OPENED ? [message[1]] : []));

const chans = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

/** A database with `count` documents of one patch each, written by a host that has ended. Ids by channel. */
async function withDocuments(count: number): Promise<{ database: MemoryDatabase; ids: Map<number, number> }> {
  const database = createMemoryDatabase();
  const control = database.control();
  const me = await control.openSession({ run: 'control', node: 'test', slot: -1 });
  const first = await startHost(database);
  const ids = new Map<number, number>();
  for (const channelId of chans(count)) {
    open(first, channelId, 'rich-text');
    first.send([SUBMIT, channelId, 1, 1, 0, jsonOp(edit(`text ${channelId}`))]);
    if (channelId % 50 === 0) await first.idle();
  }
  await first.idle();
  for (const message of first.got)
    if (message[0] === OPENED) ids.set(message[1], Number.parseInt(message[5], 36));
  assert.equal(ids.size, count);
  await control.fence(me, { session: first.session });
  first.host.dispose();
  return { database, ids };
}

interface Asked {
  readonly finds: string[];
  readonly loads: (readonly number[])[];
  readonly calls: string[];
}

/** Notes the calls of the host's store, and lets `change` answer them. */
function watched(
  database: MemoryDatabase,
  change: (store: WorkerStore) => Partial<WorkerStore> = () => ({}),
): { readonly database: MemoryDatabase; readonly asked: Asked } {
  const asked: Asked = { finds: [], loads: [], calls: [] };
  const changed = withStore(database, (store) => {
    const { find, findAll, load, clients, clientsOfAll } = { ...bound(store), ...change(store) };
    return {
      find: (...of) => {
        asked.calls.push('find');
        asked.finds.push(of.join('/'));
        return find(...of);
      },
      findAll: (names) => {
        asked.calls.push('findAll');
        asked.finds.push(...names.map((of) => of.join('/')));
        return findAll(names);
      },
      load: (ids, maxBytes) => {
        asked.calls.push('load');
        asked.loads.push(ids);
        return load(ids, maxBytes);
      },
      clients: (...of) => {
        asked.calls.push('clients');
        return clients(...of);
      },
      clientsOfAll: (...of) => {
        asked.calls.push('clientsOfAll');
        return clientsOfAll(...of);
      },
    };
  });
  return { database: changed, asked };
}

const bound = (store: WorkerStore) => ({
  find: store.find.bind(store),
  findAll: store.findAll.bind(store),
  load: store.load.bind(store),
  clients: store.clients.bind(store),
  clientsOfAll: store.clientsOfAll.bind(store),
});

test('after a takeover documents are read by hundreds, those with waiting edits first', async (t) => {
  const COUNT = 900;
  const before = await withDocuments(COUNT);
  const held = gate();
  const { database, asked } = watched(before.database, (store) => ({
    find: async (...name) => {
      await held.opened;
      return store.find(...name);
    },
  }));
  const host = await startHost(database);
  t.after(() => host.host.dispose());
  for (const channelId of chans(COUNT)) {
    open(host, channelId);
    if (channelId % 100 === 0) await host.idle();
  }
  const urgent = [300, 899, 600];
  for (const channelId of urgent) host.send([SUBMIT, channelId, 1, 2, -1, jsonOp(edit('more'))]);
  await host.idle();
  held.open();
  // The host rests between slices while it opens so many documents.
  await until(() => openedOf(host.got).length >= COUNT);
  await host.idle();
  assert.deepEqual(
    openedOf(host.got).toSorted((a, b) => a - b),
    chans(COUNT),
  );
  const commits = host.got.flatMap((message) => (message[0] === COMMIT ? [message[1]] : []));
  assert.deepEqual(
    commits.toSorted((a, b) => a - b),
    urgent.toSorted((a, b) => a - b),
  );
  const alone = asked.calls.filter((call) => call === 'find').length;
  const waited = asked.finds.slice(alone);
  assert.deepEqual(waited.slice(0, 3), [nameOf(300), nameOf(600), nameOf(899)]);
  const parts = Math.ceil((COUNT - alone) / READ_TOGETHER);
  assert.equal(asked.calls.filter((call) => call === 'findAll').length, parts);
  assert.equal(asked.loads.filter((ids) => ids.length > 1).length, parts);
  assert.equal(asked.calls.length, 2 * alone + 2 * parts);
});

test('a document that is opened alone is read at once, by the statements that name it', async (t) => {
  const before = await withDocuments(3);
  const { database, asked } = watched(before.database);
  const host = await startHost(database);
  t.after(() => host.host.dispose());
  open(host, 1);
  await host.idle();
  assert.deepEqual(asked.calls, ['find', 'load']);
  open(host, 2);
  open(host, 3);
  await host.idle();
  assert.deepEqual(asked.calls, ['find', 'load', 'find', 'find', 'load', 'load']);
});

test('a broken document among many fails alone; new and missing ones come among them', async (t) => {
  const COUNT = 60;
  const before = await withDocuments(COUNT);
  const [gap, strange] = [before.ids.get(40) ?? 0, nameOf(50).split('/')[1]];
  const { database } = watched(before.database, (store) => ({
    findAll: async (names) => {
      if (names.some(([, name]) => name === strange)) throw new Error('a kind that nobody knows');
      return store.findAll(names);
    },
    find: async (org, name) => {
      if (name === strange) throw new Error('a kind that nobody knows');
      return store.find(org, name);
    },
    load: async (ids, maxBytes) => {
      if (ids.includes(gap)) throw new LogGap(gap, 1);
      return store.load(ids, maxBytes);
    },
  }));
  const host = await startHost(database);
  t.after(() => host.host.dispose());
  for (const channelId of chans(COUNT)) open(host, channelId);
  open(host, COUNT + 1, 'rich-text');
  open(host, COUNT + 2);
  await until(() => openedOf(host.got).length >= COUNT - 2 + 1);
  await host.idle();
  const failed = host.got.flatMap((m) => (m[0] === OPEN_FAILED ? [[m[1], m[3]]] : []));
  assert.deepEqual(
    failed.toSorted(([a], [b]) => Number(a) - Number(b)),
    [
      [40, 'internal'],
      [50, 'internal'],
      [COUNT + 2, 'not-found'],
    ],
  );
  assert.equal(openedOf(host.got).length, COUNT - 2 + 1);
  const named = host.errors.map((fields) => ('doc' in fields ? fields.doc : undefined));
  assert.deepEqual(named.toSorted(), [nameOf(40), nameOf(50)]);
});

test('large documents come in several answers', async (t) => {
  const COUNT = 40;
  const before = await withDocuments(COUNT);
  const { database, asked } = watched(before.database, (store) => ({
    load: (ids, maxBytes) => store.load(ids, maxBytes === undefined ? maxBytes : 200),
  }));
  const host = await startHost(database);
  t.after(() => host.host.dispose());
  for (const channelId of chans(COUNT)) open(host, channelId);
  await host.idle();
  assert.equal(openedOf(host.got).length, COUNT);
  const parts = asked.loads.filter((ids) => ids.length > 1);
  assert.ok(parts.length > 2);
  const [first = [], second = []] = parts;
  assert.deepEqual(second, first.slice(-second.length), 'what was left out is asked for again');
});

test('a store out of reach is told to all who have waited for it, not to one part after the other', async (t) => {
  const COUNT = 900;
  const before = await withDocuments(COUNT);
  const held = gate();
  const out = async (): Promise<never> => {
    await held.opened;
    throw new StoreUnavailable('no answer');
  };
  const { database, asked } = watched(before.database, () => ({ find: out, findAll: out }));
  const host = await startHost(database);
  t.after(() => host.host.dispose());
  for (const channelId of chans(COUNT)) {
    open(host, channelId);
    if (channelId % 100 === 0) await host.idle();
  }
  await host.idle();
  held.open();
  await host.idle();
  const failed = host.got.flatMap((m) => (m[0] === OPEN_FAILED && m[3] === 'unavailable' ? [m[1]] : []));
  assert.deepEqual(
    failed.toSorted((a, b) => a - b),
    chans(COUNT),
  );
  assert.ok(asked.calls.filter((call) => call === 'findAll').length <= 2, 'not once for each part');
});

test('a document that has started over while many were read is not told twice, nor takes the edits of its next stay', async (t) => {
  const COUNT = 40;
  const before = await withDocuments(COUNT);
  const loading = gate();
  let held = true;
  const { database, asked } = watched(before.database, (store) => ({
    findAll: async (names) => {
      const rows = await store.findAll(names);
      if (held) await loading.opened;
      return rows;
    },
  }));
  const host = await startHost(database);
  t.after(() => host.host.dispose());
  for (const channelId of chans(COUNT)) open(host, channelId);
  await host.idle();
  assert.ok(asked.calls.includes('findAll'));
  // No session takes the shard, so the document starts over here.
  await host.host.release([shardOf(nameOf(30))], 999_999);
  held = false;
  host.send([
    OPEN,
    100,
    1,
    { doc: nameOf(30), client: 'client-30', user: 'u', role: 'owner', codec: JSON_FRAMES },
  ]);
  host.send([SUBMIT, 100, 1, 2, -1, jsonOp(edit('more'))]);
  await host.idle();
  loading.open();
  await host.idle();
  const opened = openedOf(host.got);
  assert.equal(opened.filter((channelId) => channelId === 30).length, 0);
  assert.equal(opened.filter((channelId) => channelId === 100).length, 1);
  assert.equal(opened.length, COUNT);
  assert.ok(host.got.some((m) => m[0] === COMMIT && m[1] === 100 && m[2] === 2));
});

test('many documents do not wait for the one whose last patches are still on their way', async (t) => {
  const COUNT = 40;
  const before = await withDocuments(COUNT);
  const appends = gate();
  const database = withStore(before.database, (store) => ({
    append: async (...batch) => {
      await appends.opened;
      return store.append(...batch);
    },
  }));
  const host = await startHost(database);
  t.after(() => host.host.dispose());
  open(host, 30);
  await host.idle();
  host.send([SUBMIT, 30, 1, 2, -1, jsonOp(edit('more'))]);
  await host.idle();
  // The patch is no JSON, so the document throws and starts over while one of its patches is on its way.
  host.send([SUBMIT, 30, 1, 3, -1, jsonOp('{')]);
  await host.idle();
  host.got.length = 0;
  for (const channelId of chans(COUNT)) if (channelId !== 30) open(host, channelId);
  const request = { doc: nameOf(30), client: 'client-30', user: 'u', role: 'owner' } as const;
  host.send([OPEN, 100, 1, { ...request, codec: JSON_FRAMES }]);
  await host.idle();
  assert.deepEqual(
    openedOf(host.got).toSorted((a, b) => a - b),
    chans(COUNT).filter((channelId) => channelId !== 30),
  );
  appends.open();
  await host.idle();
  const opened = host.got.find((message) => message[0] === OPENED && message[1] === 100);
  assert.equal(opened?.[0] === OPENED && opened[4], 2, 'with the patch that was on its way');
});

test('a document with a long log is brought into memory in pieces, and others come between', async (t) => {
  const { database } = await withDocuments(2);
  const writer = await startHost(database);
  open(writer, 1);
  for (let seq = 2; seq <= 40; seq++) writer.send([SUBMIT, 1, 1, seq, -1, jsonOp(edit('more '))]);
  await writer.idle();
  const me = await database.control().openSession({ run: 'control', node: 'test', slot: -1 });
  await database.control().fence(me, { session: writer.session });
  writer.host.dispose();
  let ms = 0;
  const rests: number[] = [];
  // Each piece takes 20 ms by this clock, and a rest takes no time.
  const clock: Clock = {
    ...systemClock,
    now: () => (ms += 20),
    after: (rest, run) => {
      rests.push(rest);
      return systemClock.after(0, run);
    },
  };
  const host = await startHost(database, undefined, undefined, clock);
  t.after(() => host.host.dispose());
  open(host, 1);
  open(host, 2);
  await host.idle();
  while (openedOf(host.got).length < 2) await host.turn();
  assert.deepEqual(openedOf(host.got), [2, 1]);
  assert.ok(rests.filter((rest) => rest === 20).length >= 39, `it rested ${rests.length} times`);
  host.send([SUBMIT, 1, 1, 41, 40, jsonOp(edit('last '))]);
  await host.idle();
  while (!host.got.some((m) => m[0] === COMMIT && m[1] === 1)) await host.turn();
  assert.ok(host.got.some((m) => m[0] === COMMIT && m[1] === 1 && m[2] === 41));
});
