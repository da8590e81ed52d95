// The places that a committed patch touches, read from its wire form and its note without its values. For readers that
// follow places through long histories. It checks nothing: the patch comes from the log. Pure.
import type { Wire } from '../../protocol/messages.ts';
import { isAmbiguous, type Pointer, readPointer, type Token } from './step.ts';

/** A step without its value. Every token is classified, as in JsonOp. */
export type PlacedStep =
  | { readonly op: 'add' | 'replace' | 'remove' | 'copy' | 'test'; readonly path: Pointer }
  | { readonly op: 'move'; readonly from: Pointer; readonly path: Pointer };

const INDEX = '1';

/** Throws if the patch is none, or if the note does not fit it. */
export function placesOf(wire: Wire, note: string): readonly PlacedStep[] {
  if (!Array.isArray(wire)) throw new Error('a JSON Patch is an array of steps');
  let read = 0;
  const pointer = (step: object, member: 'path' | 'from'): Pointer => {
    const text: unknown = Reflect.get(step, member);
    const tokens: Token[] | undefined = typeof text === 'string' ? readPointer(text) : undefined;
    if (tokens === undefined) throw new Error(`${member} is not a JSON pointer`);
    for (let i = 0; i < tokens.length; i++) {
      const token = tokens[i];
      if (token === undefined || !mayBeIndex(token) || !isAmbiguous(token)) continue;
      if (note[read++] === INDEX && token !== '-') tokens[i] = Number(token);
    }
    return tokens;
  };
  const steps: PlacedStep[] = [];
  for (const step of wire) {
    if (typeof step !== 'object' || step === null || Array.isArray(step))
      throw new Error('a step is an object');
    switch (step.op) {
      case 'move': {
        const from = pointer(step, 'from');
        steps.push({ op: 'move', from, path: pointer(step, 'path') });
        break;
      }
      case 'copy':
        // Its tokens come first in the note.
        pointer(step, 'from');
        steps.push({ op: 'copy', path: pointer(step, 'path') });
        break;
      case 'add':
      case 'replace':
      case 'remove':
      case 'test':
        steps.push({ op: step.op, path: pointer(step, 'path') });
        break;
      default:
        throw new Error('op is none of add, remove, replace, move, copy, test');
    }
  }
  if (read !== note.length) throw new Error('the note does not fit its JSON Patch');
  return steps;
}

const [MINUS, ZERO, NINE] = [0x2d, 0x30, 0x39];

/** False for most names of members, without a regular expression. */
function mayBeIndex(token: Token): boolean {
  if (typeof token === 'number') return true;
  const first = token.charCodeAt(0);
  return first === MINUS || (first >= ZERO && first <= NINE);
}
