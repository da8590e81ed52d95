// ONCE: a document's memory of a client's seqs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientMemory, REMEMBERED_SEQS } from '../../../actors/document/submits/client-memory.ts';

test('ONCE-1 a committed seq is answered with its version', () => {
  const memory = new ClientMemory(false);
  memory.committed(3, 10, 'user');
  memory.committed(7, 12, 'user');
  assert.deepEqual(memory.answer(3), { type: 'committed', version: 10 });
  assert.deepEqual(memory.answer(7), { type: 'committed', version: 12 });
  assert.deepEqual(memory.answer(8), { type: 'new' });
});

test('ONCE-3 a seq below the highest that did not commit is used, one that was rejected is burnt', () => {
  const memory = new ClientMemory(false);
  memory.refused(5);
  memory.committed(6, 1, 'user');
  assert.deepEqual(memory.answer(4), { type: 'used' });
  assert.deepEqual(memory.answer(5), { type: 'burnt' });
});

test('ONCE-2 only the log knows the seqs beyond the latest 64, and the recalled seqs go below', () => {
  const memory = new ClientMemory(true);
  memory.committed(900, 5000, 'user');
  const pairs = Array.from({ length: REMEMBERED_SEQS }, (_, i) => [890 - i, 4000 - i] as const);
  memory.recall({ pairs, lastSeq: pairs[0]?.[0] ?? 0, user: 'user' });
  assert.equal(memory.needsRecall, false);
  assert.deepEqual(memory.answer(900), { type: 'committed', version: 5000 });
  assert.deepEqual(memory.answer(890), { type: 'committed', version: 4000 });
  assert.deepEqual(memory.answer(895), { type: 'used' });
  assert.deepEqual(memory.answer(1), { type: 'log' });
  assert.equal(memory.lastSeqAt(4999), 890);
  assert.equal(memory.lastSeqAt(100), undefined);
});

test('ONCE-2 thousands of commits keep the latest 64 exact and bounded', () => {
  const memory = new ClientMemory(false);
  for (let seq = 1; seq <= 5000; seq++) memory.committed(seq, seq + 100, 'user');
  for (let seq = 5000 - REMEMBERED_SEQS + 1; seq <= 5000; seq++) {
    assert.deepEqual(memory.answer(seq), { type: 'committed', version: seq + 100 });
  }
  assert.deepEqual(memory.answer(1), { type: 'log' });
});

test('OPEN-7 of one that may have been forgotten nothing is said of what came before its first seq here', () => {
  const stranger = new ClientMemory(false, true);
  const recalled = new ClientMemory(true);
  recalled.recall({ pairs: [], lastSeq: null, user: '' });
  for (const memory of [stranger, recalled]) {
    assert.equal(memory.lastSeqAt(10), undefined);
    assert.deepEqual(memory.answer(5), { type: 'new' });
    memory.committed(5, 11, 'user');
    assert.equal(memory.lastSeqAt(11), 5);
    assert.equal(memory.lastSeqAt(10), undefined);
    assert.deepEqual(memory.answer(5), { type: 'committed', version: 11 });
  }
});
