// Documents that a load test fills before it begins.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DocumentKind, KindLimits } from '../../../kinds/kind.ts';
import { KINDS } from '../../../kinds/registry.ts';
import { fillOf } from '../../../loadtest/run/generator/fill.ts';
import { readScenario } from '../../../loadtest/scenarios/read-scenario.ts';

const KiB = 1_024;
/** The defaults of a node. */
const LIMITS: KindLimits = { documentBytes: 16_384 * KiB, depth: 100, workMs: 50 };

/** The size after the patches, as `limits.documentBytes` counts it. */
function filledSize<State, Op, Undo>(kind: DocumentKind<State, Op, Undo>, bytes: number): number {
  const state = kind.create();
  for (const wire of fillOf(kind.name, bytes)) {
    const parsed = kind.parse(wire, LIMITS);
    assert.ok(parsed.ok);
    const committed = kind.commit(state, parsed.value, [], LIMITS);
    assert.ok(committed.ok, committed.ok ? '' : committed.message);
  }
  return kind.size(state);
}

test('a document of each kind is filled to the size of large-documents, just below the limit', () => {
  const bytes = readScenario('large-documents').scenario.documents.initialBytes;
  assert.equal(bytes, LIMITS.documentBytes - 128 * KiB);
  const sizes = {
    'rich-text': filledSize(KINDS['rich-text'], bytes),
    json: filledSize(KINDS.json, bytes),
    yjs: filledSize(KINDS.yjs, bytes),
  };
  for (const [kind, size] of Object.entries(sizes))
    assert.ok(Math.abs(size - bytes) < 16 * KiB, `${kind}: ${size} of ${bytes} bytes`);
});
