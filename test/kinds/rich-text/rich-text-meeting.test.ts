// Kind rich-text among several clients: a server that commits, optimistic clients behind random latency, and
// the rules for concurrent patches.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { KindLimits } from '../../../kinds/kind.ts';
import type { Delta } from '../../../kinds/rich-text/delta.ts';
import { type Runs, richTextKind, transformAgainst } from '../../../kinds/rich-text/rich-text.ts';
import { patchFor, runs, type Script, script, snapshotOf, textOf } from './rich-text-edits.ts';

const LIMITS: KindLimits = { documentBytes: 1 << 24, depth: 100, workMs: 50 };

function apply(state: Runs, op: Delta): Delta {
  const result = richTextKind.apply(state, op);
  assert.ok(result.ok, result.ok ? '' : result.message);
  return result.value.undo;
}

class Server {
  readonly state = richTextKind.create();
  readonly log: { readonly author: Client; readonly op: Delta }[] = [];

  submit(author: Client, base: number, op: Delta): void {
    const past = this.log.slice(base).map((entry) => entry.op);
    const result = richTextKind.commit(this.state, op, past, LIMITS);
    assert.ok(result.ok, result.ok ? '' : result.message);
    // The patch goes through JSON, as in the log and on the wire.
    const wire: unknown = JSON.parse(JSON.stringify(richTextKind.wire(result.value.op)));
    this.log.push({ author, op: richTextKind.recall(wire as never, undefined) });
    assert.match(textOf(snapshotOf(this.state)), /\n$/);
  }
}

/**
 * A client with one submit in flight and the rest composed. Its view is confirmed, then inflight, then rest.
 */
class Client {
  readonly confirmed = richTextKind.create();
  readonly view = richTextKind.create();
  version = 0;
  inflight: { readonly base: number; readonly sent: Delta; op: Delta } | undefined;
  rest: Delta | undefined;

  edit(edits: Script): void {
    const op = patchFor(edits, textOf(snapshotOf(this.view)));
    apply(this.view, op);
    this.rest = this.rest === undefined ? op : richTextKind.compose(this.rest, op);
  }

  send(): boolean {
    if (this.inflight !== undefined || this.rest === undefined) return false;
    this.inflight = { base: this.version, sent: this.rest, op: this.rest };
    this.rest = undefined;
    return true;
  }

  receive(author: Client, op: Delta): void {
    this.version++;
    const before = snapshotOf(this.confirmed);
    apply(this.confirmed, op);
    let foreign = op;
    if (author === this) {
      assert.ok(this.inflight !== undefined);
      const predicted = richTextKind.load(before as never);
      apply(predicted, this.inflight.op);
      this.inflight = undefined;
      // The newline that the server adds is the only thing that a client does not foresee.
      foreign = predicted.endsWithNewline() ? [] : [{ retain: predicted.length }, { insert: '\n' }];
      apply(predicted, foreign);
      assert.deepEqual(snapshotOf(predicted), snapshotOf(this.confirmed));
    }
    if (this.inflight !== undefined) {
      const mine = this.inflight.op;
      this.inflight.op = richTextKind.transform(mine, foreign);
      foreign = transformAgainst(foreign, mine);
    }
    if (this.rest !== undefined) {
      const mine = this.rest;
      this.rest = richTextKind.transform(mine, foreign);
      foreign = transformAgainst(foreign, mine);
    }
    apply(this.view, foreign);
    const predicted = richTextKind.load(richTextKind.snapshot(this.confirmed));
    if (this.inflight !== undefined) apply(predicted, this.inflight.op);
    if (this.rest !== undefined) apply(predicted, this.rest);
    assert.deepEqual(snapshotOf(this.view), snapshotOf(predicted));
  }
}

const action = (clients: number) =>
  fc.record({
    client: fc.nat(clients - 1),
    what: fc.constantFrom('edit', 'edit', 'send', 'arrive', 'receive', 'receive'),
    edits: script(3),
  });

test("optimistic clients behind random latency hold the server's document, version by version", () => {
  fc.assert(
    fc.property(fc.array(action(3), { maxLength: 60 }), (actions) => {
      const server = new Server();
      const clients = [new Client(), new Client(), new Client()];
      const onTheWay: Client[] = [];
      const versions: string[] = [JSON.stringify(snapshotOf(server.state))];
      const arrive = (from: Client) => {
        const { inflight } = from;
        assert.ok(inflight !== undefined);
        server.submit(from, inflight.base, inflight.sent);
        versions.push(JSON.stringify(snapshotOf(server.state)));
      };
      const receive = (client: Client) => {
        const entry = server.log[client.version];
        if (entry === undefined) return;
        client.receive(entry.author, entry.op);
        assert.equal(JSON.stringify(snapshotOf(client.confirmed)), versions[client.version]);
      };
      for (const { client: index, what, edits } of actions) {
        const client = clients[index];
        assert.ok(client !== undefined);
        if (what === 'edit') client.edit(edits);
        else if (what === 'send' && client.send()) onTheWay.push(client);
        else if (what === 'receive') receive(client);
        else if (what === 'arrive') {
          const [from] = onTheWay.splice(edits.length % Math.max(1, onTheWay.length), 1);
          if (from !== undefined) arrive(from);
        }
      }
      for (let busy = true; busy; ) {
        busy = false;
        for (const from of onTheWay.splice(0)) arrive(from);
        for (const client of clients) {
          while (client.version < server.log.length) receive(client);
          if (!client.send()) continue;
          onTheWay.push(client);
          busy = true;
        }
      }
      for (const client of clients) assert.deepEqual(snapshotOf(client.view), snapshotOf(server.state));
    }),
    { numRuns: runs(300) },
  );
});

test("undo by the inverse, as the losing side, takes back one's own edit and keeps those of others", () => {
  fc.assert(
    fc.property(script(), fc.array(fc.nat(40), { maxLength: 6 }), (mine, others) => {
      const state = richTextKind.create();
      apply(state, [{ insert: 'The quick brown fox 😀 jumps over it' }]);
      const before = textOf(snapshotOf(state));
      const op = patchFor(mine, before);
      let undo = richTextKind.invert(op, state);
      apply(state, op);
      // Others insert letters that occur nowhere else, between whole characters.
      for (const at of others) {
        const text = textOf(snapshotOf(state));
        const theirs = patchFor([{ skip: at, action: 'insert', length: 1, pick: 0 }], text);
        const marked = theirs.map((step) => (step.insert === undefined ? step : { insert: '§' }));
        apply(state, marked);
        undo = richTextKind.transform(undo, marked);
      }
      apply(state, undo);
      const after = textOf(snapshotOf(state));
      assert.equal(after.replaceAll('§', ''), before);
      assert.equal(after.split('§').length - 1, others.length);
    }),
    { numRuns: runs(500) },
  );
});

function committed(document: string, ...patches: Delta[]): { text: string; ops: Delta[] } {
  const state = richTextKind.load([{ insert: document }]);
  const ops: Delta[] = [];
  for (const patch of patches) {
    const result = richTextKind.commit(state, patch, ops, LIMITS);
    assert.ok(result.ok, result.ok ? '' : result.message);
    ops.push(result.value.op);
  }
  return { text: textOf(snapshotOf(state)), ops };
}

test('two inserts at one place: the earlier committed stands first', () => {
  assert.equal(
    committed('ab\n', [{ retain: 1 }, { insert: 'X' }], [{ retain: 1 }, { insert: 'Y' }]).text,
    'aXYb\n',
  );
});

test('two formats of one run: the attributes of the earlier committed win, the others stay', () => {
  const { ops } = committed(
    'ab\n',
    [{ retain: 2, attributes: { color: 'red' } }],
    [{ retain: 2, attributes: { color: 'blue', bold: true } }],
  );
  assert.deepEqual(ops[1], [{ retain: 2, attributes: { bold: true } }]);
});

test('RT-1 a map as an attribute is one value: the earlier committed wins whole, and it is joined as equal', () => {
  const cell = { row: 'r1', span: [1, null] };
  const { ops } = committed(
    'ab\n',
    [{ retain: 1, attributes: { cell } }],
    [{ retain: 2, attributes: { cell: { row: 'r2' } } }],
    [{ retain: 1 }, { retain: 1, attributes: { cell: { span: [1, null], row: 'r1' } } }],
  );
  assert.deepEqual(ops.slice(1), [[{ retain: 1 }, { retain: 1, attributes: { cell: { row: 'r2' } } }], []]);
  const state = richTextKind.load([{ insert: 'ab\n' }]);
  apply(state, [{ retain: 1, attributes: { cell } }]);
  apply(state, [{ retain: 1 }, { retain: 1, attributes: { cell: { span: [1, null], row: 'r1' } } }]);
  assert.deepEqual(snapshotOf(state), [{ insert: 'ab', attributes: { cell } }, { insert: '\n' }]);
});

test('text inserted into a range that another deletes stays', () => {
  const { text, ops } = committed('abcd\n', [{ retain: 2 }, { insert: 'X' }], [{ delete: 4 }]);
  assert.equal(text, 'X\n');
  assert.deepEqual(ops[1], [{ delete: 2 }, { retain: 1 }, { delete: 2 }]);
});

test('a patch that deletes the final newline commits with one at its end', () => {
  assert.deepEqual(committed('ab\n', [{ delete: 3 }]), {
    text: '\n',
    ops: [[{ delete: 3 }, { insert: '\n' }]],
  });
});

test('a patch that inserts after the final newline commits with one at its end', () => {
  assert.deepEqual(committed('ab\n', [{ retain: 3 }, { insert: 'c' }]), {
    text: 'ab\nc\n',
    ops: [[{ retain: 3 }, { insert: 'c' }, { insert: '\n' }]],
  });
});

test('a patch that replaces everything, newline included, commits as it is', () => {
  const op: Delta = [{ insert: 'new\n' }, { delete: 3 }];
  assert.deepEqual(committed('ab\n', op), { text: 'new\n', ops: [op] });
});

test('an embed at the end is followed by a newline', () => {
  assert.equal(committed('a\n', [{ retain: 2 }, { insert: { image: 'x' } }]).text, 'a\n\uFFFC\n');
});

test('two harmless patches that meet without a final newline commit with one', () => {
  // One patch deletes the old newline after adding its own in front. The other deletes the text in front.
  const first: Delta = [{ retain: 1 }, { delete: 1 }, { insert: '\n' }];
  const { text } = committed(
    'a\n',
    first,
    [{ retain: 2 }, { insert: 'x\n' }],
    [{ retain: 1 }, { insert: 'y' }],
  );
  assert.equal(text, 'ay\nx\n');
});

test('text typed at the end of the last line stays in front of a newline that was added', () => {
  assert.equal(
    committed('ab\n', [{ retain: 2 }, { delete: 1 }], [{ retain: 2 }, { insert: 'c' }]).text,
    'abc\n',
  );
});

test('RT-3 an edit that begins or ends inside a surrogate pair is bad-op and changes nothing', () => {
  for (const op of [
    [{ retain: 2 }, { insert: 'x' }],
    [{ retain: 2 }, { insert: { image: 'x' } }],
    [{ retain: 2 }, { delete: 1 }],
    [{ retain: 1 }, { delete: 1 }],
    [{ retain: 1 }, { delete: 1 }, { insert: 'x' }, { delete: 1 }],
    [{ retain: 1 }, { retain: 1, attributes: { bold: true } }],
    [{ retain: 2 }, { retain: 2, attributes: { bold: true } }],
    [{ delete: 2 }, { insert: 'x' }],
  ] as Delta[]) {
    const state = richTextKind.load([{ insert: 'a😀😀\n' }]);
    for (const result of [richTextKind.commit(state, op, [], LIMITS), richTextKind.apply(state, op)]) {
      assert.ok(!result.ok && result.code === 'bad-op', JSON.stringify(op));
    }
    assert.deepEqual(snapshotOf(state), [{ insert: 'a😀😀\n' }]);
  }
});

test('a pair that is deleted, formatted or passed over whole is no cut, however the steps are counted', () => {
  const state = richTextKind.load([{ insert: 'a😀b\n' }]);
  for (const wire of [
    [
      { retain: 1, attributes: { bold: true } },
      { retain: 1, attributes: { bold: true } },
      { retain: 1, attributes: { bold: true } },
    ],
    [{ retain: 2 }, { retain: 1 }, { insert: 'x' }],
    [{ retain: 1 }, { delete: 1 }, { delete: 1 }],
  ]) {
    const op = richTextKind.parse(wire, LIMITS);
    assert.ok(op.ok);
    assert.ok(richTextKind.commit(state, op.value, [], LIMITS).ok, JSON.stringify(wire));
  }
  assert.equal(textOf(snapshotOf(state)), 'axb\n');
});

test('concurrent edits around astral characters never leave half of one', () => {
  fc.assert(
    fc.property(fc.array(script(4), { minLength: 2, maxLength: 6 }), (scripts) => {
      const document = '😀a😀😀\u{10FFFF}b😀\n';
      const { text } = committed(document, ...scripts.map((edits) => patchFor(edits, document)));
      assert.equal(new TextDecoder().decode(new TextEncoder().encode(text)), text);
      assert.doesNotMatch(text, /\p{Surrogate}/u);
    }),
    { numRuns: runs(500) },
  );
});
