// The subscriptions of all sockets: opens, closes and repeated opens at the owner, in an order that loses no
// submit and no version. It decides nothing about owners: without an owner, subscriptions stay as they are.
import { BEHIND_OPEN } from '../../../actors/link/left-open.ts';
import {
  CLOSE,
  JSON_FRAMES,
  MSGPACK_FRAMES,
  OPEN,
  type OpenRequest,
  PRESENCE,
  SUBMIT,
  type SubscriberCodec,
  UPDATES,
} from '../../../actors/link/link-messages.ts';
import { jsonCodec } from '../../../protocol/codec.ts';
import { CLOSE_CODES, type OpenSubmitCode } from '../../../protocol/errors.ts';
import type { ClientConnection } from '../client-connection.ts';
import type { Replies } from '../replies.ts';
import { writeAwarenessTo } from './awareness-frames.ts';
import type { Channel } from './channel.ts';
import type { Channels } from './channels.ts';
import type { Subscription } from './subscription.ts';
import { Unanswered, type UnansweredSubmit } from './unanswered.ts';

/** Reports a state that must not occur. */
export type GatewayLog = (level: 'error', message: string, fields: object) => void;

/** The messages of `closed` by its codes. */
export const ENDED = {
  deleted: 'the document is gone',
  forbidden: 'you may not see it any more',
  replaced: 'the same client has opened it on another socket',
} as const;

export class Subscriptions {
  readonly #channels: Channels;
  readonly #replies: Replies;
  readonly #log: GatewayLog;
  #lastSub = 0;

  constructor(channels: Channels, replies: Replies, log: GatewayLog) {
    this.#channels = channels;
    this.#replies = replies;
    this.#log = log;
  }

  /**
   * Opens the subscription at the owner, if there is one. False if the owner is too far behind. Subscriptions
   * that were opened before, and repeated opens after a change of owner (`again`), are never refused so.
   */
  subscribe(subscription: Subscription, again = false): boolean {
    const { channel, connection } = subscription;
    subscription.subscriptionId = ++this.#lastSub;
    channel.subs.set(subscription.subscriptionId, subscription);
    if (channel.link === undefined) return true;
    const { version, before } = subscription;
    const request: OpenRequest = {
      doc: channel.doc,
      client: connection.client ?? '',
      user: connection.user?.sub ?? '',
      role: subscription.role,
      codec: framesOf(connection),
      askedAt: subscription.askedAt,
      ...(subscription.asked ? { again: true } : {}),
      ...(subscription.opened
        ? {
            since: version,
            ...(channel.history === undefined ? {} : { history: channel.history }),
            resume: true,
          }
        : subscription.request),
      ...(before === undefined ? {} : { replaces: rootOf(before).subscriptionId }),
    };
    subscription.asked = true;
    subscription.askedRole = subscription.role;
    const message: [typeof OPEN, number, number, OpenRequest] = [
      OPEN,
      channel.channelId,
      subscription.subscriptionId,
      request,
    ];
    if (!again && !subscription.opened) return channel.link.offer(message);
    channel.link.send(message);
    return true;
  }

  /** Opens all subscriptions of the channel at an owner that does not know them. */
  subscribeAgain(channel: Channel): void {
    const all = [...channel.subs.values()];
    channel.subs.clear();
    for (const subscription of all) this.subscribe(subscription, true);
    for (const subscription of all) {
      // Submits from before the first `opened` are sent again after the open.
      if (!subscription.opened) this.sendAgain(subscription);
    }
  }

  /**
   * Sends the unanswered submits again, in order, and the presence. A submit behind a refused one is refused
   * with the same code.
   */
  sendAgain(subscription: Subscription): void {
    const { subscriptionId, unanswered, presence, channel, connection } = subscription;
    const { link, channelId } = channel;
    for (const { seq, base, op, behind } of [...(unanswered?.all() ?? [])]) {
      if (behind === undefined) link?.send([SUBMIT, channelId, subscriptionId, seq, base, op]);
      else {
        leaveOpen(subscription, seq, behind);
        this.#replies.later(connection, behind, BEHIND_OPEN, { doc: channel.doc, seq });
      }
    }
    if (presence !== undefined && !connection.isHidden)
      link?.send([PRESENCE, channelId, subscriptionId, presence]);
  }

  /** Replaces the presence of a subscription's socket. `text`: JSON text, or null for none. */
  setPresence(subscription: Subscription, text: string | null): void {
    const { channel, connection } = subscription;
    const { mode, subscriptionId } = rootOf(subscription);
    if (mode === 'resuming' && text === null && subscription.presence !== undefined)
      this.tellGone(channel, connection);
    for (let each: Subscription | undefined = subscription; each !== undefined; each = each.before)
      each.presence = text ?? undefined;
    if (mode !== 'resuming') channel.link?.offer([PRESENCE, channel.channelId, subscriptionId, text]);
  }

  /** Hides the presence of a silent connection from the others, until `show`. */
  hide(connection: ClientConnection): void {
    connection.isHidden = true;
    for (const subscription of connection.open.values()) {
      const { channel, presence } = subscription;
      const { mode, subscriptionId } = rootOf(subscription);
      if (presence === undefined) continue;
      if (mode === 'resuming') this.tellGone(channel, connection);
      else channel.link?.send([PRESENCE, channel.channelId, subscriptionId, null]);
    }
  }

  show(connection: ClientConnection): void {
    connection.isHidden = false;
    for (const subscription of connection.open.values()) {
      const { channel, presence } = subscription;
      const { mode, subscriptionId } = rootOf(subscription);
      if (presence !== undefined && mode !== 'resuming')
        channel.link?.send([PRESENCE, channel.channelId, subscriptionId, presence]);
    }
  }

  /** Suspends the subscriptions: later messages of the former owner about this channel do not count. */
  suspend(channel: Channel): void {
    for (const subscription of [...channel.subs.values()]) {
      try {
        if (subscription.mode === 'joined') subscription.version = channel.version;
        subscription.setMode(subscription.opened ? 'resuming' : 'opening');
        channel.leave(subscription);
      } catch (error) {
        this.breakOff(subscription, error);
      }
    }
    this.#channels.renumber(channel);
  }

  /**
   * Ends a subscription whose state is broken, and closes its socket. The client comes back with its unanswered
   * submits and opens the document afresh. The subscriptions of other sockets go on.
   */
  breakOff(subscription: Subscription, error: unknown): void {
    const { channel, connection, subscriptionId } = subscription;
    this.#log('error', 'a subscription is broken: its socket is closed', {
      doc: channel.doc,
      client: connection.client,
      error: String(error),
    });
    channel.link?.send([CLOSE, channel.channelId, subscriptionId]);
    this.end(subscription);
    connection.close(CLOSE_CODES.draining, 'open again');
    this.#channels.dispose(channel);
  }

  /** Ends the subscription and those that it was to replace: the socket no longer wants the document. */
  unsubscribe(subscription: Subscription): void {
    const { channel } = subscription;
    const unknown = rootOf(subscription).mode === 'resuming' && subscription.presence !== undefined;
    for (let each: Subscription | undefined = subscription; each !== undefined; each = each.before) {
      this.#forget(each);
      channel.link?.send([CLOSE, channel.channelId, each.subscriptionId]);
    }
    if (unknown) this.tellGone(channel, subscription.connection);
    this.#channels.dispose(channel);
  }

  /**
   * Tells the others that a presence is gone. The owner that told them of it is gone, and the next owner
   * never hears of it.
   */
  tellGone(channel: Channel, connection: ClientConnection): void {
    const { client } = connection;
    if (client === undefined) return;
    const states = channel.awareness?.take([client, null]) ?? [];
    if (states.length > 0) writeAwarenessTo(channel, states);
    for (const other of channel.subs.values()) {
      if (other.opened && other.connection !== connection && other.connection.codec !== undefined) {
        other.connection.send({ type: 'presence', doc: channel.doc, states: { [client]: null } });
      }
    }
  }

  /**
   * Ends one of a socket's subscriptions to a document, which has not replaced another; the others go on.
   * True if there are no others. The caller disposes of the channel.
   */
  end(subscription: Subscription): boolean {
    const { connection, channel, before, unanswered } = subscription;
    const current = connection.open.get(channel.doc);
    if (current === subscription) {
      if (before === undefined) connection.open.delete(channel.doc);
      else connection.open.set(before);
      this.#forget(subscription);
      return before === undefined;
    }
    let after = current;
    while (after !== undefined && after.before !== subscription) after = after.before;
    if (after === undefined) {
      this.#forget(subscription);
      return true;
    }
    after.before = before;
    // Only the first subscription has submits. They are sent again after the open of the next.
    if (before === undefined && unanswered !== undefined) {
      after.unanswered = unanswered;
      subscription.unanswered = undefined;
      if (after.mode !== 'resuming') this.sendAgain(after);
    }
    this.#forget(subscription);
    return false;
  }

  /** The subscription takes the place of those that it replaces, submits included. */
  absorb(subscription: Subscription): void {
    const root = rootOf(subscription);
    if (root === subscription) return;
    subscription.unanswered = root.unanswered;
    root.unanswered = undefined;
    if (root.mode === 'resuming') subscription.setMode('resuming');
    for (let old = subscription.before; old !== undefined; old = old.before) this.#forget(old);
    subscription.before = undefined;
  }

  /** Drops the subscription here. The owner is not told. */
  #forget(subscription: Subscription): void {
    const { channel } = subscription;
    for (const { op } of subscription.unanswered?.all() ?? [])
      subscription.connection.countUnanswered(-op[1].length);
    subscription.unanswered = undefined;
    channel.leave(subscription);
    channel.subs.delete(subscription.subscriptionId);
    subscription.connection.waiting?.changed(channel.doc);
  }
}

const framesOf = ({ codec }: ClientConnection): SubscriberCodec =>
  codec === undefined ? UPDATES : codec === jsonCodec ? JSON_FRAMES : MSGPACK_FRAMES;

/**
 * Records that a submit has committed. Returns when the gateway took it, in ticks of the clock of edits; undefined
 * if it had its answer already.
 */
export function committed(subscription: Subscription, seq: number): number | undefined {
  const submit = rootOf(subscription).unanswered?.committed(seq);
  if (submit === undefined) return undefined;
  answered(subscription, submit);
  return submit.takenAt;
}

/** Records that a submit was rejected, or that its document is not open any more. */
export function rejected(subscription: Subscription, seq: number): void {
  const submit = rootOf(subscription).unanswered?.rejected(seq);
  if (submit !== undefined) answered(subscription, submit);
}

/**
 * Records the highest seq of the client that has committed, 0 for none. It counts for submits of the client that come
 * later, too: it may have sent them before it learnt of this seq.
 */
export function committedTo(subscription: Subscription, seq: number): void {
  const root = rootOf(subscription);
  if (seq > 0) root.unanswered ??= new Unanswered();
  root.unanswered?.committedTo(seq);
}

/** Records that a submit which was sent to an owner is refused, and may come again. */
export function leaveOpen(subscription: Subscription, seq: number, code: OpenSubmitCode): void {
  const submit = rootOf(subscription).unanswered?.refused(seq, code);
  if (submit !== undefined) answered(subscription, submit);
}

function answered({ connection, channel }: Subscription, { op }: UnansweredSubmit): void {
  connection.countUnanswered(-op[1].length);
  connection.waiting?.changed(channel.doc);
}

/**
 * The first of a socket's subscriptions to the document. It keeps the submits until the next one is opened.
 */
export function rootOf(subscription: Subscription): Subscription {
  let root = subscription;
  while (root.before !== undefined) root = root.before;
  return root;
}
