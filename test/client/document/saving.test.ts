// The meaning of "saved", and the fate of edits that get another answer or none. Over 400 lines, because
// every answer to a submit has its case here.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Harness, heard } from '../harness.ts';

const NAME = 'acme/plan';

function opened() {
  const h = new Harness();
  const client = h.client();
  const doc = client.open(NAME, 'rich-text');
  const states = heard(doc, 'state');
  h.settle();
  return { h, client, doc, states };
}

test('states: live, saving until the own commit is back, saved; offline keeps the edits', () => {
  const { h, client, doc, states } = opened();
  assert.deepEqual(states, ['live']);
  doc.edit([{ insert: 'a' }]);
  assert.equal(doc.state, 'saving');
  assert.equal(doc.pending, true);
  h.settle();
  assert.equal(doc.state, 'saved');
  client.goOffline();
  doc.edit([{ insert: 'b' }]);
  assert.equal(doc.state, 'offline');
  assert.equal(doc.content.ops[0]?.insert, 'ba\n');
  client.goOnline();
  h.settle();
  assert.deepEqual(states, ['live', 'saving', 'saved', 'offline', 'connecting', 'saving', 'saved']);
  assert.equal(doc.pending, false);
});

test('ready is fulfilled with the content, and rejected with a typed error where there is none to have', async () => {
  const { h, client, doc } = opened();
  await doc.ready;
  h.server.document('acme/board', 'json');
  const wrong = client.open('acme/board', 'rich-text');
  const errors = heard(wrong, 'error');
  h.settle();
  await assert.rejects(wrong.ready, { name: 'TroupeError', code: 'wrong-kind' });
  assert.equal(errors[0]?.code, 'wrong-kind');
  assert.equal(wrong.state, 'closed');
  assert.throws(() => wrong.edit([{ insert: 'x' }]), { code: 'not-open' });
});

test('until ready content throws not-open and role is undefined; the event state tells of both', () => {
  const { h, client } = opened();
  h.server.document('acme/board', 'json');
  const doc = client.open('acme/board', 'json');
  assert.throws(() => doc.content, { name: 'TroupeError', code: 'not-open' });
  assert.equal(doc.role, undefined);
  let shown: unknown;
  doc.on('state', () => {
    if (doc.role !== undefined) shown = doc.content;
  });
  h.settle();
  assert.deepEqual(shown, {});
});

test('one submit is in flight, and the edits made meanwhile go as one', () => {
  const { h, doc } = opened();
  for (const [at, letter] of [...'hello'].entries()) {
    doc.edit(at === 0 ? [{ insert: letter }] : [{ retain: at }, { insert: letter }]);
  }
  h.settle();
  assert.deepEqual(h.log(NAME), [[{ insert: 'h' }], [{ retain: 1 }, { insert: 'ello' }]]);
});

test('an edit that is undone before it was sent is never sent', () => {
  const { h, client, doc } = opened();
  client.goOffline();
  doc.edit([{ insert: 'oops' }]);
  doc.edit([{ delete: 4 }]);
  assert.equal(doc.pending, false);
  client.goOnline();
  h.settle();
  assert.deepEqual(h.log(NAME), []);
});

test('ONCE-1: a commit whose answer was lost is not sent twice over', () => {
  const { h, client, doc } = opened();
  h.server.faults.latencyMs = [10, 10];
  doc.edit([{ insert: 'once' }]);
  h.settle(15);
  assert.equal(h.log(NAME).length, 1);
  h.server.dropAll();
  assert.equal(doc.state, 'offline');
  h.settle(5_000);
  assert.equal(doc.state, 'saved');
  assert.equal(h.log(NAME).length, 1);
  assert.equal(client.state, 'live');
});

test('ONCE-1: the same when the document comes back as a snapshot', () => {
  const { h, doc } = opened();
  h.server.faults = { ...h.server.faults, latencyMs: [10, 10], snapshot: 1 };
  doc.edit([{ insert: 'once' }]);
  doc.edit([{ retain: 4 }, { insert: ' more' }]);
  h.settle(15);
  h.server.dropAll();
  h.settle(5_000);
  assert.equal(doc.state, 'saved');
  assert.equal(doc.content.ops[0]?.insert, 'once more\n');
  assert.equal(h.log(NAME).length, 2);
  assert.deepEqual(
    h.sent('submit').map((message) => message.seq),
    [1, 2],
  );
});

test('SUBMIT-9: a refused edit is taken out of the view and reported; later edits are moved past its inverse', () => {
  const { h, doc } = opened();
  const rejected = heard(doc, 'rejected');
  const changes = heard(doc, 'change');
  h.server.faults.reject = 1;
  doc.edit([{ insert: 'bad' }]);
  doc.edit([{ retain: 3 }, { insert: 'good' }]);
  h.settle(3);
  while (rejected.length === 0) h.settle(1);
  h.server.faults.reject = 0;
  h.settle();
  assert.equal(rejected.length, 1);
  assert.equal(rejected[0]?.error.code, 'conflict');
  assert.equal(rejected[0]?.outcome, 'not-committed');
  assert.deepEqual(rejected[0]?.patch.ops, [{ insert: 'bad' }]);
  assert.equal(doc.content.ops[0]?.insert, 'good\n');
  assert.equal(doc.state, 'saved');
  assert.ok(changes.some((change) => change.origin === 'correction'));
  assert.deepEqual(h.log(NAME), [[{ insert: 'good' }]]);
});

test('SUBMIT-10: an open error is answered by the same seq again', () => {
  const { h, doc } = opened();
  h.server.faults.openError = 1;
  doc.edit([{ insert: 'x' }]);
  h.settle(2_000);
  assert.equal(doc.state, 'saving');
  h.server.faults.openError = 0;
  h.settle(40_000);
  assert.equal(doc.state, 'saved');
  const seqs = new Set(h.sent('submit').map((message) => message.seq));
  assert.ok(h.sent('submit').length > 1);
  assert.deepEqual([...seqs], [1]);
  assert.equal(h.log(NAME).length, 1);
});

test('SUBMIT-10: the same seq comes again, not before retryAfterMs, and unavailable is told once', () => {
  const { h, doc } = opened();
  const errors = heard(doc, 'error');
  h.server.faults.openError = 1;
  h.server.openErrorCode = 'unavailable';
  h.server.retryAfterMs = 60_000;
  doc.edit([{ insert: 'x' }]);
  h.settle(59_000);
  assert.equal(h.sent('submit').length, 1);
  assert.deepEqual(
    errors.map(({ code, retryable, retryAfterMs }) => [code, retryable, retryAfterMs]),
    [['unavailable', true, 60_000]],
  );
  h.settle(60_000);
  assert.equal(h.sent('submit').length, 2);
  h.server.faults.openError = 0;
  h.settle(180_000);
  assert.equal(doc.state, 'saved');
  assert.equal(errors.length, 1);
  assert.deepEqual([...new Set(h.sent('submit').map((message) => message.seq))], [1]);
});

test('SUBMIT-10: a seq left open that is given up for its size holds up no later edit', () => {
  const { h, client, doc } = opened();
  const rejected = heard(doc, 'rejected');
  h.server.faults.openError = 1;
  doc.edit([{ insert: 'w'.repeat(3_000) }]);
  h.settle(50);
  assert.equal(rejected.length, 0);
  h.server.faults.openError = 0;
  h.server.limits = { ...h.server.limits, opBytes: 1_000 };
  const { limits } = h.server;
  h.socketOf(client).raw(JSON.stringify({ type: 'welcome', client: client.id, node: 'n', time: 0, limits }));
  h.settle(10_000);
  assert.equal(rejected[0]?.error.code, 'too-large');
  doc.edit([{ insert: 'short' }]);
  h.settle(10_000);
  assert.equal(doc.state, 'saved');
  assert.deepEqual(h.log(NAME), [[{ insert: 'short' }]]);
});

test('SUBMIT-10: version-too-old where nothing newer comes makes the document come anew', () => {
  const { h, client, doc } = opened();
  const document = h.server.documents.get(NAME);
  assert.ok(document);
  const other = h.client().open(NAME, 'rich-text');
  h.settle();
  // This subscription does not receive the commits of others.
  document.subscribers.delete(h.socketOf(client));
  other.edit([{ insert: 'theirs ' }]);
  h.settle();
  document.subscribers.set(h.socketOf(client), { from: 0 });
  document.trimmed = document.log.length;
  doc.edit([{ insert: 'mine ' }]);
  h.settle(10_000);
  assert.equal(doc.state, 'saved');
  assert.deepEqual(doc.content, other.content);
  assert.deepEqual(
    [
      ...new Set(
        h
          .sent('submit')
          .slice(1)
          .map((message) => message.seq),
      ),
    ],
    [1],
  );
});

test('SUBMIT-10: version-too-old is answered with the patch rebased', () => {
  const { h, client, doc } = opened();
  const other = h.client().open(NAME, 'rich-text');
  h.settle();
  client.goOffline();
  doc.edit([{ insert: 'mine' }]);
  for (let i = 0; i < 5; i++) {
    other.edit([{ insert: 'x' }]);
    h.settle();
  }
  const document = h.server.documents.get(NAME);
  if (document !== undefined) document.trimmed = document.log.length;
  client.goOnline();
  h.settle(5_000);
  assert.equal(doc.state, 'saved');
  assert.equal(doc.content.length(), 4 + 5 + 1);
  assert.deepEqual(other.content, doc.content);
});

test('ONCE-2: an edit in flight when the server forgot the client is reported, and not sent again', () => {
  const { h, client, doc } = opened();
  const rejected = heard(doc, 'rejected');
  doc.edit([{ insert: 'before' }]);
  h.settle();
  h.server.silent = true;
  doc.edit([{ insert: 'lost?' }]);
  doc.edit([{ retain: 11 }, { insert: ' after' }]);
  h.settle(50);
  client.goOffline();
  h.server.silent = false;
  h.server.faults.snapshot = 1;
  const document = h.server.documents.get(NAME);
  if (document !== undefined) {
    document.trimmed = 1;
    document.seqs.clear();
    document.highest.clear();
  }
  client.goOnline();
  h.settle(5_000);
  assert.deepEqual(
    rejected.map(({ patch, outcome }) => [patch.ops, outcome]),
    [[[{ insert: 'lost?' }], 'unknown']],
  );
  assert.equal(doc.content.ops[0]?.insert, 'before after\n');
  assert.equal(doc.state, 'saved');
});

test('ONCE-3: seq-used gives the edit a seq above all that the server has', () => {
  const { h, doc } = opened();
  const document = h.server.documents.get(NAME);
  document?.highest.set(h.sent('hello')[0]?.client as string, 10);
  doc.edit([{ insert: 'x' }]);
  h.settle();
  assert.deepEqual(
    h.sent('submit').map((message) => message.seq),
    [1, 11],
  );
  assert.equal(doc.state, 'saved');
});

test('LIMIT: an edit above opBytes that cannot be divided throws, and changes nothing', () => {
  const { h, client, doc } = opened();
  const image = { image: 'x'.repeat(h.server.limits.opBytes) };
  assert.throws(() => doc.edit([{ insert: image }]), { code: 'too-large' });
  assert.equal(doc.content.length(), 1);
  assert.equal(doc.pending, false);
  const json = client.open('acme/json', 'json');
  h.settle();
  const value = 'x'.repeat(h.server.limits.opBytes);
  assert.throws(() => json.edit([{ op: 'add', path: '/a', value }]), { code: 'too-large' });
  assert.deepEqual(json.content, {});
});

test('LIMIT: a text above opBytes travels as several patches, is one change and one undo step', () => {
  const { h, doc } = opened();
  const other = h.client().open(NAME, 'rich-text');
  doc.edit([{ insert: 'old 😀\n' }]);
  doc.undoGroup();
  h.settle();
  const most = h.server.limits.opBytes;
  const before = h.log(NAME).length;
  const changes = heard(doc, 'change');
  const text = '😀😁'.repeat(most / 2);
  const bold = { bold: true };
  doc.edit([{ retain: 4 }, { delete: 2 }, { insert: text }, { insert: text, attributes: bold }]);
  assert.equal(changes.length, 1);
  h.settle(60_000);
  assert.equal(doc.state, 'saved');
  assert.ok(h.log(NAME).length >= before + 4);
  assert.ok(h.log(NAME).every((op) => JSON.stringify(op).length <= most));
  assert.deepEqual(doc.content.ops, [
    { insert: `old ${text}` },
    { insert: text, attributes: bold },
    { insert: '\n\n' },
  ]);
  assert.deepEqual(other.content, doc.content);
  assert.equal(doc.undo(), true);
  h.settle(60_000);
  assert.deepEqual(other.content.ops, [{ insert: 'old 😀\n\n' }]);
  assert.equal(doc.redo(), true);
  h.settle(60_000);
  assert.equal(other.content.length(), 4 + 2 * text.length + 2);
  assert.deepEqual(other.content, doc.content);
});

test('LIMIT: a text that could only arrive as another one when it is divided throws, and changes nothing', () => {
  const { h, doc } = opened();
  // The text goes after the last newline, so each part but the last would get a newline of its own.
  const after = [{ retain: 1 }, { insert: `${'x'.repeat(h.server.limits.opBytes)}\n` }];
  assert.throws(() => doc.edit(after), { code: 'too-large' });
  assert.equal(doc.content.length(), 1);
  assert.equal(doc.pending, false);
  assert.throws(() => doc.edit([{ insert: 'x'.repeat(300_000) }, { retain: 9 }, { delete: 1 }]), {
    code: 'bad-op',
  });
  assert.equal(doc.content.length(), 1);
});

test('an edit that is no patch throws bad-op, whatever it is', () => {
  const { doc } = opened();
  for (const wrong of ['text', 5, null, undefined, {}, { ops: 'text' }, [{ insert: 5 }]]) {
    assert.throws(() => doc.edit(wrong as never), { name: 'TroupeError', code: 'bad-op' });
  }
  assert.equal(doc.content.length(), 1);
});

test('LIMIT: composition stops before opBytes, and every edit arrives', () => {
  const h = new Harness();
  h.server.limits = { ...h.server.limits, opBytes: 2_000, frameBytes: 4_000 };
  const client = h.client();
  const doc = client.open(NAME, 'rich-text');
  h.settle();
  client.goOffline();
  for (let i = 0; i < 100; i++) doc.edit([{ insert: `${'y'.repeat(90)}\n` }]);
  client.goOnline();
  h.settle(10_000);
  assert.equal(doc.state, 'saved');
  assert.equal(h.server.documents.get(NAME)?.engine.head, h.log(NAME).length);
  assert.ok(h.log(NAME).length >= 5, String(h.log(NAME).length));
  assert.ok(h.log(NAME).every((op) => JSON.stringify(op).length <= 2_000));
  assert.equal(doc.content.length(), 100 * 91 + 1);
});

test('LIMIT: past pendingBytes edit throws overloaded, and what is queued is kept', () => {
  const h = new Harness();
  const client = h.client({ pendingBytes: 1_000 });
  const doc = client.open(NAME, 'rich-text');
  h.settle();
  client.goOffline();
  doc.edit([{ insert: 'z'.repeat(900) }]);
  assert.throws(() => doc.edit([{ insert: 'z'.repeat(900) }]), { code: 'overloaded', retryable: true });
  client.goOnline();
  h.settle();
  assert.equal(doc.content.length(), 901);
  assert.equal(doc.state, 'saved');
});

test('FRAME: a patch that was closed with 1009 is not sent again, and the rest goes on', () => {
  const { h, client, doc } = opened();
  h.server.proxyBytes = 1_000;
  const small = client.open('acme/small', 'rich-text');
  h.settle();
  const rejected = heard(doc, 'rejected');
  const kept = heard(small, 'rejected');
  doc.edit([{ insert: 'w'.repeat(3_000) }]);
  small.edit([{ insert: 'small' }]);
  h.settle(20_000);
  assert.equal(rejected.length, 1);
  assert.equal(rejected[0]?.error.code, 'too-large');
  assert.equal(kept.length, 0);
  assert.equal(small.state, 'saved');
  assert.equal(doc.content.length(), 1);
  assert.equal(h.server.connects, 2);
  doc.edit([{ insert: 'short' }]);
  h.settle();
  assert.equal(doc.state, 'saved');
});

test('a gap in the versions makes the document come anew, with pending edits kept', () => {
  const { h, client, doc } = opened();
  const other = h.client().open(NAME, 'rich-text');
  h.settle();
  other.edit([{ insert: 'theirs ' }]);
  h.settle();
  h.server.faults.latencyMs = [50, 50];
  doc.edit([{ insert: 'mine ' }]);
  h.socketOf(client).raw(
    JSON.stringify({ type: 'commit', doc: NAME, version: 9, ops: [{ client: 'someone0', seq: 1, op: [] }] }),
  );
  h.settle(10_000);
  assert.equal(doc.state, 'saved');
  assert.deepEqual(doc.content, other.content);
  assert.equal(doc.content.length(), 13);
});

test('a commit that does not apply makes the document come anew', () => {
  const { h, client, doc } = opened();
  const commit = (op: unknown) =>
    JSON.stringify({
      type: 'commit',
      doc: NAME,
      version: doc.version + 1,
      ops: [{ client: 'someone0', seq: 1, op }],
    });
  for (const op of [[{ retain: 50 }, { delete: 3 }], 'nonsense', [{ insert: null }]]) {
    h.socketOf(client).raw(commit(op));
    h.settle(40_000);
    assert.equal(doc.state, 'live');
    assert.deepEqual(doc.content.ops, [{ insert: '\n' }]);
    assert.equal(doc.version, 0);
  }
});

test('CLOSE-3: deleted, forbidden and replaced end the document and report what was pending', () => {
  for (const [code, error] of [
    ['deleted', 'not-found'],
    ['forbidden', 'forbidden'],
    ['replaced', 'conflict'],
  ] as const) {
    const { h, client, doc } = opened();
    const closed = heard(doc, 'closed');
    const rejected = heard(doc, 'rejected');
    h.server.silent = true;
    doc.edit([{ insert: 'x' }]);
    h.socketOf(client).deliver({ type: 'closed', doc: NAME, code, message: 'over' });
    h.settle();
    assert.deepEqual(closed, [{ code, message: 'over' }]);
    assert.equal(rejected[0]?.error.code, error);
    assert.equal(doc.state, 'closed');
    assert.notEqual(client.open(NAME, 'rich-text'), doc);
  }
});

test('ROLE-1: a viewer cannot edit, and hears when that changes', () => {
  const h = new Harness();
  h.server.role = 'viewer';
  const client = h.client();
  const doc = client.open(NAME, 'rich-text');
  h.settle();
  const roles = heard(doc, 'role');
  assert.throws(() => doc.edit([{ insert: 'x' }]), { code: 'forbidden' });
  h.socketOf(client).deliver({ type: 'role', doc: NAME, role: 'editor' });
  h.settle();
  assert.deepEqual(roles, ['editor']);
  doc.edit([{ insert: 'x' }]);
  h.settle();
  assert.equal(doc.state, 'saved');
});

test('a listener may edit, close and throw, and events keep their order', () => {
  const { h, client, doc } = opened();
  const other = h.client().open(NAME, 'rich-text');
  h.settle();
  doc.on('change', ({ origin }) => {
    if (origin === 'remote') doc.edit([{ insert: '!' }]);
  });
  const origins: string[] = [];
  doc.on('change', ({ origin }) => origins.push(origin));
  other.edit([{ insert: 'a' }]);
  h.settle();
  assert.deepEqual(origins, ['remote', 'edit']);
  assert.deepEqual(doc.content, other.content);
  doc.on('change', () => doc.close());
  other.edit([{ insert: 'b' }]);
  h.settle();
  assert.equal(doc.state, 'closed');
  assert.equal(client.state, 'live');
});
