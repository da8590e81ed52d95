// The test vectors of docs/protocol.md, run against this code: a client author who checks against them checks
// against this server.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { jsonKind } from '../../kinds/json/json.ts';
import type { DocumentKind } from '../../kinds/kind.ts';
import { richTextKind } from '../../kinds/rich-text/rich-text.ts';
import { msgpackCodec } from '../../protocol/codec.ts';
import type { Json } from '../../protocol/messages.ts';
import { notPlain } from '../../protocol/plain-value.ts';
import { packageDirectory } from '../../src/cli/version.ts';

const text = readFileSync(join(packageDirectory(), 'docs/protocol.md'), 'utf8');
const section = text.slice(text.indexOf('## 12. Test vectors'));

/**
 * The rows of the n-th table of the section, without code marks and with newlines for `
 * `.
 */
function rows(n: number): string[][] {
  const tables = section.split('\n\n').filter((block) => block.startsWith('|'));
  return (tables[n] ?? '')
    .split('\n')
    .slice(2)
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    );
}

const newlines = (cell: string | undefined) => (cell ?? '').replaceAll('\\n', '\n');
const json = (cell: string | undefined): Json => JSON.parse(cell ?? '');
const LIMITS = { documentBytes: 65_536, depth: 100, workMs: 50 };

/**
 * Commits the patches, all made on the snapshot, one after the other. Returns the last patch as committed,
 * and the document.
 */
function meet<State, Op, Undo>(
  kind: DocumentKind<State, Op, Undo>,
  snapshot: Json,
  patches: readonly Json[],
) {
  const state = kind.load(snapshot);
  const past: Op[] = [];
  const undos: Undo[] = [];
  for (const patch of patches) {
    const parsed = kind.parse(patch, LIMITS);
    assert.ok(parsed.ok, JSON.stringify(patch));
    const committed = kind.commit(state, parsed.value, past, LIMITS, { undos });
    assert.ok(committed.ok, JSON.stringify(patch));
    past.push(committed.value.op);
    undos.push(committed.value.undo);
  }
  return { committed: past.map((op) => kind.wire(op)).at(-1), document: kind.snapshot(state) };
}

const plain = (document: unknown) => (document as { insert: string }[]).map(({ insert }) => insert).join('');

test('VALUE-4 lengths are UTF-16 code units', () => {
  assert.equal(rows(0).length, 9);
  for (const [sample = '', points = '', length] of rows(0)) {
    const written = points.split(' ').map((point) => Number.parseInt(point.slice(2), 16));
    assert.deepEqual(
      [...sample].map((character) => character.codePointAt(0)),
      written,
      sample,
    );
    assert.equal(sample.length, Number(length), sample);
  }
});

test('VALUE-1 numbers are taken as the vectors say, in both encodings', () => {
  assert.equal(rows(1).length, 8);
  for (const [written = '', hex = '', , taken] of rows(1)) {
    const bytes = hex.split(' ').map((byte) => Number.parseInt(byte, 16));
    const { value } = msgpackCodec.decode(Uint8Array.from([0x81, 0xa5, ...Buffer.from('value'), ...bytes]));
    assert.equal(value, JSON.parse(written), written);
    assert.equal(notPlain(value, 1) === undefined, taken === 'yes', written);
    const inJson = jsonKind.parse([{ op: 'add', path: '/x', value }], LIMITS);
    const inText = richTextKind.parse([{ retain: 1, attributes: { x: [value] } }], LIMITS);
    assert.deepEqual([inJson.ok, inText.ok], [taken === 'yes', taken === 'yes'], written);
  }
});

test('RT-1 patches count as the vectors say', () => {
  assert.equal(rows(2).length, 3);
  for (const [before, patch, after] of rows(2)) {
    const { document } = meet(richTextKind, [{ insert: newlines(before) }], [json(patch)]);
    assert.equal(plain(document), newlines(after));
  }
});

test('RT-4 the earlier committed has priority, as the vectors say', () => {
  assert.equal(rows(3).length, 4);
  for (const [first, submitted, committed, result = ''] of rows(3)) {
    const met = meet(richTextKind, [{ insert: 'ab\n' }], [json(first), json(submitted)]);
    assert.deepEqual(met.committed, json(committed));
    assert.equal(plain(met.document), newlines(result.split(',')[0]));
  }
});

test('JSON-3 JSON-4 JSON-7 JSON-8 patches meet as the vectors say', () => {
  assert.equal(rows(4).length, 4);
  for (const [first, submitted, committed, rule] of rows(4)) {
    const met = meet(jsonKind, { list: ['a', 'b'], name: 'n' }, [json(first), json(submitted)]);
    assert.deepEqual(met.committed, json(committed), rule);
  }
});
