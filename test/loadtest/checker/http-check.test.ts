// Every rule of the checker about HTTP, by one record that is changed by hand: the unchanged story is clean, and the checker
// finds exactly the fault of each change.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as Y from 'yjs';
import type { DocumentLog } from '../../../loadtest/checker/checker.ts';
import { checkWithHttp } from '../../../loadtest/checker/http-check.ts';
import { HttpNotes, type HttpWrite } from '../../../loadtest/checker/http-records.ts';
import { type Fate, Recorder, type Rule } from '../../../loadtest/checker/records.ts';
import type { Wire } from '../../../protocol/messages.ts';

const DOC = 'acme/story';
const ALICE = 'alice-01';

interface Row {
  version: number;
  client: string;
  seq: number;
  op: Wire;
}

interface Story {
  rows: Row[];
  writer: HttpNotes;
  /** The writes by the numbers of their markers. */
  writes: HttpWrite[];
}

const marker = (n: number) => `[wa.${n}]`;
const insert = (n: number): Wire => [{ insert: marker(n) }];

/**
 * Alice types. The writer sends 1 with a key, reads, sends 2 on what it has read, sends 3 on the same and is refused, sends 4
 * on base 1, and 5 under the key of 1. The answer to 6, which has no key, is lost. Alice types once more.
 */
function story(): Story {
  const writer = new HttpNotes(DOC, 'writer', 'rich-text');
  const begin = (n: number, more: Partial<HttpWrite> = {}) =>
    writer.wrote({ marker: marker(n), op: insert(n), ...more });
  const writes = [begin(1, { key: 'one' })];
  const ok = (n: number, version: number) => {
    const write = writes[n - 1];
    if (write !== undefined) writer.answered(write, { type: 'ok', version });
  };
  ok(1, 2);
  ok(1, 2);
  writer.read({ history: 'life', version: 2, content: [{ insert: '[wa.1]a\n' }] }, 2);
  writes.push(begin(2, { ifVersion: 2 }), begin(3, { ifVersion: 2 }), begin(4, { base: 1 }));
  ok(2, 3);
  const [, , third] = writes;
  if (third !== undefined) writer.answered(third, { type: 'rejected', code: 'precondition-failed' });
  ok(4, 4);
  writes.push(begin(5, { key: 'one', isUsed: true }));
  ok(5, 2);
  writes.push(begin(6));
  const rows = [
    { client: ALICE, seq: 1, op: [{ insert: 'a' }] },
    { client: 'http-one', seq: 1, op: insert(1) },
    { client: 'http-shared', seq: 1, op: insert(2) },
    // An insert that was committed earlier stands first.
    { client: 'http-shared', seq: 2, op: [{ retain: 12 }, { insert: marker(4) }] },
    { client: 'http-shared', seq: 3, op: insert(6) },
    { client: ALICE, seq: 2, op: [{ insert: 'b' }] },
  ].map((row, place) => ({ ...row, version: place + 1 }));
  return { rows, writer, writes };
}

function verdict({ rows, writer }: Story): Rule[] {
  const alice = new Recorder(ALICE, { replicas: false, now: () => 0 });
  for (const { client, seq, op, version } of rows)
    if (client === ALICE) alice.sent({ type: 'submit', doc: DOC, seq, base: version - 1, op });
  const log: DocumentLog = { doc: DOC, history: 'life', kind: 'rich-text', rows };
  return checkWithHttp([log], alice.records(), [writer]).map(({ rule }) => rule);
}

test('a story with HTTP writers in which every promise was kept is clean', () => {
  assert.deepEqual(verdict(story()), []);
});

/** Changes the write with this number. */
const write = (n: number, change: Partial<HttpWrite>) => (tale: Story) =>
  Object.assign(tale.writes[n - 1] ?? {}, change);
const answer = (n: number, fate: Fate) => (tale: Story) => {
  const found = tale.writes[n - 1];
  if (found !== undefined) tale.writer.answered(found, fate);
};
const push = (client: string, seq: number, op: Wire) => (tale: Story) =>
  tale.rows.push({ client, seq, op, version: tale.rows.length + 1 });
const read =
  (version: number, text: string, history = 'life') =>
  (tale: Story) =>
    tale.writer.read({ history, version, content: [{ insert: text }] }, tale.writer.newest);

const CASES: readonly [what: string, rules: readonly Rule[], (tale: Story) => unknown][] = [
  [
    'an acknowledged write that is gone',
    ['acked-lost'],
    (tale) => {
      const lost = tale.writer.wrote({ marker: marker(7), op: insert(7) });
      tale.writer.answered(lost, { type: 'ok', version: 6 });
    },
  ],
  [
    'an acknowledged write at another version',
    ['acked-elsewhere'],
    write(4, { fate: { type: 'ok', version: 5 } }),
  ],
  ['a write that is applied twice', ['committed-twice'], push('http-more', 1, insert(1))],
  ['a write that was never sent', ['never-submitted'], push('http-more', 1, insert(99))],
  ['a patch of no client of the run', ['never-submitted'], push('http-more', 1, [{ insert: 'x' }])],
  [
    'a refused write in the log',
    ['rejected-committed'],
    write(6, { fate: { type: 'rejected', code: 'version-too-old' } }),
  ],
  ['another patch under a key that had been applied', ['key-used-twice'], push('http-more', 1, insert(5))],
  ['a key with two answers', ['two-fates'], answer(1, { type: 'ok', version: 3 })],
  ['another patch under a key that has its own answer', ['two-fates'], answer(5, { type: 'ok', version: 7 })],
  ['an If-Match whose version was not the head', ['if-match-broken'], write(2, { ifVersion: 1 })],
  ['an If-Match that is refused at the head', ['if-match-refused'], write(3, { ifVersion: 6 })],
  ['a patch that is not transformed from its base', ['commit-differs'], write(4, { base: 2 })],
  ['a read of other content', ['snapshot-differs'], read(4, 'else\n')],
  ['a read that is older than an answer before it', ['read-behind'], read(1, 'a\n')],
  ['a read of a version that is gone', ['stream-ahead'], read(7, 'more\n')],
  ['a read of another life of the document', ['history-changed'], read(4, 'else\n', 'another')],
];

for (const [what, rules, change] of CASES) {
  test(`the checker finds ${what}`, () => {
    const tale = story();
    change(tale);
    assert.deepEqual(verdict(tale), rules);
  });
}

test('a write is found in the bytes of a Yjs update', () => {
  const doc = new Y.Doc();
  doc.getText('text').insert(0, marker(1));
  const op = Y.encodeStateAsUpdate(doc);
  const writer = new HttpNotes(DOC, 'writer', 'yjs');
  writer.answered(writer.wrote({ marker: marker(1), op }), { type: 'ok', version: 1 });
  const row = { version: 1, client: 'http-one', seq: 1, op };
  const log = { doc: DOC, history: 'life', kind: 'yjs' } as const;
  assert.deepEqual(checkWithHttp([{ ...log, rows: [row] }], [], [writer]), []);
  const again = { ...row, version: 2, client: 'http-two' };
  const [twice] = checkWithHttp([{ ...log, rows: [row, again] }], [], [writer], { recommit: false });
  assert.equal(twice?.rule, 'committed-twice');
});
