// The merge pool's task: merges many Yjs updates into one, beside the threads that serve edits. Its thread
// has a lower priority than theirs.
import { move } from 'piscina';
import { mergeAll } from '../../kinds/yjs/updates.ts';
import { yieldToOthers } from './thread-priority.ts';

yieldToOthers();

/** @param updates oldest first; the caller gives them away */
export default function run(updates: readonly Uint8Array[]): unknown {
  const merged = new Uint8Array(mergeAll(updates));
  return move(merged);
}
