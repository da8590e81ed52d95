// Who has what open: opens, closes and opens again at the owner, in the order that keeps every submit
// and every version. It decides nothing about owners: where there is none it leaves things as they are.
import { BEHIND_OPEN } from '../../actors/left-open.ts';
import {
  CLOSE,
  JSON_FRAMES,
  MSGPACK_FRAMES,
  OPEN,
  type OpenRequest,
  PRESENCE,
  SUBMIT,
} from '../../actors/link-messages.ts';
import { jsonCodec } from '../../protocol/codec.ts';
import type { OpenSubmitCode } from '../../protocol/errors.ts';
import type { Role } from '../../protocol/messages.ts';
import type { Channel, Subscription } from './channel.ts';
import type { Channels } from './channels.ts';
import type { Replies } from './replies.ts';
import type { Session } from './session.ts';

/** Everyone is an owner until roles arrive with the front door. */
const ROLE: Role = 'owner';

export class Subscriptions {
  private readonly channels: Channels;
  private readonly replies: Replies;
  private lastSub = 0;

  constructor(channels: Channels, replies: Replies) {
    this.channels = channels;
    this.replies = replies;
  }

  /**
   * Opens it at the owner, where there is one. False: the owner is too far behind; that is never said
   * to what has been opened before, nor (`again`) after a change of owner.
   */
  subscribe(subscription: Subscription, again = false): boolean {
    const { channel, session } = subscription;
    subscription.sub = ++this.lastSub;
    channel.subs.set(subscription.sub, subscription);
    if (channel.link === undefined) return true;
    const { version, before } = subscription;
    const request: OpenRequest = {
      doc: channel.doc,
      client: session.client ?? '',
      user: session.user,
      role: ROLE,
      codec: session.codec === jsonCodec ? JSON_FRAMES : MSGPACK_FRAMES,
      askedAt: subscription.askedAt,
      ...(subscription.asked ? { again: true } : {}),
      ...(subscription.opened
        ? {
            since: version,
            ...(channel.history === undefined ? {} : { history: channel.history }),
            resume: true,
          }
        : subscription.request),
      ...(before === undefined ? {} : { replaces: rootOf(before).sub }),
    };
    subscription.asked = true;
    const message: [typeof OPEN, number, number, OpenRequest] = [
      OPEN,
      channel.chan,
      subscription.sub,
      request,
    ];
    if (!again && !subscription.opened) return channel.link.offer(message);
    channel.link.send(message);
    return true;
  }

  /** All of the channel, at an owner that knows nothing of them. */
  subscribeAgain(channel: Channel): void {
    const all = [...channel.subs.values()];
    channel.subs.clear();
    for (const subscription of all) this.subscribe(subscription, true);
    for (const subscription of all) {
      // What was submitted before its `opened` came goes again behind its open.
      if (!subscription.opened) this.sendAgain(subscription);
    }
  }

  /** What is unanswered, in order, and its presence. What stands behind a refused submit is refused as that was. */
  sendAgain(subscription: Subscription): void {
    const { sub, unanswered, presence, channel, session } = subscription;
    const { link, chan } = channel;
    for (const { seq, base, op, behind } of [...(unanswered?.all() ?? [])]) {
      if (behind === undefined) link?.send([SUBMIT, chan, sub, seq, base, op]);
      else {
        leaveOpen(subscription, seq, behind);
        this.replies.later(session, behind, BEHIND_OPEN, { doc: channel.doc, seq });
      }
    }
    if (presence !== undefined && !session.isHidden) link?.send([PRESENCE, chan, sub, presence]);
  }

  /** The session is not heard of: nobody sees its presence until `show`. */
  hide(session: Session): void {
    session.isHidden = true;
    for (const subscription of session.open.values()) {
      const { channel, presence } = subscription;
      const { mode, sub } = rootOf(subscription);
      if (presence === undefined) continue;
      if (mode === 'resuming') this.tellGone(channel, session);
      else channel.link?.send([PRESENCE, channel.chan, sub, null]);
    }
  }

  show(session: Session): void {
    session.isHidden = false;
    for (const subscription of session.open.values()) {
      const { channel, presence } = subscription;
      const { mode, sub } = rootOf(subscription);
      if (presence !== undefined && mode !== 'resuming')
        channel.link?.send([PRESENCE, channel.chan, sub, presence]);
    }
  }

  /** From now on what the owner said of the channel's subscriptions does not count. */
  suspend(channel: Channel): void {
    for (const subscription of channel.subs.values()) {
      if (subscription.mode === 'joined') subscription.version = channel.version;
      subscription.mode = subscription.opened ? 'resuming' : 'opening';
      channel.leave(subscription);
    }
    this.channels.renumber(channel);
  }

  /** Ends it, and what it was to replace: the socket does not want it any more. */
  unsubscribe(subscription: Subscription): void {
    const { channel } = subscription;
    const unknown = rootOf(subscription).mode === 'resuming' && subscription.presence !== undefined;
    for (let each: Subscription | undefined = subscription; each !== undefined; each = each.before) {
      this.forget(each);
      channel.link?.send([CLOSE, channel.chan, each.sub]);
    }
    if (unknown) this.tellGone(channel, subscription.session);
    this.channels.dispose(channel);
  }

  /** Its presence was told by an owner that is gone, and the next one never hears of it: the others are told here. */
  tellGone(channel: Channel, session: Session): void {
    const { client } = session;
    if (client === undefined) return;
    for (const other of channel.subs.values()) {
      if (other.opened && other.session !== session) {
        other.session.send({ type: 'presence', doc: channel.doc, states: { [client]: null } });
      }
    }
  }

  /**
   * One of a socket's subscriptions to a document has ended without replacing another: the rest goes on.
   * True: there is no rest. The caller disposes of the channel.
   */
  end(subscription: Subscription): boolean {
    const { session, channel, before, unanswered } = subscription;
    const current = session.open.get(channel.doc);
    if (current === subscription) {
      if (before === undefined) session.open.delete(channel.doc);
      else session.open.set(channel.doc, before);
      this.forget(subscription);
      return before === undefined;
    }
    let after = current;
    while (after !== undefined && after.before !== subscription) after = after.before;
    if (after === undefined) {
      this.forget(subscription);
      return true;
    }
    after.before = before;
    // Only the first of them has submits; they go again behind the open of the next.
    if (before === undefined && unanswered !== undefined) {
      after.unanswered = unanswered;
      subscription.unanswered = undefined;
      if (after.mode !== 'resuming') this.sendAgain(after);
    }
    this.forget(subscription);
    return false;
  }

  /** It takes the place of what it was to replace, submits included. */
  absorb(subscription: Subscription): void {
    const root = rootOf(subscription);
    if (root === subscription) return;
    subscription.unanswered = root.unanswered;
    root.unanswered = undefined;
    if (root.mode === 'resuming') subscription.mode = 'resuming';
    for (let old = subscription.before; old !== undefined; old = old.before) this.forget(old);
    subscription.before = undefined;
  }

  /** Drops it here; the owner is not told. */
  private forget(subscription: Subscription): void {
    const { channel } = subscription;
    for (const { op } of subscription.unanswered?.all() ?? [])
      subscription.session.countUnanswered(-op.length);
    subscription.unanswered = undefined;
    channel.leave(subscription);
    channel.subs.delete(subscription.sub);
  }
}

/** A submit has its final answer. */
export function settle(subscription: Subscription, seq: number): void {
  const submit = rootOf(subscription).unanswered?.settle(seq);
  if (submit !== undefined) subscription.session.countUnanswered(-submit.op.length);
}

/** A submit that was sent to an owner is refused, and may come again. */
export function leaveOpen(subscription: Subscription, seq: number, code: OpenSubmitCode): void {
  const submit = rootOf(subscription).unanswered?.refused(seq, code);
  if (submit !== undefined) subscription.session.countUnanswered(-submit.op.length);
}

/** Where a document is being opened again: the first subscription, which has the submits until the next one is opened. */
export function rootOf(subscription: Subscription): Subscription {
  let root = subscription;
  while (root.before !== undefined) root = root.before;
  return root;
}
