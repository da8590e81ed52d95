// The patch that is cut out of a submit's frame, compared with a reference: the whole frame decoded by JSON.parse or
// msgpackr, and each value checked by `notPlain`. The frames are made by honest encoders, written by hand, and damaged
// at random.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { encode as rawMsgpack } from 'msgpackr';
import { JSON_OP, LOOSE_JSON_OP, MSGPACK_OP, UPDATE_OP } from '../../../actors/link/link-messages.ts';
import { FrameError, jsonCodec, msgpackCodec, unpackValue } from '../../../protocol/codec.ts';
import type { Json } from '../../../protocol/messages.ts';
import { notPlain } from '../../../protocol/plain-value.ts';
import {
  cutJsonSubmit,
  cutMsgpackSubmit,
  type SubmitFrame,
} from '../../../src/gateway/frames/submit-frame.ts';
import { fuzzRuns } from '../../support/fuzz-runs.ts';

const DEPTH = 6;

/** The frame decoded as a whole. Undefined if the frame or its patch is refused. */
function reference(frame: Uint8Array, isText: boolean): Record<string, unknown> | undefined {
  try {
    const message = isText
      ? jsonCodec.decode(Buffer.from(frame).toString('utf8'))
      : msgpackCodec.decode(frame);
    if (message.type !== 'submit' || message.op === undefined) return undefined;
    const { op } = message;
    if (!isText && op instanceof Uint8Array) return message;
    return notPlain(op, DEPTH) === undefined ? message : undefined;
  } catch (error) {
    if (error instanceof FrameError) return undefined;
    throw error;
  }
}

/** Asserts that the cut submit equals the reference's, and returns it. */
function compare(frame: Uint8Array, isText: boolean): SubmitFrame | undefined {
  const cut = isText ? cutJsonSubmit(frame, DEPTH) : cutMsgpackSubmit(frame, DEPTH);
  if (cut === undefined) return undefined;
  const whole = reference(frame, isText);
  const shown = Buffer.from(frame).toString(isText ? 'utf8' : 'hex');
  assert.ok(whole, `the reference refuses ${shown}`);
  assert.deepEqual([cut.doc, cut.seq, cut.base], [whole.doc, whole.seq, whole.base], shown);
  const { encoding, bytes } = cut.op;
  const text = Buffer.from(bytes).toString('utf8');
  if (encoding === JSON_OP) assert.equal(text, JSON.stringify(whole.op), shown);
  else if (encoding === LOOSE_JSON_OP)
    assert.equal(JSON.stringify(jsonCodec.decode(`{"op":${text}}`).op), JSON.stringify(whole.op), shown);
  else if (encoding === MSGPACK_OP) assert.deepEqual(unpackValue(bytes), whole.op, shown);
  else {
    assert.equal(encoding, UPDATE_OP);
    assert.deepEqual(Buffer.from(bytes), Buffer.from(whole.op as Uint8Array), shown);
  }
  return cut;
}

const text = (frame: string): SubmitFrame | undefined => compare(Buffer.from(frame), true);
const submit = (op: string): string => `{"type":"submit","doc":"acme/plan","seq":7,"base":6,"op":${op}}`;

const odd = fc.constantFrom(
  ...[
    '-0',
    '0',
    '-0.0',
    '-0.5',
    '0.1',
    '1.50',
    '1.0',
    '01',
    '-',
    '1.',
    '.5',
    '+1',
    '1e400',
    '1e5',
    '1E-7',
    '2e',
    '0.0000001',
  ],
  ...[
    '123456789012345',
    '1234567890123456',
    '9007199254740993',
    '-9007199254740992',
    '0.30000000000000004',
    'NaN',
    'Infinity',
  ],
  ...[
    '""',
    '"a"',
    '"é"',
    '"\\ud800"',
    '"\\udc00x"',
    '"\\ud83d\\ude00"',
    '"😀"',
    '"\\u0041"',
    '"\\u00e9"',
    '"\\u001f"',
    '"\\/"',
  ],
  ...[
    '"\\n"',
    '"\\x"',
    '"\\"',
    '"\u0001"',
    '"\u007f\u2028"',
    '"unclosed',
    'true',
    'false',
    'null',
    'tru',
    'nulll',
    'undefined',
  ],
  ...[
    '{}',
    '[]',
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '{"1":1,"0":2}',
    '{"b":1,"a":2}',
    '{"":1}',
    '{"__proto__":1}',
  ],
  ...[
    '{"\\n":1}',
    '{"\\\\":1,"\\n":2}',
    '[1,]',
    '{"a":1,}',
    '[,]',
    '{a:1}',
    "{'a':1}",
    '[1 2]',
    '{"a" 1}',
    '/* */1',
    '\ufeff1',
  ],
  ...[
    '{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":0}',
    '[[[[[[[1]]]]]]]',
    '[[[[[[1]]]]]]',
    ']',
    '}',
  ],
);
const space = fc.constantFrom('', '', '', ' ', '\n\t', '\r', '\u00a0', '\ufeff');
const value: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    odd,
    fc.json({ maxDepth: 2 }),
    fc
      .tuple(space, fc.array(tie('value'), { maxLength: 3 }))
      .map(([s, all]) => `[${s}${all.join(`,${s}`)}${s}]`),
    fc
      .tuple(
        space,
        fc.array(fc.tuple(fc.constantFrom('"a"', '"b"', '"op"', '"9"', '"é"', '"\\t"'), tie('value')), {
          maxLength: 3,
        }),
      )
      .map(([s, all]) => `{${all.map(([k, v]) => `${s}${k}:${s}${v}`).join(',')}}`),
  ),
})).value;
const member = fc.oneof(
  fc.constantFrom(
    '"type":"submit"',
    '"type":"submi\\u0074"',
    '"type":"open"',
    '"ty\\u0070e":"submit"',
    '"type" :"submit"',
  ),
  fc.constantFrom('"doc":"acme/plan"', '"doc":"acme/\\ud800"', '"doc":"é"', '"doc":7', '"doc":null'),
  fc.constantFrom(
    '"seq":7',
    '"seq":7.0',
    '"seq":7e0',
    '"seq":07',
    '"seq":-7',
    '"seq":"7"',
    '"seq":9007199254740993',
    '"seq":0',
  ),
  fc.constantFrom('"base":6', '"base":null', '"base":-1', '"base":6.5', '"base":"6"', '"base":{}'),
  value.map((op) => `"op":${op}`),
  value.map((other) => `"other":${other}`),
);
/** Mostly whole submits in any order, with members that are repeated, missing, odd or unknown. */
const frames = fc
  .tuple(
    fc.array(member, { maxLength: 3 }),
    fc.shuffledSubarray(['"type":"submit"', '"doc":"acme/plan"', '"seq":7', '"base":6'], { minLength: 3 }),
    value,
    space,
    fc.constantFrom('', '', '', ' ', '\n', '}', 'x', '\0'),
  )
  .map(([extra, usual, op, s, end]) => {
    const all = [...usual, `"op":${op}`, ...extra];
    return `${s}{${s}${all.join(`${s},`)}${s}}${end}`;
  });
const damage = fc.array(fc.tuple(fc.nat(), fc.constantFrom('put', 'take', 'set'), fc.nat({ max: 255 })), {
  maxLength: 2,
});

function damaged(frame: Uint8Array, changes: readonly (readonly [number, string, number])[]): Buffer {
  const bytes = [...frame];
  for (const [at, what, byte] of changes) {
    const place = at % (bytes.length + 1);
    if (what === 'put') bytes.splice(place, 0, byte);
    else if (what === 'take') bytes.splice(place, 1);
    else bytes[place] = byte;
  }
  return Buffer.from(bytes);
}

test('SOCK-4 SUBMIT-1 JSON: a patch that is cut out of any frame is the patch of the whole frame decoded', () => {
  fc.assert(
    fc.property(frames, damage, (frame, changes) => {
      compare(Buffer.from(frame), true);
      const bytes = damaged(Buffer.from(frame), changes);
      // The socket refuses a text frame that is not UTF-8.
      if (isUtf8(bytes)) compare(bytes, true);
    }),
    { numRuns: fuzzRuns(5000) },
  );
});

test('SUBMIT-1 JSON: the patch of an honest encoder is cut out, and its bytes are those of JSON.stringify', () => {
  const plain = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', maxDepth: DEPTH - 1 },
      fc.integer({ min: -1e15 + 1, max: 1e15 - 1 }).map((n) => n || 0),
      fc.integer({ min: 1, max: 1e6 }).map((n) => n / 1000),
      fc.constantFrom(null, true, false, 'a "quoted" \\ line\n'),
      fc.string({ unit: 'grapheme' }),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('a', 'b', 'long key', 'é'), tie('value')),
    ),
  })).value;
  fc.assert(
    fc.property(fc.array(plain, { maxLength: 4 }), (op) => {
      const cut = text(submit(JSON.stringify(op)));
      assert.equal(cut?.op.encoding, JSON_OP, JSON.stringify(op));
    }),
  );
  for (const op of [
    '[{"retain":12},{"insert":"a"}]',
    '[{"op":"add","path":"/a","value":{"b":[1.5,true,"\\n"]}}]',
  ])
    assert.equal(text(submit(op))?.op.encoding, JSON_OP, op);
  for (const op of [
    '[{"retain": 12}]',
    '[1.0]',
    '["\\u0041"]',
    '[{"a":1,"a":2}]',
    '[{"1":1,"0":2}]',
    '[-0]',
    '["\\/"]',
  ])
    assert.equal(text(submit(op))?.op.encoding, LOOSE_JSON_OP, op);
  for (const op of ['[1e400]', '[9007199254740993]', '["\\ud800"]', '[[[[[[[1]]]]]]]', '[1,]', '"a'])
    assert.equal(text(submit(op)), undefined, op);
});

const packed = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<unknown>(
    ...[
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2 ** 53,
      -(2 ** 53),
      2 ** 60,
      -0,
      1.5,
      2n ** 60n,
      2n ** 63n,
      -(2n ** 62n),
    ],
    ...[
      '',
      'text',
      '\ud800',
      'é',
      { a: 1 },
      [[[[[[[1]]]]]]],
      new Uint8Array([0, 0]),
      [new Uint8Array([1])],
      new Date(0),
    ],
    JSON.parse('{"__proto__":{"a":1}}'),
  ),
);
const packedFrames = fc
  .tuple(
    fc.shuffledSubarray(['type', 'doc', 'seq', 'base', 'op', 'other'], { minLength: 4 }),
    fc.oneof(packed, fc.array(packed, { maxLength: 3 })),
    fc.oneof(fc.nat(), fc.constantFrom<unknown>(2 ** 31, 2 ** 33, 2 ** 53, -1, 'x', null)),
    fc.oneof(fc.nat(), fc.constantFrom<unknown>(null, -1, 2 ** 32, 1.5)),
  )
  .map(([names, op, seq, base]) => {
    const all: Record<string, unknown> = { type: 'submit', doc: 'acme/plan', seq, base, op, other: op };
    return rawMsgpack(Object.fromEntries(names.map((name) => [name, all[name]])));
  });

test('SOCK-4 SUBMIT-1 MessagePack: a patch that is cut out of any frame is the patch of the whole frame decoded', () => {
  fc.assert(
    fc.property(packedFrames, damage, (frame, changes) => {
      compare(frame, false);
      compare(damaged(frame, changes), false);
    }),
    { numRuns: fuzzRuns(5000) },
  );
  const honest = { type: 'submit', doc: 'acme/plan', seq: 70_000, base: 300 };
  const cut = (op: unknown) => compare(rawMsgpack({ ...honest, op }), false)?.op.encoding;
  assert.equal(cut([{ retain: 12 }, { insert: 'é' }]), MSGPACK_OP);
  assert.equal(cut([{ op: 'add', path: '/a', value: [1.5, -3, null] }]), MSGPACK_OP);
  assert.equal(cut(new Uint8Array(300)), UPDATE_OP);
  for (const op of ['AAA=', [Number.NaN], [2 ** 53], [new Uint8Array(1)], [[[[[[[1]]]]]]], ['\ud800']])
    assert.equal(cut(op), undefined, String(op));
});
