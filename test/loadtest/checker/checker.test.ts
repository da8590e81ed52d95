// Every rule of the checker, by one broken record each: the unchanged story is clean, and the checker finds
// exactly the fault of each change.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check, type DocumentLog, type StoredRow } from '../../../loadtest/checker/checker.ts';
import { Recorder, type Rule } from '../../../loadtest/checker/records.ts';
import type { ClientMessage, CommittedOp, ServerMessage, Wire } from '../../../protocol/messages.ts';

const DOC = 'acme/story';
const ALICE = 'alice-01';
const BOB = 'bob-0001';

interface Story {
  /** All frames in their order: the client, and the frame that it sent or received. */
  frames: [client: string, frame: ClientMessage | ServerMessage][];
  rows: { version: number; client: string; seq: number; op: Wire }[];
  stored: { shard: number; rows: StoredRow[] };
  other?: DocumentLog;
  replicas: boolean;
}

const A: CommittedOp = { client: ALICE, seq: 1, op: [{ insert: 'a' }] };
const B: CommittedOp = { client: ALICE, seq: 2, op: [{ retain: 1 }, { insert: 'b' }] };
const C: CommittedOp = { client: BOB, seq: 1, op: [{ retain: 2 }, { insert: 'c' }] };

const opened = (version: number, snapshot: Wire): ServerMessage => ({
  type: 'opened',
  doc: DOC,
  kind: 'rich-text',
  history: 'life',
  version,
  role: 'owner',
  lastSeq: 0,
  presence: {},
  snapshot,
});
const resumed = (since: number, ops: CommittedOp[]): ServerMessage => ({
  type: 'opened',
  doc: DOC,
  kind: 'rich-text',
  history: 'life',
  version: since + ops.length,
  role: 'owner',
  lastSeq: 0,
  presence: {},
  since,
  ops,
});
const commit = (version: number, ...ops: CommittedOp[]): ServerMessage => ({
  type: 'commit',
  doc: DOC,
  version,
  ops,
});
const submit = (seq: number, op: Wire, base = 0): ClientMessage => ({
  type: 'submit',
  doc: DOC,
  seq,
  base,
  op,
});

/** Alice and Bob write a, b and c on version 0; Alice loses her connection before c and resumes. */
function story(): Story {
  return {
    replicas: true,
    frames: [
      [ALICE, { type: 'open', doc: DOC, kind: 'rich-text' }],
      [ALICE, opened(0, [{ insert: '\n' }])],
      [ALICE, submit(1, [{ insert: 'a' }])],
      [ALICE, submit(2, [{ insert: 'b' }])],
      [ALICE, commit(2, A, B)],
      [BOB, { type: 'open', doc: DOC }],
      [BOB, opened(2, [{ insert: 'ab\n' }])],
      [BOB, submit(1, [{ insert: 'c' }])],
      [BOB, submit(2, [{ delete: 9 }])],
      [BOB, commit(3, C)],
      [BOB, { type: 'reject', doc: DOC, seq: 2, code: 'bad-op', message: 'too long' }],
      [ALICE, { type: 'open', doc: DOC, since: 2, history: 'life' }],
      [ALICE, resumed(2, [C])],
      [ALICE, { type: 'ack', doc: DOC, seq: 2, version: 2 }],
    ],
    rows: [A, B, C].map((entry, place) => ({ ...entry, version: place + 1 })),
    stored: {
      shard: 7,
      rows: [A, B, C].map(({ client, seq }, place) => ({
        version: place + 1,
        client,
        seq,
        epoch: place < 2 ? 1 : 2,
        session: place < 2 ? '10' : '11',
      })),
    },
  };
}

function verdict({ frames, rows, stored, other, replicas }: Story): Rule[] {
  const recorders = new Map<string, Recorder>();
  for (const [client, frame] of frames) {
    let recorder = recorders.get(client);
    if (recorder === undefined) {
      recorder = new Recorder(client, { replicas, now: () => 0 });
      recorders.set(client, recorder);
    }
    if (frame.type === 'open') recorder.lost();
    if (frame.type === 'open' || frame.type === 'submit') recorder.sent(frame);
    else recorder.received(frame as ServerMessage);
  }
  const records = [...recorders.values()].flatMap((recorder) => recorder.records());
  const log: DocumentLog = { doc: DOC, history: 'life', kind: 'rich-text', rows, stored };
  return check(other === undefined ? [log] : [log, other], records).map(({ rule }) => rule);
}

test('a story in which every promise was kept is clean', () => {
  assert.deepEqual(verdict(story()), []);
});

/** Replaces the nth frame. */
const put =
  (nth: number, ...frames: Story['frames']) =>
  (tale: Story) =>
    tale.frames.splice(nth, 1, ...frames);
const row = (nth: number, change: Partial<StoredRow>) => (tale: Story) => {
  const found = tale.stored.rows[nth];
  if (found !== undefined) tale.stored.rows[nth] = { ...found, ...change };
};
/** The database and the log over the socket lose a patch, and the next one takes its version. */
const lose = (nth: number) => (tale: Story) => {
  tale.rows.splice(nth, 1);
  tale.stored.rows.splice(nth, 1);
  for (const [place, found] of tale.rows.entries()) found.version = place + 1;
  for (const [place, found] of tale.stored.rows.entries())
    tale.stored.rows[place] = { ...found, version: place + 1 };
};

const CASES: readonly [what: string, rules: readonly Rule[], (tale: Story) => unknown][] = [
  ['a commit before opened', ['commit-unopened'], (tale) => tale.frames.splice(6, 0, [BOB, commit(2, B)])],
  ['a commit that leaves one out', ['stream-gap'], put(4, [ALICE, commit(1, A)], [ALICE, commit(3, C)])],
  ['a commit given twice', ['stream-repeat'], put(9, [BOB, commit(3, C)], [BOB, commit(3, C)])],
  [
    'an ack ahead of the stream',
    ['ack-early'],
    (tale) => tale.frames.splice(4, 0, [ALICE, { type: 'ack', doc: DOC, seq: 1, version: 1 }]),
  ],
  [
    'an answer to nothing',
    ['answer-unasked'],
    (tale) => tale.frames.push([BOB, { type: 'reject', doc: DOC, seq: 9, code: 'conflict', message: '' }]),
  ],
  [
    'a reject of what was committed',
    ['two-fates'],
    (tale) => tale.frames.push([BOB, { type: 'reject', doc: DOC, seq: 1, code: 'conflict', message: '' }]),
  ],
  [
    'an ack as another version',
    ['two-fates'],
    (tale) => tale.frames.push([ALICE, { type: 'ack', doc: DOC, seq: 1, version: 2 }]),
  ],
  ['a resume from elsewhere than asked', ['resume-wrong'], put(12, [ALICE, resumed(1, [B, C])])],
  [
    'a patch that does not apply',
    ['replica-stuck', 'stream-differs'],
    put(9, [BOB, commit(3, { ...C, op: [{ retain: 99 }, { insert: 'c' }] })]),
  ],
  [
    'a version missing in the log',
    ['log-gap', 'acked-elsewhere'],
    (tale) => {
      tale.rows[2] = { ...C, version: 4 };
      tale.stored.rows[2] = { version: 4, client: BOB, seq: 1, epoch: 2, session: '11' };
    },
  ],
  ['an acknowledged patch gone', ['acked-lost', 'stream-ahead', 'stream-ahead'], lose(2)],
  [
    'a rejected patch in the log',
    ['rejected-committed', 'commit-differs'],
    (tale) => {
      tale.rows.push({ version: 4, client: BOB, seq: 2, op: [{ retain: 1 }, { delete: 1 }] });
      tale.stored.rows.push({ version: 4, client: BOB, seq: 2, epoch: 2, session: '11' });
    },
  ],
  [
    'a patch twice in the log',
    ['committed-twice'],
    (tale) => {
      tale.rows.push({ ...C, version: 4 });
      tale.stored.rows.push({ version: 4, client: BOB, seq: 1, epoch: 2, session: '11' });
    },
  ],
  [
    'a patch nobody sent',
    ['never-submitted'],
    (tale) => {
      tale.rows.push({ ...C, seq: 5, version: 4 });
      tale.stored.rows.push({ version: 4, client: BOB, seq: 5, epoch: 2, session: '11' });
    },
  ],
  ['an epoch that goes back', ['epoch-decreased'], row(2, { epoch: 0, session: '9' })],
  ['one epoch of two sessions', ['epoch-shared'], row(1, { session: '12' })],
  [
    'a stream unlike the log',
    ['stream-differs', 'replica-differs'],
    put(9, [BOB, commit(3, { ...C, op: [{ retain: 2 }, { insert: 'C' }] })]),
  ],
  [
    'a stream of another life',
    ['history-changed'],
    put(6, [BOB, { ...opened(2, [{ insert: 'ab\n' }]), history: 'other' } as ServerMessage]),
  ],
  [
    'a snapshot unlike the log',
    ['snapshot-differs', 'replica-differs'],
    put(6, [BOB, opened(2, [{ insert: 'ba\n' }])]),
  ],
  [
    'a patch committed as it came',
    ['commit-differs'],
    (tale) => {
      tale.rows[2] = { ...C, op: [{ insert: 'c' }], version: 3 };
      tale.frames.splice(9, 1, [BOB, commit(3, { ...C, op: [{ insert: 'c' }] })]);
      tale.frames.splice(12, 1, [ALICE, resumed(2, [{ ...C, op: [{ insert: 'c' }] }])]);
    },
  ],
  ['a database that holds less', ['store-differs'], (tale) => tale.stored.rows.pop()],
  ['a database that holds another patch', ['store-differs'], row(2, { seq: 3 })],
  [
    'a log that does not apply',
    ['log-stuck'],
    (tale) => {
      tale.rows.push({ version: 4, client: 'carol-01', seq: 1, op: [{ delete: 99 }] });
      tale.stored.rows.push({ version: 4, client: 'carol-01', seq: 1, epoch: 2, session: '11' });
    },
  ],
];

for (const [what, rules, change] of CASES) {
  test(`${what} is found: ${rules.join(', ')}`, () => {
    const tale = story();
    change(tale);
    const found = verdict(tale);
    for (const rule of rules) assert.ok(found.includes(rule), `found ${found.join(', ') || 'nothing'}`);
    assert.deepEqual([...new Set(found)].sort(), [...new Set(rules)].sort());
  });
}

test('an acknowledged patch at another version is found: acked-elsewhere', () => {
  const tale = story();
  const [first, second] = tale.rows;
  if (first === undefined || second === undefined) throw new Error('the story has rows');
  tale.rows.splice(0, 2, { ...second, version: 1 }, { ...first, version: 2 });
  const found = verdict(tale);
  assert.equal(found.filter((rule) => rule === 'acked-elsewhere').length, 2);
  assert.ok(found.includes('seq-order'));
});

test('an epoch of two sessions is found across documents of a shard', () => {
  const tale = story();
  const rows = [{ version: 1, client: 'carol-01', seq: 1, op: [{ insert: 'x' }] }];
  const stored = { shard: 7, rows: [{ version: 1, client: 'carol-01', seq: 1, epoch: 2, session: '99' }] };
  tale.other = { doc: 'acme/other', history: 'life2', kind: 'rich-text', rows, stored };
  assert.deepEqual(verdict(tale), ['epoch-shared']);
});
