// Concurrent patches over the wire: a few of each kind's rules, submitted on one base by two clients in
// different subprotocols. test/kinds has all rules.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonCodec, msgpackCodec } from '../../../protocol/codec.ts';
import { commits, FileNode, outcome } from './contract.ts';

const file = new FileNode();

interface Meeting {
  readonly title: string;
  readonly kind: 'json' | 'rich-text';
  readonly start: unknown;
  readonly first: unknown;
  readonly second: unknown;
  /** The patch as committed, or its outcome if it was not. */
  readonly committed: unknown;
}

const json = (
  title: string,
  value: object,
  first: unknown,
  second: unknown,
  committed: unknown,
): Meeting => ({
  title,
  kind: 'json',
  start: [{ op: 'replace', path: '', value }],
  first,
  second,
  committed,
});

const text = (title: string, first: unknown, second: unknown, committed: unknown): Meeting => ({
  title,
  kind: 'rich-text',
  start: [{ insert: 'ab' }],
  first,
  second,
  committed,
});

const LIST = { list: ['a', 'b'], name: 'n' };

const MEETINGS: readonly Meeting[] = [
  json(
    'MEET-1 JSON-7 two inserts at one index',
    LIST,
    [{ op: 'add', path: '/list/0', value: 'X' }],
    [{ op: 'add', path: '/list/0', value: 'Y' }],
    [{ op: 'add', path: '/list/1', value: 'Y' }],
  ),
  json(
    'JSON-3 replace after a concurrent remove',
    LIST,
    [{ op: 'remove', path: '/name' }],
    [{ op: 'replace', path: '/name', value: 'm' }],
    [{ op: 'add', path: '/name', value: 'm' }],
  ),
  json(
    'JSON-4 replace of a removed element',
    LIST,
    [{ op: 'remove', path: '/list/0' }],
    [{ op: 'replace', path: '/list/0', value: 'Y' }],
    [],
  ),
  json(
    'JSON-5 a step inside an overwritten value',
    LIST,
    [{ op: 'replace', path: '/list', value: ['c', 'd'] }],
    [{ op: 'remove', path: '/list/0' }],
    [],
  ),
  json(
    'JSON-8 - is the end when it commits',
    LIST,
    [{ op: 'add', path: '/list/0', value: 'X' }],
    [{ op: 'add', path: '/list/-', value: 'Y' }],
    [{ op: 'add', path: '/list/3', value: 'Y' }],
  ),
  json(
    'JSON-15 MEET-2 a test that became false',
    LIST,
    [{ op: 'replace', path: '/name', value: 'm' }],
    [
      { op: 'test', path: '/name', value: 'n' },
      { op: 'add', path: '/x', value: 1 },
    ],
    'reject test-failed',
  ),
  json(
    'JSON-15 a test that holds is left out',
    LIST,
    [{ op: 'add', path: '/list/0', value: 'X' }],
    [
      { op: 'test', path: '/list/0', value: 'a' },
      { op: 'add', path: '/x', value: 1 },
    ],
    [{ op: 'add', path: '/x', value: 1 }],
  ),
  json(
    'MEET-2 what is wrong at its base is bad-op, also when a concurrent patch would mend it',
    LIST,
    [{ op: 'add', path: '/list/0', value: 'X' }],
    [{ op: 'replace', path: '/list/2', value: 'Y' }],
    'reject bad-op',
  ),
  json(
    'MEET-2 JSON-1 a member that only a concurrent patch has made is bad-op',
    LIST,
    [{ op: 'add', path: '/new', value: 1 }],
    [{ op: 'remove', path: '/new' }],
    'reject bad-op',
  ),
  json(
    'MEET-2 JSON-7 a patch commits whole or not at all, also if it was wrong in a list that is gone',
    LIST,
    [{ op: 'remove', path: '/list' }],
    [
      { op: 'add', path: '/list/7', value: 1 },
      { op: 'add', path: '/ok', value: 1 },
    ],
    'reject bad-op',
  ),
  text(
    'RT-4 two inserts at one position',
    [{ retain: 1 }, { insert: 'X' }],
    [{ retain: 1 }, { insert: 'Y' }],
    [{ retain: 2 }, { insert: 'Y' }],
  ),
  text(
    'RT-4 an attribute that both set',
    [{ retain: 1, attributes: { bold: true } }],
    [{ retain: 1, attributes: { bold: null } }],
    [],
  ),
  text(
    'RT-4 VALUE-4 an insert of a surrogate pair shifts by two',
    [{ insert: '😀' }],
    [{ retain: 1 }, { delete: 1 }],
    [{ retain: 3 }, { delete: 1 }],
  ),
  text(
    'RT-3 what passes the end at base is bad-op',
    [{ insert: 'longer' }],
    [{ retain: 4 }, { insert: 'Y' }],
    'reject bad-op',
  ),
];

for (const { title, kind, start, first, second, committed } of MEETINGS) {
  test(title, async (t) => {
    const [ada, bob] = [await file.connect(t, jsonCodec), await file.connect(t, msgpackCodec)];
    const doc = file.newDoc();
    await ada.open(doc, kind);
    await bob.open(doc);
    await ada.submit(doc, 1, start, 0);
    await ada.submit(doc, 2, first, 1);
    const answer = await bob.submit(doc, 1, second, 1);
    if (typeof committed === 'string') {
      assert.equal(outcome(answer), committed);
      return;
    }
    assert.deepEqual(answer.ops, [{ client: bob.id, seq: 1, op: committed }]);
    const [seen] = await commits(ada, doc, 2, 3);
    assert.deepEqual(seen, { client: bob.id, seq: 1, op: committed });
  });
}

test('RT-5 a document that would lose its last newline keeps one', async (t) => {
  const client = await file.connect(t, msgpackCodec);
  const doc = file.newDoc();
  await client.open(doc, 'rich-text');
  const commit = await client.submit(doc, 1, [{ insert: 'a' }, { delete: 1 }], 0);
  assert.deepEqual(commit.ops, [
    { client: client.id, seq: 1, op: [{ insert: 'a' }, { delete: 1 }, { insert: '\n' }] },
  ]);
  assert.deepEqual((await client.open(doc)).snapshot, [{ insert: 'a\n' }]);
});
