// The frames that the garbage run sends to the endpoints for Yjs providers: frames that are wrong in one way each, updates
// that are legal and strange, and floods of presence. Makes them; sends nothing.
import { randomBytes } from 'node:crypto';
import { createEncoder, toUint8Array, writeVarString, writeVarUint, writeVarUint8Array } from 'lib0/encoding';
import * as Y from 'yjs';
import { below, pick, type Random } from '../clients/random-edits.ts';

/** The endpoint for y-websocket has no address. */
export type Address = string | undefined;

const SYNC = 0;
const AWARENESS = 1;
const AUTH = 2;
const QUERY_AWARENESS = 3;
const STATELESS = 5;

/** Yjs clients under whose numbers several throwers write. */
const FOREIGN_CLIENTS = [1, 2, 3, 2 ** 32 - 1, 2 ** 53 - 1];
const HUGE = [2 ** 21, 2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER];

/** A frame: the numbers, and the bytes with their length before them. */
export function frameOf(address: Address, numbers: readonly number[], bytes?: Uint8Array): Uint8Array {
  const encoder = createEncoder();
  if (address !== undefined) writeVarString(encoder, address);
  for (const number of numbers) writeVarUint(encoder, number);
  if (bytes !== undefined) writeVarUint8Array(encoder, bytes);
  return toUint8Array(encoder);
}

export const step1 = (address: Address, vector: Uint8Array): Uint8Array =>
  frameOf(address, [SYNC, 0], vector);
export const update = (address: Address, bytes: Uint8Array): Uint8Array => frameOf(address, [SYNC, 2], bytes);
/** An auth message without a token, as Hocuspocus's providers send it. */
export const auth = (address: string): Uint8Array => frameOf(address, [AUTH, 0], new Uint8Array());

/** A frame that the server must take, or refuse with a code. */
export function badFrame(random: Random, address: Address): Uint8Array {
  const valid = someFrame(random, address);
  const dice = random();
  if (dice < 0.35) return valid;
  if (dice < 0.5) return valid.slice(0, below(random, valid.length));
  if (dice < 0.7) {
    const copy = valid.slice();
    if (copy.length > 0) copy[below(random, copy.length)] = below(random, 256);
    return copy;
  }
  if (dice < 0.8) {
    const encoder = createEncoder();
    if (address !== undefined) writeVarString(encoder, address);
    for (const number of [SYNC, below(random, 3), pick(random, HUGE)]) writeVarUint(encoder, number);
    return toUint8Array(encoder);
  }
  if (dice < 0.9) return frameOf(address, [below(random, 300)], randomBytes(below(random, 50)));
  return randomBytes(1 + below(random, 300));
}

export const oversize = (address: Address): Uint8Array => update(address, new Uint8Array(6 * 1024 * 1024));

function someFrame(random: Random, address: Address): Uint8Array {
  switch (below(random, address === undefined ? 7 : 8)) {
    case 0:
      return update(address, strangeUpdate(random));
    case 1:
      return frameOf(address, [SYNC, 1], strangeUpdate(random));
    case 2:
      return step1(address, random() < 0.5 ? Uint8Array.of(0) : randomBytes(below(random, 20)));
    case 3:
    case 4:
      return frameOf(address, [AWARENESS], manyStates(random));
    case 5:
      return frameOf(address, [QUERY_AWARENESS]);
    case 6:
      return update(address, randomBytes(below(random, 100)));
    default:
      return frameOf(address, [STATELESS], Buffer.from('x'.repeat(below(random, 5_000))));
  }
}

/** Updates whose predecessors are missing, or that are made under the number of another client. */
function strangeUpdate(random: Random): Uint8Array {
  const doc = new Y.Doc();
  if (random() < 0.5) doc.clientID = pick(random, FOREIGN_CLIENTS);
  const text = doc.getText('t');
  text.insert(0, 'lost'.repeat(1 + below(random, 50)));
  if (random() < 0.3) return Y.encodeStateAsUpdate(doc);
  const before = Y.encodeStateVector(doc);
  text.insert(below(random, text.length), 'late');
  text.delete(0, below(random, text.length));
  return Y.encodeStateAsUpdate(doc, before);
}

function manyStates(random: Random): Uint8Array {
  const encoder = createEncoder();
  const count = random() < 0.1 ? 3_000 : below(random, 20);
  writeVarUint(encoder, count);
  for (let i = 0; i < count; i++) {
    writeVarUint(encoder, below(random, 1_000));
    writeVarUint(encoder, below(random, 100));
    writeVarString(encoder, pick(random, ['null', '{}', '{"name":"x"}', '{', `"${'x'.repeat(200)}"`]));
  }
  return toUint8Array(encoder);
}
