// Checks a Yjs patch from outside and copies it into bytes of our own. It never throws.
import type { KindFailure, Result } from '../kind.ts';
import { type IdTaker, scanUpdate } from './scan.ts';

/**
 * Returns an update as bytes of its own, or `bad-op`. The caller may use its buffer again. If a foreign
 * encoder wrote the clients in another order than Yjs does, they are sorted: merging would duplicate them. `ids` takes
 * the ids in the update.
 */
export function parseUpdate(wire: unknown, depth: number, ids?: IdTaker): Result<Uint8Array> {
  if (!(wire instanceof Uint8Array)) return bad('a patch is the bytes of a Yjs update');
  try {
    const { sections, deletes } = scanUpdate(wire, depth, ids);
    let sorted = true;
    for (let i = 1; i < sections.length; i++) {
      const [before, section] = [sections[i - 1], sections[i]];
      if (before !== undefined && section !== undefined && before.client <= section.client) sorted = false;
    }
    // `Buffer.prototype.slice` would share the memory.
    const bytes = new Uint8Array(wire);
    if (sorted) return { ok: true, value: bytes };
    const inOrder = sections.toSorted((a, b) => b.client - a.client);
    let to = sections[0]?.from ?? 0;
    for (let i = 0; i < inOrder.length; i++) {
      const section = inOrder[i];
      if (section === undefined) continue;
      if (section.client === inOrder[i - 1]?.client) return bad('two sections of one client');
      bytes.set(wire.subarray(section.from, section.to), to);
      to += section.to - section.from;
    }
    if (to !== deletes) throw new RangeError('sections do not fill their place');
    return { ok: true, value: bytes };
  } catch (error) {
    return bad(`not a Yjs update: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const bad = (message: string): KindFailure => ({ ok: false, code: 'bad-op', message });
