// The contract of every store, as one suite. An implementation's test file supplies functions that make its
// stores and cause their faults. This file has the rules about documents and their log; the files beside it
// have those about ownership and the cluster. Over 400 lines, because it is one list of rules that is read as
// one.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { LogGap, PAIRS, SEQ_PAGE_BYTES, StoreUnavailable } from '../../../actors/storage/store.ts';
import { plain } from '../../support/creations.ts';
import { cluster } from './cluster.ts';
import { existence } from './existence.ts';
import { forgetting } from './forgetting.ts';
import { loading } from './loading.ts';
import { ownership } from './ownership.ts';
import { pins } from './pins.ts';
import {
  compact,
  document,
  node,
  openWorker,
  row,
  rules,
  type StoreHarness,
  snapshotted,
  text,
  writeSnapshot,
} from './support.ts';
import { thinning } from './thinning.ts';

export { row } from './support.ts';

/** The number of connections that are lost in mid-append. */
const LOSSES = 30;

export function contract(name: string, open: (t: TestContext) => Promise<StoreHarness>): void {
  const rule = rules(name, open);
  ownership(rule);
  cluster(rule);
  pins(rule);
  forgetting(rule);
  loading(rule);
  thinning(rule);
  existence(rule);

  rule('a document is created once; later calls find it', async (h) => {
    const a = await openWorker(h, randomUUID());
    await a.store.claim([1]);
    assert.equal(await a.store.find('org', 'Doc'), undefined);
    const made = await a.store.create('org', 'Doc', 1, plain('rich-text'));
    assert.equal(made?.created, true);
    assert.ok(Number.isSafeInteger(made?.row.id) && (made?.row.id ?? 0) > 0);
    assert.deepEqual(await a.store.create('org', 'Doc', 1, plain('json')), {
      row: made?.row,
      created: false,
    });
    assert.deepEqual(await a.store.find('org', 'Doc'), {
      id: made?.row.id,
      kind: 'rich-text',
      folded: 0,
      creation: '',
    });
    assert.equal(await a.store.find('org', 'doc'), undefined);
    assert.equal(await a.store.find('or', 'gDoc'), undefined);
  });

  rule('creations of one name that race make one document', async (h) => {
    const a = await openWorker(h, randomUUID());
    await a.store.claim([1]);
    const made = await Promise.all(
      Array.from({ length: 8 }, () => a.store.create('org', 'd', 1, plain('yjs'))),
    );
    assert.equal(made.filter((answer) => answer?.created).length, 1);
    assert.equal(new Set(made.map((answer) => answer?.row.id)).size, 1);
  });

  rule('a document is created only by the owner of its shard', async (h) => {
    const a = await openWorker(h, randomUUID());
    assert.equal(await a.store.create('org', 'd', 1, plain('json')), undefined);
    assert.equal(await a.store.find('org', 'd'), undefined);
  });

  rule('appended patches are loaded byte for byte and in order', async (h) => {
    const a = await openWorker(h, randomUUID());
    const [x, y, empty] = [await document(a, 'x'), await document(a, 'y'), await document(a, 'empty')];
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const user = `a "user" \\ with {braces}, commas, null, ünïcode and \u{1F600}`;
    const rows = [
      row(x, 1, { op: bytes, user }),
      row(y, 1, { op: new Uint8Array(0), user: '' }),
      row(x, 2, { client: 'null-NULL', user: 'null' }),
      // A view into a larger buffer, as in messages.
      row(x, 3, { op: new Uint8Array(bytes.buffer, 65, 3) }),
    ];
    assert.deepEqual(
      await a.store.append(
        rows,
        new Map([
          [x, 0],
          [y, 0],
        ]),
      ),
      { type: 'committed' },
    );
    const loaded = await a.store.load([y, empty, x]);
    assert.deepEqual(
      loaded.map(({ id, snapshotVersion, snapshot, deltas }) => [
        id,
        snapshotVersion,
        snapshot,
        deltas.length,
      ]),
      [
        [y, 0, undefined, 1],
        [empty, 0, undefined, 0],
        [x, 0, undefined, 3],
      ],
    );
    const deltas = loaded[2]?.deltas ?? [];
    assert.deepEqual(
      deltas.map(({ version }) => version),
      [1, 2, 3],
    );
    assert.deepEqual(
      deltas.map(({ client }) => client),
      ['client-1', 'null-NULL', 'client-1'],
    );
    assert.deepEqual(Uint8Array.from(deltas[0]?.op ?? []), bytes);
    assert.equal(Buffer.from(deltas[2]?.op ?? []).toString(), 'ABC');
    assert.deepEqual(
      loaded[0]?.deltas.map(({ op }) => op.byteLength),
      [0],
    );
  });

  rule('a batch of a thousand rows commits whole', async (h) => {
    const a = await openWorker(h, randomUUID());
    const doc = await document(a);
    const rows = Array.from({ length: 1_000 }, (_, i) => row(doc, i + 1));
    assert.deepEqual(await a.store.append(rows, new Map([[doc, 0]])), { type: 'committed' });
    const [loaded] = await a.store.load([doc]);
    assert.equal(loaded?.deltas.length, 1_000);
  });

  rule('an empty batch is committed; two at a time are a defect of the caller', async (h) => {
    const a = await openWorker(h, randomUUID());
    const doc = await document(a);
    assert.deepEqual(await a.store.append([], new Map()), { type: 'committed' });
    const first = a.store.append([row(doc, 1)], new Map([[doc, 0]]));
    await assert.rejects(a.store.append([row(doc, 2)], new Map()), /one call at a time/);
    assert.deepEqual(await first, { type: 'committed' });
  });

  rule('gap: a document whose predecessor is missing keeps the whole batch out', async (h) => {
    const a = await openWorker(h, randomUUID());
    const [x, y] = [await document(a, 'x'), await document(a, 'y')];
    const outcome = await a.store.append(
      [row(x, 1), row(y, 8)],
      new Map([
        [x, 0],
        [y, 7],
      ]),
    );
    assert.deepEqual(outcome, { type: 'gap' });
    assert.deepEqual(
      (await a.store.load([x, y])).map(({ deltas }) => deltas.length),
      [0, 0],
    );
  });

  rule('gap: a version that another row has keeps the whole batch out', async (h) => {
    const a = await openWorker(h, randomUUID());
    const [x, y] = [await document(a, 'x'), await document(a, 'y')];
    await a.store.append([row(x, 1)], new Map([[x, 0]]));
    const outcome = await a.store.append([row(y, 1), row(x, 1, { seq: 2 })], new Map([[y, 0]]));
    assert.deepEqual(outcome, { type: 'gap' });
    const loaded = await a.store.load([x, y]);
    assert.deepEqual(
      loaded.map(({ deltas }) => deltas.map(({ seq }) => seq)),
      [[1], []],
    );
  });

  rule('gap: a database that lost commits is noticed by the first append after its connection', async (h) => {
    const a = await openWorker(h, randomUUID());
    const doc = await document(a);
    await a.store.append([row(doc, 1), row(doc, 2)], new Map([[doc, 0]]));
    const before = a.store.connectionEpoch;
    await h.loseAbove(doc, 1);
    await h.loseConnection(a.session.id);
    // The caller does not ask for the proof, since it may not have heard of the loss. The store proves it by
    // itself.
    assert.deepEqual(await a.store.append([row(doc, 3)], new Map()), { type: 'gap' });
    assert.ok(a.store.connectionEpoch > before);
  });

  rule('refused: rows of documents with a refused value stay out, all others commit', async (h) => {
    const a = await openWorker(h, randomUUID());
    const docs = await Promise.all(Array.from({ length: 7 }, (_, i) => document(a, `d${i}`)));
    const rows = docs.flatMap((doc, i) => [
      row(doc, 1),
      row(doc, 2, i === 2 || i === 5 ? { user: 'a\0b' } : {}),
    ]);
    const outcome = await a.store.append(rows, new Map(docs.map((doc) => [doc, 0])));
    assert.equal(outcome.type, 'refused');
    assert.deepEqual(
      outcome.type === 'refused' && outcome.docs.toSorted((x, y) => x - y),
      [docs[2], docs[5]].toSorted((x = 0, y = 0) => x - y),
    );
    const loaded = await a.store.load(docs);
    assert.deepEqual(
      loaded.map(({ deltas }) => deltas.length),
      [2, 2, 0, 2, 2, 0, 2],
    );
    assert.deepEqual(await a.store.append([row(docs[2] ?? 0, 1)], new Map()), { type: 'committed' });
  });

  rule('unknown outcome: a batch whose connection is lost lands once, and the promise says so', async (h) => {
    const a = await openWorker(h, randomUUID());
    const [x, y] = [await document(a, 'x'), await document(a, 'y')];
    let version = 0;
    for (let i = 0; i < LOSSES; i++) {
      const rows = Array.from({ length: 5 }, (_, j) => [
        row(x, version + j + 1),
        row(y, version + j + 1),
      ]).flat();
      const heads = new Map(
        i === 0
          ? [
              [x, 0],
              [y, 0],
            ]
          : [],
      );
      const lost = h.loseConnection(a.session.id);
      const outcome = await a.store.append(rows, heads);
      await lost;
      assert.deepEqual(outcome, { type: 'committed' });
      version += 5;
    }
    const loaded = await a.store.load([x, y]);
    assert.deepEqual(
      loaded.map(({ deltas }) => deltas.length),
      [version, version],
    );
    assert.ok(a.store.connectionEpoch > 1);
  });

  rule(
    'unknown outcome: of a session fenced meanwhile the append says fenced or committed, as the log has it',
    async (h) => {
      const { me, control } = await node(h);
      for (let i = 0; i < LOSSES / 3; i++) {
        const a = await openWorker(h, randomUUID());
        const doc = await document(a, `d${i}`, i);
        const [outcome, fenced] = await Promise.all([
          a.store.append([row(doc, 1)], new Map([[doc, 0]])),
          control.fence(me, { session: a.session.id }),
          h.loseConnection(a.session.id),
        ]);
        assert.equal(fenced, true);
        const [loaded] = await a.store.load([doc]);
        assert.equal(loaded?.deltas.length, outcome.type === 'committed' ? 1 : 0);
        assert.ok(outcome.type === 'committed' || outcome.type === 'fenced');
        a.store.abort();
      }
    },
  );

  rule('abort: gives an append up as fenced, and every later call', async (h) => {
    const a = await openWorker(h, randomUUID());
    const doc = await document(a);
    a.store.abort();
    assert.deepEqual(await a.store.append([row(doc, 1)], new Map([[doc, 0]])), { type: 'fenced' });
    await assert.rejects(a.store.find('org', 'd'), StoreUnavailable);
  });

  rule('history: a stretch, in order, bounded by bytes, at least one', async (h) => {
    const a = await openWorker(h, randomUUID());
    const doc = await document(a);
    const rows = Array.from({ length: 10 }, (_, i) => row(doc, i + 1, { op: new Uint8Array(100) }));
    await a.store.append(rows, new Map([[doc, 0]]));
    const versions = async (after: number, upTo: number, bytes: number) =>
      (await a.store.history(doc, after, upTo, bytes)).map(({ version }) => version);
    assert.deepEqual(await versions(0, 10, 10_000), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert.deepEqual(await versions(3, 6, 10_000), [4, 5, 6]);
    assert.deepEqual(await versions(3, 10, 300), [4, 5, 6]);
    assert.deepEqual(await versions(3, 10, 399), [4, 5, 6]);
    assert.deepEqual(await versions(3, 10, 1), [4]);
    assert.deepEqual(await versions(10, 20, 1_000), []);
  });

  rule('a gap in the log is an error when it is loaded', async (h) => {
    const { fold, a, doc } = await snapshotted(h, 0);
    await h.loseAbove(doc, 4);
    await a.store.append([row(doc, 6)], new Map());
    await assert.rejects(a.store.load([doc]), LogGap);
    await assert.rejects(fold.read(doc, 6), LogGap);
    assert.deepEqual(await a.store.history(doc, 4, 6, 1_000), []);
  });

  rule('snapshot: a document loads from it and what follows', async (h) => {
    const { a, fold, doc } = await snapshotted(h, 6);
    const [loaded] = await a.store.load([doc]);
    assert.equal(loaded?.snapshotVersion, 6);
    assert.equal(text(loaded?.snapshot), 'at 6');
    assert.deepEqual(
      loaded?.deltas.map(({ version }) => version),
      [7, 8, 9, 10],
    );
    const at = async (version: number) => {
      const { snapshotVersion, deltas } = await fold.read(doc, version);
      return [snapshotVersion, deltas.length];
    };
    assert.deepEqual(
      [await at(10), await at(7), await at(6), await at(5), await at(0)],
      [
        [6, 4],
        [6, 1],
        [6, 0],
        [0, 5],
        [0, 0],
      ],
    );
    await assert.rejects(fold.read(doc, 11), LogGap);
  });

  rule(
    'snapshot: written once, on top of the one it names, of a version the log has in that epoch',
    async (h) => {
      const { a, fold, doc, epoch } = await snapshotted(h, 4);
      const write = (version: number, of: number, previous: number, session = a.session) =>
        writeSnapshot(fold, session, doc, version, of, previous, Buffer.from(`at ${version}`));
      assert.equal(await write(4, epoch, 0), true, 'again: it is there');
      assert.equal(await write(6, epoch, 3), false, 'not on top of the newest');
      assert.equal(await write(6, epoch + 1, 4), false, 'another epoch');
      assert.equal(await write(11, epoch, 4), false, 'not in the log');
      assert.equal(await write(6, epoch, 4, { ...a.session, nonce: randomUUID() }), false, 'another session');
      assert.equal((await a.store.load([doc]))[0]?.snapshotVersion, 4);
      assert.equal(await write(6, epoch, 4), true);
      assert.equal((await a.store.load([doc]))[0]?.snapshotVersion, 6);
    },
  );

  rule('snapshot: none by a fenced session', async (h) => {
    const { me, control } = await node(h);
    const { a, fold, doc, epoch } = await snapshotted(h, 0);
    await control.fence(me, { session: a.session.id });
    assert.equal(await writeSnapshot(fold, a.session, doc, 5, epoch, 0), false);
    assert.equal((await a.store.load([doc]))[0]?.snapshotVersion, 0);
  });

  rule('clientSeqs: the pairs of a client, newest first, from snapshots and the log alike', async (h) => {
    const { a, fold, doc, epoch } = await snapshotted(h, 0);
    const expected = {
      user: 'user',
      lastSeq: 9,
      pairs: [
        [9, 9],
        [7, 7],
        [5, 5],
        [3, 3],
        [1, 1],
      ],
    };
    assert.deepEqual(await a.store.clientSeqs(doc, 'client-1', 10), expected);
    assert.deepEqual(await a.store.clients(doc, 10), { clients: [], someForgotten: false });
    for (const [version, previous] of [
      [4, 0],
      [8, 4],
      [10, 8],
    ] as const) {
      await writeSnapshot(fold, a.session, doc, version, epoch, previous);
      assert.deepEqual(await a.store.clientSeqs(doc, 'client-1', 10), expected, `snapshot at ${version}`);
    }
    assert.deepEqual(await a.store.clientSeqs(doc, 'client-1', 6), {
      user: 'user',
      lastSeq: 5,
      pairs: [
        [5, 5],
        [3, 3],
        [1, 1],
      ],
    });
    assert.equal(await a.store.clientSeqs(doc, 'stranger', 10), undefined);
    assert.deepEqual((await a.store.clients(doc, 2)).clients?.toSorted(), ['client-0', 'client-1']);
    assert.deepEqual(await a.store.clients(doc, 1), { clients: undefined, someForgotten: false });
  });

  rule('seqPage: the seqs of a client in the log, backwards, in pages that end', async (h) => {
    const { a, doc } = await snapshotted(h, 6);
    const pairsOf = async (client: string) => {
      const found: (readonly [number, number])[] = [];
      for (let upTo = Number.MAX_SAFE_INTEGER; upTo > 0; ) {
        const { from, pairs } = await a.store.seqPage(doc, client, upTo);
        assert.ok(from <= upTo && pairs.every(([, version]) => version >= from && version <= upTo));
        found.push(...pairs);
        upTo = from - 1;
      }
      return found.map(([, version]) => version);
    };
    assert.deepEqual(await pairsOf('client-1'), [9, 7, 5, 3, 1]);
    assert.deepEqual(await pairsOf('client-0'), [10, 8, 6, 4, 2]);
    assert.deepEqual(await pairsOf('stranger'), []);
    assert.deepEqual((await a.store.seqPage(doc, 'client-1', 6)).pairs[0], [5, 5]);
    const big = Array.from({ length: 3 }, (_, i) => row(doc, 11 + i, { op: Buffer.alloc(SEQ_PAGE_BYTES) }));
    for (const each of big) assert.deepEqual(await a.store.append([each], new Map()), { type: 'committed' });
    assert.deepEqual(await a.store.seqPage(doc, 'client-1', 13), { from: 13, pairs: [[13, 13]] });
    assert.deepEqual(await pairsOf('client-1'), [13, 12, 11, 9, 7, 5, 3, 1]);
  });

  rule('NAME-3 clientSeqs: the user of a client, from the log and from a snapshot alike', async (h) => {
    const a = await openWorker(h, randomUUID());
    const fold = h.fold(randomUUID());
    const doc = await document(a);
    const users = ['ada', 'bob', 'ada', 'änn 😀', 'bob', 'ada'];
    const rows = users.map((user, i) => row(doc, i + 1, { user, client: `client-${user.slice(0, 1)}` }));
    await a.store.append(rows, new Map([[doc, 0]]));
    for (const [version, previous] of [
      [0, 0],
      [3, 0],
      [6, 3],
    ] as const) {
      if (version > 0) assert.equal(await writeSnapshot(fold, a.session, doc, version, 1, previous), true);
      for (const user of users) {
        const found = await a.store.clientSeqs(doc, `client-${user.slice(0, 1)}`, 6);
        assert.equal(found?.user, user, `snapshot at ${version}`);
      }
    }
    const [loaded] = await a.store.load([doc]);
    assert.deepEqual(loaded?.deltas, []);
    assert.deepEqual(
      (await a.store.history(doc, 0, 6, 1_000)).map(({ user }) => user),
      users,
    );
  });

  rule(`clientSeqs: the latest ${PAIRS} pairs`, async (h) => {
    const a = await openWorker(h, randomUUID());
    const fold = h.fold(randomUUID());
    const doc = await document(a);
    const rows = Array.from({ length: 200 }, (_, i) =>
      row(doc, i + 1, { client: 'client-1', seq: 10 * i + 1 }),
    );
    await a.store.append(rows, new Map([[doc, 0]]));
    const pairs = Array.from({ length: PAIRS }, (_, i) => [10 * (199 - i) + 1, 200 - i]);
    assert.deepEqual(await a.store.clientSeqs(doc, 'client-1', 200), { lastSeq: 1_991, pairs, user: 'user' });
    assert.equal(await writeSnapshot(fold, a.session, doc, 100, 1, 0), true);
    assert.deepEqual(await a.store.clientSeqs(doc, 'client-1', 200), { lastSeq: 1_991, pairs, user: 'user' });
    assert.equal(await writeSnapshot(fold, a.session, doc, 190, 1, 100), true);
    assert.deepEqual(await a.store.clientSeqs(doc, 'client-1', 200), { lastSeq: 1_991, pairs, user: 'user' });
  });

  rule('compact: folds away what snapshots hold, keeps the promised operations, and the seqs', async (h) => {
    const { control } = await node(h);
    const { a, fold, doc, epoch } = await snapshotted(h, 4);
    await writeSnapshot(fold, a.session, doc, 8, epoch, 4, Buffer.from('at 8'));
    const before = await a.store.clientSeqs(doc, 'client-1', 10);
    assert.equal(await compact(control, { olderThanMs: 3_600_000, keepOps: 0, limit: 1_000 }), 0);
    assert.equal(await compact(control, { olderThanMs: 0, keepOps: 7, limit: 1_000 }), 0);
    assert.equal(await compact(control, { olderThanMs: 0, keepOps: 3, limit: 1_000 }), 4);
    assert.equal((await a.store.find('org', 'd'))?.folded, 4);
    assert.deepEqual((await a.store.history(doc, 4, 10, 10_000)).length, 6);
    assert.deepEqual(await a.store.history(doc, 3, 10, 10_000), []);
    assert.equal((await fold.read(doc, 4)).snapshotVersion, 4);
    assert.equal(await compact(control, { olderThanMs: 0, keepOps: 0, limit: 1_000 }), 4);
    assert.equal((await a.store.find('org', 'd'))?.folded, 8);
    assert.equal((await a.store.load([doc]))[0]?.deltas.length, 2);
    assert.deepEqual(await a.store.clientSeqs(doc, 'client-1', 10), before);
    await assert.rejects(fold.read(doc, 7), LogGap);
    assert.equal(await compact(control, { olderThanMs: 0, keepOps: 0, limit: 1_000 }), 0);
  });

  rule('compact: never the head, for the next version proves itself by it', async (h) => {
    const { control } = await node(h);
    const { a, doc } = await snapshotted(h, 10);
    // The clients are removed too.
    assert.equal(await compact(control, { olderThanMs: 0, keepOps: 0, limit: 1_000 }), 9 + 2);
    assert.deepEqual(await a.store.append([row(doc, 11)], new Map([[doc, 10]])), { type: 'committed' });
  });

  rule('compact: in steps of `limit`; every step leaves a document that loads', async (h) => {
    const { control } = await node(h);
    const { a, doc } = await snapshotted(h, 8);
    for (const removed of [3, 3, 2, 0]) {
      assert.equal(await compact(control, { olderThanMs: 0, keepOps: 0, limit: 3 }), removed);
      assert.deepEqual(
        (await a.store.load([doc]))[0]?.deltas.map(({ version }) => version),
        [9, 10],
      );
      assert.deepEqual(await a.store.history(doc, 0, 10, 10_000), []);
    }
    assert.equal((await a.store.find('org', 'd'))?.folded, 8);
  });

  rule('compact: not by a fenced node', async (h) => {
    const { me, control } = await node(h);
    const other = await node(h);
    await snapshotted(h, 8);
    await other.control.fence(other.me, { session: me.id });
    assert.equal(await compact(control, { olderThanMs: 0, keepOps: 0, limit: 1_000 }), 0);
  });
}
