// A patch is judged on the document at its base: by what undoes the patches in memory, or on the document that a fold
// makes of the log.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fold } from '../../../actors/compute/fold.ts';
import { Document, type Submitted } from '../../../actors/document/document.ts';
import { fromStored } from '../../../actors/document/entry.ts';
import type { LinkOp } from '../../../actors/link/link-messages.ts';
import { JSON_OP } from '../../../actors/link/link-messages.ts';
import type { LoadedDocument, StoredDelta } from '../../../actors/storage/store.ts';
import { jsonKind } from '../../../kinds/json/json.ts';
import type { Fit } from '../../../kinds/kind.ts';
import type { Json } from '../../../protocol/messages.ts';

const LIMITS = { documentBytes: 64 << 20, depth: 100, workMs: 50 };
const NEW: LoadedDocument = { id: 1, snapshotVersion: 0, snapshot: undefined, deltas: [] };

const add = (path: string, value: Json) => ({ op: 'add', path, value });
const replace = (path: string, value: Json) => ({ op: 'replace', path, value });
const remove = (path: string) => ({ op: 'remove', path });

class Owner {
  readonly document: Document;
  readonly log: StoredDelta[];
  #seq: number;

  constructor(loaded: LoadedDocument = NEW, log: readonly StoredDelta[] = []) {
    this.document = new Document(jsonKind, loaded, { clients: [], someForgotten: false }, LIMITS);
    this.log = [...log];
    this.#seq = log.length;
  }

  submit(base: number, patch: Json, older: readonly unknown[] = [], fit?: Fit): Submitted {
    const op: LinkOp = [JSON_OP, Buffer.from(JSON.stringify(patch))];
    const seq = ++this.#seq;
    const result = this.document.submit({ client: 'ada-ada-ada', user: 'ada', seq, base, op }, older, fit);
    if (result.type === 'committed') {
      const { version, client, seq } = result.entry;
      this.log.push({ version, client, seq, user: 'ada', epoch: 1, op: result.stored });
      this.document.durableTo(version);
    }
    return result;
  }

  /** Another owner, which has read a snapshot at `version` and the log above it. */
  next(version: number): Owner {
    const before = new Document(
      jsonKind,
      { ...NEW, deltas: this.log.slice(0, version) },
      { clients: [], someForgotten: false },
      LIMITS,
    );
    const snapshot = Buffer.from(before.snapshot());
    return new Owner(
      { id: 1, snapshotVersion: version, snapshot, deltas: this.log.slice(version) },
      this.log,
    );
  }

  /** The answer of the compute pool for a patch that the owner could not judge. */
  async judged(result: Submitted): Promise<Fit | undefined> {
    assert.equal(result.type, 'needs-base');
    if (result.type !== 'needs-base') return undefined;
    const store = {
      refuseBelow: () => undefined,
      read: async (_doc: number, upTo: number) => ({ ...NEW, deltas: this.log.slice(0, upTo) }),
      writeSnapshot: () => assert.fail('no snapshot is written'),
      close: async () => undefined,
    };
    const request = { session: { id: 1, secret: '' }, doc: 1, kind: 'json', version: result.base } as const;
    const folded = await fold(store, { ...request, session: {} as never, op: result.op });
    return folded?.fit;
  }
}

const codeOf = (result: Submitted): string => (result.type === 'rejected' ? result.code : result.type);

test('MEET-2 the patches in memory, committed or replayed, tell what the base of a patch was', () => {
  const first = new Owner();
  first.submit(0, [add('/a', { x: 1 })]);
  first.submit(1, [add('/b', 1), replace('/a', {})]);
  for (const owner of [first, first.next(0), first.next(1)]) {
    assert.equal(codeOf(owner.submit(1, [remove('/b')])), 'bad-op');
    assert.equal(codeOf(owner.submit(1, [remove('/a/y')])), 'bad-op');
    assert.equal(codeOf(owner.submit(1, [remove('/a/x')])), 'committed');
  }
});

test('MEET-2 before the patches in memory, and behind a value too large to keep, the base is asked for', async () => {
  const first = new Owner();
  first.submit(0, [add('/a', { x: 1 }), add('/large', 'x'.repeat(3 << 20))]);
  first.submit(1, [add('/b', 1), replace('/a', {})]);
  const next = first.next(2);
  const older = first.log.slice(1).map(({ op }) => fromStored(jsonKind, op));
  assert.equal(codeOf(first.submit(2, [remove('/large')])), 'committed');
  for (const [owner, fetched] of [
    [first, []],
    [next, older],
  ] as const)
    for (const [patch, expected] of [
      [[remove('/b')], 'bad-op'],
      [[add('/c', 1), remove('/a/y')], 'bad-op'],
      [[add('/c', 1), remove('/a/x')], 'committed'],
    ] as const) {
      const asked = owner.submit(1, [...patch], fetched);
      const fit = await first.judged(asked);
      const answered = owner.submit(1, [...patch], fetched, fit);
      assert.equal(codeOf(answered), expected, JSON.stringify(patch));
      if (answered.type === 'committed')
        assert.deepEqual(jsonKind.wire(answered.entry.op as never), [add('/c', 1)]);
    }
  assert.ok(first.document.bytes < 4 << 20, 'a large value that was removed is not kept');
});

test('a fold judges no patch at a version that the log does not reach', async () => {
  const owner = new Owner();
  owner.submit(0, [add('/a', 1)]);
  const needs = { type: 'needs-base', base: 7, op: Buffer.from('[]') } as const;
  assert.equal(await owner.judged(needs), undefined);
});
