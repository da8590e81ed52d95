// Brings the presence of documents to the sockets: composed for each reader of the contract, and as one frame for all readers
// that speak a protocol of Yjs. A reader that does not keep up is told later what it has missed.
import type { Clock } from '../../../actors/clock.ts';
import { CLOSE_CODES } from '../../../protocol/errors.ts';
import { ChannelAwareness } from '../../yjs/channel-awareness.ts';
import type { AwarenessState } from '../../yjs/wire/awareness.ts';
import type { ClientConnection } from '../client-connection.ts';
import { PresenceFrames } from '../frames/presence-frames.ts';
import { awarenessFrames, writeAwarenessTo } from './awareness-frames.ts';
import type { Channel } from './channel.ts';
import type { Subscription } from './subscription.ts';

/** How often it is checked whether a slow reader keeps up again. */
const LOOK_MS = 20;
/** Clients of Yjs forget a presence that they have not been told for 30 s. */
const RENEW_MS = 10_000;
/**
 * How long the clients of other nodes have to tell their presence to a new owner of a document: so long since the former owner was
 * lost, but at least so long since the first reader here has gone over to the new one.
 */
const DOUBT_MS = 4_000;
const RESUMED_MS = 1_500;

export class PresenceAnswers {
  readonly #after: Clock['after'];
  readonly #now: Clock['now'];
  /** ms since 1970. */
  readonly #time: () => number;

  constructor({ after, now }: Pick<Clock, 'after' | 'now'>, time: () => number) {
    this.#after = after;
    this.#now = now;
    this.#time = time;
  }

  /** Tells the readers of changes: client, JSON text or null, client, … */
  states(channel: Channel, states: readonly (string | null)[]): void {
    const frames = new PresenceFrames(channel.doc, states);
    const { missedPresence } = channel;
    channel.present.take(states);
    const news = channel.awareness?.take(states) ?? [];
    const shared = news.length === 0 ? undefined : awarenessFrames(news);
    this.#renew(channel);
    for (const connection of channel.readers) {
      if (!connection.keepsUp) missedPresence.begin(connection);
      else if (missedPresence.has(connection)) continue;
      else if (connection.codec !== undefined) writeStates(connection, frames);
      else if (shared !== undefined) connection.conversation?.write(shared);
    }
    if (missedPresence.isEmpty) return;
    missedPresence.add(states);
    if (!missedPresence.isWatched) this.#tellMissed(channel);
  }

  /** The presence that a reader which speaks a protocol of Yjs is told with its `opened`. */
  awarenessFor(
    channel: Channel,
    { opened }: Subscription,
    states: readonly (string | null)[],
  ): readonly AwarenessState[] {
    channel.awareness ??= new ChannelAwareness(this.#time);
    channel.present.take(states);
    const news = channel.awareness.take(states);
    this.#renew(channel);
    return opened ? news : channel.awareness.all();
  }

  /**
   * A new owner has taken a reader of this channel. Later this ends the presence of clients whose node has ended together with the
   * former owner: the new one never hears of them.
   */
  resumed(channel: Channel): void {
    const { present } = channel;
    if (!present.hasDoubts || present.isEnding) return;
    present.isEnding = true;
    const { changes } = present;
    const left = DOUBT_MS - (this.#now() - present.doubtedAt);
    this.#after(Math.max(RESUMED_MS, left), () => {
      // The owner has changed again since, and the readers that its successor takes begin another wait.
      if (present.changes !== changes) return;
      present.isEnding = false;
      const ends = present.endDoubted();
      if (ends.length > 0) this.#end(channel, ends);
    });
  }

  /** Tells the ends to all readers, also to those that the new owner has not brought to the head yet. */
  #end(channel: Channel, ends: readonly (string | null)[]): void {
    const known = channel.awareness?.of(ends) ?? [];
    this.states(channel, ends);
    const frames = new PresenceFrames(channel.doc, ends);
    const shared = awarenessFrames(known.map((state) => ({ ...state, text: null })));
    for (const { connection, opened, index } of channel.subs.values()) {
      if (!opened || index >= 0) continue;
      if (connection.codec !== undefined) writeStates(connection, frames);
      else if (known.length > 0) connection.conversation?.write(shared);
    }
  }

  /** Tells the presence of clients of the contract again and again, as clients of Yjs tell theirs. */
  #renew(channel: Channel): void {
    const { awareness } = channel;
    if (awareness === undefined || awareness.isRenewed || !awareness.hasPlain) return;
    awareness.isRenewed = true;
    this.#after(RENEW_MS, () => {
      awareness.isRenewed = false;
      if (channel.subs.size === 0) return;
      const states = awareness.renewed();
      if (states.length > 0) writeAwarenessTo(channel, states);
      this.#renew(channel);
    });
  }

  /** Tells slow readers what they have missed once they keep up again. */
  #tellMissed(channel: Channel): void {
    const { missedPresence } = channel;
    missedPresence.isWatched = true;
    this.#after(LOOK_MS, () => {
      missedPresence.isWatched = false;
      for (const connection of [...missedPresence.readers]) {
        if (connection.closed) missedPresence.forget(connection);
        if (connection.closed || !connection.keepsUp) continue;
        const states = missedPresence.end(connection);
        if (states === undefined) connection.close(CLOSE_CODES.draining, 'open again');
        else if (states.length === 0) continue;
        else if (connection.codec !== undefined)
          writeStates(connection, new PresenceFrames(channel.doc, states));
        else connection.conversation?.write(awarenessFrames(channel.awareness?.of(states) ?? []));
      }
      if (!missedPresence.isEmpty) this.#tellMissed(channel);
    });
  }
}

function writeStates(connection: ClientConnection, frames: PresenceFrames): void {
  if (connection.codec === undefined) return;
  const frame = frames.frameFor(connection.codec, connection.client);
  if (frame !== undefined) connection.write(frame);
}
