// The forms of one patch: as it came over the link, in the log, and in commit frames of both subprotocols.
// Patches that commit as they came keep their bytes; all forms hold the same patch.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encode as rawMsgpack } from 'msgpackr';
import { Document } from '../../../actors/document/document.ts';
import { type Entry, fromStored, kept } from '../../../actors/document/entry.ts';
import { commitFrame } from '../../../actors/document/subscribers/frames.ts';
import {
  JSON_FRAMES,
  JSON_OP,
  jsonOp,
  type LinkOp,
  LOOSE_JSON_OP,
  MSGPACK_FRAMES,
  MSGPACK_OP,
  UPDATE_OP,
} from '../../../actors/link/link-messages.ts';
import { jsonKind } from '../../../kinds/json/json.ts';
import { kindOf } from '../../../kinds/registry.ts';
import { jsonCodec, msgpackCodec } from '../../../protocol/codec.ts';
import type { Json, KindName } from '../../../protocol/messages.ts';
import { headerLength } from '../../../protocol/websocket-frame.ts';
import {
  canonical,
  EVERYTHING,
  type Random,
  randomDocument,
  randomOf,
  randomStep,
} from '../../kinds/json/json-random.ts';

const LIMITS = { documentBytes: 1_000_000, depth: 100, workMs: 1000 };
const DOC = 'acme/plan';

function create(kind: KindName): Document {
  const loaded = { id: 1, snapshotVersion: 0, snapshot: undefined, deltas: [] };
  return new Document(kindOf(kind), loaded, { clients: [], someForgotten: false }, LIMITS);
}

let seq = 0;
const submit = (document: Document, base: number, op: LinkOp) =>
  document.submit({ client: 'client-1', user: '', seq: ++seq, base, op });

function payload(frame: Uint8Array): Uint8Array {
  const short = (frame[1] ?? 0) & 0x7f;
  return frame.subarray(headerLength(short === 126 ? 126 : short === 127 ? 65_536 : short));
}

/** The patches in a commit frame of this run, in both subprotocols alike. */
function framed(document: Document, run: readonly Entry[]): unknown[] {
  const version = run.at(-1)?.version ?? 0;
  const json = payload(commitFrame(JSON_FRAMES, document.kind, DOC, version, run));
  const message = jsonCodec.decode(Buffer.from(json).toString('utf8'));
  const packed = msgpackCodec.decode(payload(commitFrame(MSGPACK_FRAMES, document.kind, DOC, version, run)));
  assert.equal(canonical(message as Json), canonical(packed as Json));
  assert.deepEqual([message.type, message.doc, message.version], ['commit', DOC, version]);
  return (message.ops as { op: unknown }[]).map(({ op }) => op);
}

/**
 * The same patch in a form that may come: with members in another order, unknown members, spaces, or in
 * MessagePack.
 */
function sent(random: Random, steps: readonly { [key: string]: Json }[]): LinkOp {
  const odd = random(4);
  const all = odd === 0 ? steps.map((step) => ({ comment: 'é', ...step })) : steps;
  const turned =
    random(3) === 0 ? all.map((step) => Object.fromEntries(Object.entries(step).reverse())) : all;
  if (odd === 1) return [LOOSE_JSON_OP, Buffer.from(JSON.stringify(turned, null, 1))];
  if (odd === 2) return [MSGPACK_OP, rawMsgpack(turned)];
  return jsonOp(JSON.stringify(turned));
}

test('SUBMIT-7 json: the log and all frames hold the patch as committed, whatever it looked like when it came', () => {
  let asSent = 0;
  let commits = 0;
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = randomOf(seed);
      const document = create('json');
      submit(
        document,
        0,
        jsonOp(JSON.stringify([{ op: 'replace', path: '', value: randomDocument(random) }])),
      );
      const views: Json[] = [{}, JSON.parse(document.snapshot().toString())];
      const run: Entry[] = [];
      for (let i = 0; i < 6; i++) {
        const base = Math.max(1, document.head - random(3));
        const steps = [randomStep(random, views[base] ?? {}, EVERYTHING)];
        const op = sent(random, steps);
        const result = submit(document, base, op);
        if (result.type !== 'committed') continue;
        commits++;
        const { entry, stored } = result;
        run.push(entry);
        views.push(JSON.parse(document.snapshot().toString()));
        const committed = canonical(jsonKind.wire(entry.op as never) as Json);
        const [text = ''] = Buffer.from(stored).toString('utf8').split('\n');
        assert.equal(canonical(JSON.parse(text)), committed, text);
        assert.equal(canonical(jsonKind.wire(fromStored(document.kind, stored) as never) as Json), committed);
        if (op[0] === JSON_OP && Buffer.from(stored).indexOf(op[1]) === 0) asSent++;
      }
      const whole = run.map((entry) => canonical(jsonKind.wire(entry.op as never) as Json));
      assert.deepEqual((framed(document, run) as Json[]).map(canonical), whole);
      const later = run.map((entry) => kept(document.kind, entry));
      assert.ok(later.every(({ stored, size }) => (stored === undefined) === size <= 1024));
      assert.deepEqual((framed(document, later) as Json[]).map(canonical), whole);
      assert.ok(
        later.every(({ stored }) => stored !== undefined),
        'a second reader costs no encoding',
      );
    }),
    { numRuns: 300 },
  );
  assert.ok(asSent > commits / 10, `${asSent} of ${commits} have kept their bytes`);
});

test('SUBMIT-7 a patch that commits as it came keeps its bytes; one that was transformed, or came otherwise, does not', () => {
  const document = create('rich-text');
  const storedOf = (base: number, op: LinkOp): Uint8Array => {
    const result = submit(document, base, op);
    assert.equal(result.type, 'committed');
    return result.type === 'committed' ? result.stored : new Uint8Array();
  };
  const plain = jsonOp('[{"insert":"one é"}]');
  assert.equal(storedOf(0, plain), plain[1]);
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
  assert.equal(text(storedOf(0, jsonOp('[{"insert":"two"}]'))), '[{"retain":5},{"insert":"two"}]');
  assert.equal(
    text(storedOf(2, [LOOSE_JSON_OP, Buffer.from('[ {"insert":"\\u0061"} ]')])),
    '[{"insert":"a"}]',
  );
  assert.equal(text(storedOf(3, [MSGPACK_OP, rawMsgpack([{ insert: 'é' }])])), '[{"insert":"é"}]');
  const json = create('json');
  const list = submit(json, 0, jsonOp('[{"op":"add","path":"/list","value":[]}]'));
  assert.equal(list.type, 'committed');
  const noted = submit(json, 1, jsonOp('[{"op":"add","path":"/list/0","value":{"a":[1.5,"x"]}}]'));
  assert.equal(
    noted.type === 'committed' && text(noted.stored),
    '[{"op":"add","path":"/list/0","value":{"a":[1.5,"x"]}}]\n1',
  );
  const end = submit(json, 2, jsonOp('[{"op":"add","path":"/list/-","value":1}]'));
  assert.equal(end.type === 'committed' && text(end.stored), '[{"op":"add","path":"/list/1","value":1}]\n1');
});

test('YJS-1 VALUE-7 an update is the same from bytes and from base64, in the log and in both frames', () => {
  const update = new Uint8Array([0, 0]);
  const forms: LinkOp[] = [[UPDATE_OP, update], jsonOp('"AAA="')];
  for (const op of forms) {
    const document = create('yjs');
    const result = submit(document, 0, op);
    assert.ok(result.type === 'committed');
    assert.deepEqual([...result.stored], [...update]);
    const frame = payload(commitFrame(JSON_FRAMES, document.kind, DOC, 1, [result.entry]));
    assert.equal(
      Buffer.from(frame).toString(),
      `{"type":"commit","doc":"${DOC}","version":1,"ops":[{"client":"client-1","seq":${seq},"op":"AAA="}]}`,
    );
    const packed = msgpackCodec.decode(
      payload(commitFrame(MSGPACK_FRAMES, document.kind, DOC, 1, [result.entry])),
    );
    assert.deepEqual(
      (packed.ops as { op: Uint8Array }[]).map(({ op: bytes }) => [...bytes]),
      [[...update]],
    );
  }
});
