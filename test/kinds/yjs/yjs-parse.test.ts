// Kind yjs: an update must decode to its last byte, and no bytes of a client may harm the server or the
// readers of the document.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as Y from 'yjs';
import { scanUpdate } from '../../../kinds/yjs/scan.ts';
import { yjsKind } from '../../../kinds/yjs/yjs.ts';
import { edit, editsOf, runs } from './yjs-edits.ts';

const LIMITS = { documentBytes: 1 << 24, depth: 20 };
const parse = (wire: unknown) => yjsKind.parse(wire, LIMITS);
const refused = (bytes: Uint8Array | number[], message: RegExp) => {
  const result = parse(Uint8Array.from(bytes));
  assert.ok(!result.ok, `accepted: ${bytes}`);
  assert.equal(result.code, 'bad-op');
  assert.match(result.message, message);
};

/** True if Yjs's own decoder accepts the update and reads every byte. */
function yjsDecodes(bytes: Uint8Array): boolean {
  try {
    Y.decodeUpdate(bytes);
  } catch {
    return false;
  }
  // Yjs ignores left-over bytes, but not missing ones.
  try {
    Y.decodeUpdate(bytes.subarray(0, bytes.length - 1));
    return false;
  } catch {
    return true;
  }
}

/** Applies the bytes for a reader with nothing and for a reader with a document, and merges them. */
function applies(bytes: Uint8Array): void {
  Y.applyUpdate(new Y.Doc(), bytes);
  const reader = new Y.Doc();
  Y.applyUpdate(reader, SAMPLE);
  Y.applyUpdate(reader, bytes);
  reader.getText('text').toDelta();
  Y.encodeStateAsUpdate(reader);
  const merged = Y.mergeUpdates([SAMPLE, bytes]);
  Y.mergeUpdates([bytes, merged]);
  Y.encodeStateVectorFromUpdate(bytes);
  Y.diffUpdate(merged, Uint8Array.of(0));
  scanUpdate(merged, 100);
}

const SAMPLE = (() => {
  const doc = new Y.Doc();
  doc.clientID = 1000;
  doc.getText('text').insert(0, 'sample 😀 text');
  doc.getText('text').format(2, 3, { bold: true });
  doc.getText('text').delete(4, 3);
  doc.getMap('map').set('key', { a: [1, 'two', null] });
  doc.getArray('list').insert(0, [new Y.XmlElement('p'), new Y.Doc({ guid: 'sub' }), new Uint8Array([1])]);
  return Y.encodeStateAsUpdate(doc);
})();

test('whatever Yjs writes is accepted: updates, merged ones, differences, whole documents', () => {
  fc.assert(
    fc.property(editsOf(3, 40), fc.nat(40), (edits, from) => {
      const { docs, updates } = edit(3, edits);
      const written = [
        ...updates,
        ...docs.map((doc) => Y.encodeStateAsUpdate(doc)),
        ...docs.map((doc) => Y.encodeStateAsUpdate(doc, Y.encodeStateVector(docs[0] ?? doc))),
      ];
      // Merges without some of the updates, which leaves holes.
      if (updates.length > 0) written.push(Y.mergeUpdates(updates.filter((_, i) => (i + from) % 3 !== 0)));
      if (updates.length > from) written.push(Y.mergeUpdates(updates.slice(from)));
      for (const update of written) {
        if (update === undefined) continue;
        const result = parse(update);
        assert.ok(result.ok, result.ok ? '' : result.message);
        assert.deepEqual(result.value, update);
      }
    }),
    { numRuns: runs(100) },
  );
});

test('an update cut short or with a byte left over is bad-op, wherever it is cut', () => {
  assert.ok(parse(SAMPLE).ok);
  for (let length = 0; length < SAMPLE.length; length++)
    refused(SAMPLE.subarray(0, length), /not a Yjs update/);
  refused([...SAMPLE, 0], /left over/);
  refused([], /too early/);
});

test('mutated updates: Yjs decodes every accepted one to the last byte, applies and merges it', () => {
  const mutation = fc.record({
    at: fc.nat(),
    byte: fc.nat(255),
    what: fc.constantFrom('set', 'insert', 'remove'),
  });
  let accepted = 0;
  fc.assert(
    fc.property(editsOf(2, 6), fc.array(mutation, { minLength: 1, maxLength: 3 }), (edits, mutations) => {
      const { updates } = edit(2, edits);
      const bytes = [...(updates[mutations.length % Math.max(1, updates.length)] ?? SAMPLE)];
      for (const { at, byte, what } of mutations) {
        bytes.splice(
          at % (bytes.length + 1),
          what === 'insert' ? 0 : 1,
          ...(what === 'remove' ? [] : [byte]),
        );
      }
      const wire = Uint8Array.from(bytes);
      const result = parse(wire);
      if (!result.ok) {
        assert.equal(result.code, 'bad-op');
        return;
      }
      accepted++;
      assert.ok(yjsDecodes(result.value));
      applies(result.value);
    }),
    { numRuns: runs(1500) },
  );
  assert.ok(accepted > 5, `only ${accepted} were accepted`);
});

test('random bytes never throw, and what is accepted Yjs decodes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (bytes, small) => {
      const wire = small ? bytes.map((byte) => byte % 12) : bytes;
      const result = parse(wire);
      if (result.ok) {
        assert.ok(yjsDecodes(result.value));
        applies(result.value);
      } else {
        assert.equal(result.code, 'bad-op');
      }
    }),
    { numRuns: runs(1500) },
  );
});

test('a value that is no bytes is bad-op', () => {
  for (const wire of [null, undefined, 'AAA=', [0, 0], {}, new ArrayBuffer(2), new Uint16Array(2)]) {
    const result = parse(wire);
    assert.ok(!result.ok && result.code === 'bad-op');
  }
});

test('the bytes are copied: the caller may use the buffer again', () => {
  const buffer = Buffer.from(SAMPLE);
  const result = parse(buffer.subarray(0));
  buffer.fill(255);
  assert.ok(result.ok);
  assert.deepEqual(result.value, SAMPLE);
  assert.equal(Object.getPrototypeOf(result.value), Uint8Array.prototype);
});

const HUGE = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
// One struct of client 1 at clock 0, without origins, below the root type 't'.
const struct = (content: number, ...rest: number[]) => [1, 1, 1, 0, content, 1, 1, 0x74, ...rest];

test('lengths beyond the bytes are refused without allocating', () => {
  refused([...HUGE, 1], /too early/);
  refused([1, ...HUGE, 1, 0, 4], /too early/);
  refused([0, ...HUGE], /too early/);
  refused([0, 1, 1, ...HUGE, 1], /too early/);
  refused(struct(3, ...HUGE), /too early/);
  refused(struct(4, ...HUGE), /too early/);
  refused(struct(8, ...HUGE), /too early/);
  refused(struct(2, ...HUGE), /too early/);
  refused(struct(8, 1, 117, ...HUGE), /too early/);
  refused(struct(8, 1, 118, ...HUGE), /too early/);
});

test('numbers and clocks beyond 2^53 - 1 are refused', () => {
  refused([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0], /beyond/);
  refused([...new Array(200).fill(0xff), 0], /beyond/);
  refused([...new Array(200).fill(0x80), 0], /beyond/);
  refused([1, 1, 1, 1, 0, ...HUGE, 0], /clock/);
  refused([0, 1, 1, 1, 1, ...HUGE], /clock/);
});

test('text that is not UTF-8 is refused', () => {
  for (const text of [
    [0x80],
    [0xc0, 0x80],
    [0xc3],
    [0xe0, 0x80, 0x80],
    [0xed, 0xa0, 0x80],
    [0xf5, 0x80, 0x80, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
    [0xc3, 0x28],
  ]) {
    refused([...struct(4, text.length, ...text), 0], /UTF-8|too early/);
  }
});

test('values nested too deeply are refused, without using up the stack', () => {
  const nested = (levels: number) => [...struct(8, 1), ...new Array(levels).fill([117, 1]).flat(), 126, 0];
  assert.ok(parse(Uint8Array.from(nested(20))).ok);
  refused(nested(21), /deep/);
  refused(nested(100_000), /deep/);
  const json = (text: string) => [
    ...struct(5, ...varUint(text.length)),
    ...new TextEncoder().encode(text),
    0,
  ];
  assert.ok(parse(Uint8Array.from(json('['.repeat(20) + ']'.repeat(20)))).ok);
  assert.ok(parse(Uint8Array.from(json(`"${'['.repeat(50)}"`))).ok);
  refused(json('['.repeat(21) + ']'.repeat(21)), /deep/);
  refused(json('['.repeat(100_000) + ']'.repeat(100_000)), /deep/);
  refused(json('{'), /JSON/);
});

test('an update that makes Y.applyUpdate throw or forget is refused', () => {
  refused([1, 1, 1, 0, 0x84, 1, 0, 1, 0x61, 0], /depends/); // its own left neighbour
  refused([1, 1, 1, 0, 0x44, 1, 5, 1, 0x61, 0], /depends/); // right of its own future
  refused([1, 1, 1, 0, 0x04, 0, 1, 3, 1, 0x61, 0], /depends/); // inside its own future
  refused([...struct(4, 0), 0], /empty/);
  refused([1, 1, 1, 0, 0, 0, 0], /empty/);
  refused([0, 1, 1, 1, 4, 0], /empty/); // a deletion of nothing
  refused([...struct(9, 1, 0x67, 126), 0], /options/);
  refused([...struct(7, 7), 0], /shared type/);
  refused([...struct(11, 1), 0], /unknown content/);
  refused([1, 1, 1, 1, 0x8a, 1, 0, 1, 0], /unknown content/); // a skip with flags
  const one = [1, 1, 0, 4, 1, 1, 0x74, 1, 0x61];
  const more = [1, 1, 1, 0x84, 1, 0, 1, 0x62];
  refused([2, ...one, ...more, 0], /two sections/);
});

test('__proto__ as a key of a value is refused', () => {
  const key = [...new TextEncoder().encode('__proto__')];
  refused([...struct(8, 1, 118, 1, 9, ...key, 126), 0], /forbidden/);
  key[0] = 0x61;
  assert.ok(parse(Uint8Array.from([...struct(8, 1, 118, 1, 9, ...key, 126), 0])).ok);
});

test('clients out of order are put in order, so that merging does not double them', () => {
  const client = (id: number) => [1, id, 0, 4, 1, 1, 0x74, 1, 0x60 + id];
  const result = parse(Uint8Array.from([3, ...client(1), ...client(3), ...client(2), 0]));
  assert.ok(result.ok);
  assert.deepEqual([...result.value], [3, ...client(3), ...client(2), ...client(1), 0]);
  const doc = new Y.Doc();
  Y.applyUpdate(doc, Y.mergeUpdates([Uint8Array.from([1, ...client(2), 0]), result.value]));
  assert.equal(doc.getText('t').length, 3);
});

test('recall and load throw for what is no update', () => {
  assert.throws(() => yjsKind.recall('text', undefined), /not a yjs patch/);
  assert.throws(() => yjsKind.recall(Uint8Array.of(0), undefined), /not a yjs patch/);
  assert.throws(() => yjsKind.load(Uint8Array.of(0, 0, 0)), /not a yjs snapshot/);
});

function varUint(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return [...bytes, value];
}
