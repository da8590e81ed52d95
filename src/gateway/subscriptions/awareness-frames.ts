// Writes presence to the readers of a document that speak a protocol of Yjs. All of them get the same frame, also a client
// whose own state is in it: providers take a socket on which they hear nothing for dead.
import { SharedFrames } from '../../yjs/shared-frames.ts';
import { type AwarenessState, writeAwareness } from '../../yjs/wire/awareness.ts';
import { AWARENESS_TYPES } from '../../yjs/wire/body.ts';
import type { Channel } from './channel.ts';

export const awarenessFrames = (states: readonly AwarenessState[]): SharedFrames =>
  new SharedFrames(AWARENESS_TYPES, [writeAwareness(states)]);

/** Writes to all of them whose document is open. */
export function writeAwarenessTo(channel: Channel, states: readonly AwarenessState[]): void {
  const frames = awarenessFrames(states);
  for (const { connection, opened } of channel.subs.values())
    if (opened) connection.conversation?.write(frames);
}
