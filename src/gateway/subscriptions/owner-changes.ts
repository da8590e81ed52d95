// Changes of owner, hidden from clients. A channel whose owner is gone or refuses it is suspended, and
// resumed at the owner to which the router then leads: each subscription with the version told last, and its
// unanswered submits after it. This class reads the router and never changes it.
//
// Requests for a quarantined document do not wait: until the quarantine ends, each is refused with the time
// of its end. The owner is asked again nevertheless, since an operator may release the document sooner.
//
// For `ownerWaitMs` clients see a pause. After it, all waiting requests are told to try again, and later ones
// at once. Subscriptions that were opened before stay, and resume when an owner comes.
import type { Clock } from '../../../actors/clock.ts';
import { CLOSE } from '../../../actors/link/link-messages.ts';
import { QUARANTINED } from '../../../actors/quarantine.ts';
import type { OwnerLink } from '../../../cluster/shards/owner-link.ts';
import type { Router } from '../../../cluster/shards/router.ts';
import { CLOSE_CODES, ERROR_CODES, type ErrorCode } from '../../../protocol/errors.ts';
import type { Replies } from '../replies.ts';
import type { Channel } from './channel.ts';
import type { Channels } from './channels.ts';
import type { Subscription } from './subscription.ts';
import { leaveOpen, rejected, type Subscriptions } from './subscriptions.ts';

export interface OwnerChangesOptions {
  readonly router: Router;
  /** How long opens and submits wait for a document that has no owner, ms. */
  readonly ownerWaitMs: number;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly after: Clock['after'];
  readonly now: () => number;
}

const RESUME_FIRST_MS = 50;
const RESUME_MAX_MS = 2000;
export const NO_OWNER = 'the document has no owner at the moment';
/** A submit that was unanswered when this many owners in a row ended is not sent to the next. */
const OWNERS_LOST_MOST = 5;
export const LOST_TOO_OFTEN =
  'the owners of this document have ended again and again before they answered this submit';
const LOST_TOO_OFTEN_MS = 5000;

export class OwnerChanges {
  readonly #options: OwnerChangesOptions;
  readonly #channels: Channels;
  readonly #subscriptions: Subscriptions;
  readonly #replies: Replies;

  constructor(
    options: OwnerChangesOptions,
    parts: { channels: Channels; subscriptions: Subscriptions; replies: Replies },
  ) {
    this.#options = options;
    this.#channels = parts.channels;
    this.#subscriptions = parts.subscriptions;
    this.#replies = parts.replies;
  }

  /** The owner behind the link is gone. */
  lost(link: OwnerLink): void {
    for (const channel of this.#channels.list()) {
      if (channel.owner !== link) continue;
      for (const subscription of channel.subs.values()) this.#giveUpSubmits(subscription);
      this.#follow(channel);
    }
  }

  /** See `OwnerLinkListener.changed`. */
  changed(shards?: readonly number[]): void {
    for (const channel of this.#channels.list(shards)) {
      const { owner } = channel;
      if (this.#options.router.linkOfShard(channel.shard) === owner) continue;
      // The former owner may live on, and need not keep the subscriptions under the old number.
      for (const subscriptionId of channel.link === undefined ? [] : channel.subs.keys())
        channel.link?.send([CLOSE, channel.channelId, subscriptionId]);
      this.#follow(channel);
    }
  }

  /** The owner has dropped the channel. It returns to the same owner after a delay, to another at once. */
  dropped(channel: Channel): void {
    if (this.#options.router.linkOfShard(channel.shard) === channel.owner) this.#backOff(channel);
    else this.#follow(channel);
  }

  /** Links a channel that no socket had open to its owner, if there is one. */
  enter(channel: Channel): void {
    const link = this.#options.router.linkOfShard(channel.shard);
    if (link !== undefined) channel.setOwnership({ mode: 'linked', link });
  }

  /** A request waits for the channel's owner. */
  waitForOwner(channel: Channel): void {
    if (channel.overdue || this.#outMs(channel) > 0) {
      this.#giveUp(channel);
      return;
    }
    channel.ownerWait ??= this.#options.after(this.#options.ownerWaitMs, () => {
      channel.overdue = true;
      // If the channel is linked again, the answer of that owner counts.
      if (channel.link === undefined) this.#giveUp(channel);
    });
  }

  /** True if the submit need not wait. The client has then been told to try again. */
  refusesSubmit(channel: Channel, subscription: Subscription, seq: number): boolean {
    if (channel.link !== undefined) return false;
    const outMs = this.#outMs(channel);
    if (!channel.overdue && outMs === 0) return false;
    this.#replies.later(subscription.connection, 'unavailable', outMs > 0 ? QUARANTINED : NO_OWNER, {
      doc: channel.doc,
      seq,
      retryAfterMs: outMs,
    });
    return true;
  }

  /**
   * An open that the owner did not carry out. A subscription that was opened before is resumed if that may
   * help.
   */
  openFailed(
    channel: Channel,
    subscription: Subscription,
    code: ErrorCode,
    message: string,
    retryAfterMs = 0,
  ): void {
    const { connection } = subscription;
    const { doc } = channel;
    if (retryAfterMs > 0) channel.outUntil = this.#options.now() + retryAfterMs;
    const comesBack = subscription.opened && (ERROR_CODES[code] || code === 'internal');
    // The unanswered submits are told to try again. The subscription itself goes on.
    if (comesBack || connection.open.get(doc) === subscription)
      this.#refuseUnanswered(
        subscription,
        ERROR_CODES[code] ? 'unavailable' : 'not-open',
        message,
        retryAfterMs,
      );
    if (comesBack) {
      // The whole channel returns under a new number, so the owner's subscriptions under the old number are
      // ended.
      for (const other of channel.subs.values()) {
        if (other !== subscription) channel.link?.send([CLOSE, channel.channelId, other.subscriptionId]);
      }
      this.#backOff(channel);
      return;
    }
    this.#endOpen(subscription, code, message, retryAfterMs);
    this.#channels.dispose(channel);
  }

  /**
   * Moves the channel from its former owner to the one to which the router leads now. The channel waits if
   * there is none.
   */
  #follow(channel: Channel): void {
    if (channel.mode === 'linked') this.#suspend(channel);
    if (channel.mode !== 'waiting') channel.setOwnership({ mode: 'waiting' });
    channel.failures = 0;
    channel.outUntil = 0;
    this.#resume(channel);
  }

  #backOff(channel: Channel): void {
    const { link } = channel;
    if (link === undefined) return;
    this.#suspend(channel);
    const delay = Math.min(RESUME_MAX_MS, RESUME_FIRST_MS * 2 ** channel.failures++);
    const cancel = this.#options.after(delay * (0.5 + this.#options.random() / 2), () => {
      channel.setOwnership({ mode: 'waiting' });
      this.#resume(channel);
    });
    channel.setOwnership({ mode: 'backing-off', link, cancel });
    this.waitForOwner(channel);
  }

  #suspend(channel: Channel): void {
    this.#subscriptions.suspend(channel);
    channel.present.doubt(this.#options.now());
  }

  /** Resumes a channel that waits. */
  #resume(channel: Channel): void {
    const { router } = this.#options;
    const link = router.linkOfShard(channel.shard);
    if (link === undefined) {
      this.waitForOwner(channel);
      return;
    }
    channel.setOwnership({ mode: 'linked', link });
    this.#subscriptions.subscribeAgain(channel);
  }

  /** Ends the wait for an owner: all waiting requests are refused. */
  #giveUp(channel: Channel): void {
    const outMs = this.#outMs(channel);
    const message = outMs > 0 ? QUARANTINED : NO_OWNER;
    for (const subscription of [...channel.subs.values()]) {
      this.#refuseUnanswered(subscription, 'unavailable', message, outMs);
      if (!subscription.opened) this.#endOpen(subscription, 'unavailable', message, outMs);
    }
    this.#channels.dispose(channel);
  }

  #refuseUnanswered(
    subscription: Subscription,
    code: 'unavailable' | 'not-open',
    message: string,
    retryAfterMs: number,
  ): void {
    const { connection, channel, unanswered } = subscription;
    for (const { seq } of [...(unanswered?.all() ?? [])]) {
      if (code === 'unavailable') leaveOpen(subscription, seq, code);
      else rejected(subscription, seq);
      this.#replies.later(connection, code, message, { doc: channel.doc, seq, retryAfterMs });
    }
  }

  /**
   * Refuses submits that were unanswered when too many owners ended. The first of them may be the reason, so
   * its client has to send it again.
   */
  #giveUpSubmits(subscription: Subscription): void {
    const { connection, channel, unanswered } = subscription;
    for (const seq of unanswered?.ownerLost(OWNERS_LOST_MOST) ?? []) {
      leaveOpen(subscription, seq, 'unavailable');
      this.#replies.later(connection, 'unavailable', LOST_TOO_OFTEN, {
        doc: channel.doc,
        seq,
        retryAfterMs: LOST_TOO_OFTEN_MS,
      });
    }
  }

  /** Time until the quarantine of the document ends, ms. 0 if none is known. */
  #outMs(channel: Channel): number {
    return Math.max(0, channel.outUntil - this.#options.now());
  }

  #endOpen(subscription: Subscription, code: ErrorCode, message: string, retryAfterMs: number): void {
    const { connection, channel, request, opened } = subscription;
    this.#subscriptions.end(subscription);
    if (opened) connection.close(CLOSE_CODES.draining, 'open again');
    else {
      const about = {
        ...(request?.id === undefined ? {} : { id: request.id }),
        doc: channel.doc,
        retryAfterMs,
      };
      this.#replies.later(connection, code, message, about);
    }
  }
}
