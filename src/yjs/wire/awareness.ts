// The awareness update of y-protocols: the states of some Yjs clients, each with a clock. A reader of a state takes it if
// its clock is above the clock that the reader knows of this client. It keeps no states: it reads and writes bytes.
import { createEncoder, toUint8Array, writeVarString, writeVarUint } from 'lib0/encoding';
import { FrameError } from '../../../protocol/codec.ts';
import { FrameReader } from './frame-reader.ts';

export interface AwarenessState {
  /** The number that Yjs gives to a Y.Doc: its clientID. */
  readonly yjsClient: number;
  readonly clock: number;
  /** JSON text of the state. Null: the client has left. */
  readonly text: string | null;
}

export interface AwarenessBounds {
  /** The most states in one update. */
  readonly states: number;
  /** The most bytes of the JSON text of one state. */
  readonly stateBytes: number;
}

const GONE = 'null';

/**
 * Reads an awareness update. Throws FrameError if it is malformed or above the bounds. Only the receiver parses the text of a
 * state, so it need not be JSON.
 */
export function readAwareness(update: Uint8Array, bounds: AwarenessBounds): readonly AwarenessState[] {
  const reader = new FrameReader(update);
  const count = reader.varUint();
  if (count > bounds.states) throw new FrameError(`awareness: more than ${bounds.states} states`);
  const states: AwarenessState[] = [];
  for (let i = 0; i < count; i++) {
    const yjsClient = reader.varUint();
    const clock = reader.varUint();
    const text = reader.text(bounds.stateBytes);
    states.push({ yjsClient, clock, text: text === GONE ? null : text });
  }
  reader.end();
  return states;
}

export function writeAwareness(states: readonly AwarenessState[]): Uint8Array {
  const encoder = createEncoder();
  writeVarUint(encoder, states.length);
  for (const { yjsClient, clock, text } of states) {
    writeVarUint(encoder, yjsClient);
    writeVarUint(encoder, clock);
    writeVarString(encoder, text ?? GONE);
  }
  return toUint8Array(encoder);
}

/**
 * The newest state of the first number in the update that is wanted and has a state. A number that is wanted and gone is found if there is
 * no such number. The texts of the others are not decoded: providers repeat the states of all others to the server. Throws
 * FrameError if the update is malformed, or has more states than `most`.
 */
export function findState(
  update: Uint8Array,
  most: number,
  isWanted: (yjsClient: number, clock: number) => boolean,
): AwarenessState | undefined {
  const reader = new FrameReader(update);
  const count = reader.varUint();
  if (count > most) throw new FrameError(`awareness: more than ${most} states`);
  let found: AwarenessState | undefined;
  for (let i = 0; i < count; i++) {
    const yjsClient = reader.varUint();
    const clock = reader.varUint();
    const isBetter =
      found === undefined || (found.yjsClient === yjsClient ? found.clock < clock : found.text === null);
    if (isBetter && isWanted(yjsClient, clock)) {
      const text = reader.text();
      found = { yjsClient, clock, text: text === GONE ? null : text };
    } else reader.bytes();
  }
  reader.end();
  return found;
}
