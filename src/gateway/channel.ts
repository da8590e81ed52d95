// One document as this gateway sees it: who owns it, and the sockets that have it open. It holds what
// a change of owner must not lose: the version told last, and unanswered submits. It sends nothing.
//
// Modes: waiting (nobody owns it) -> linked; linked -> waiting, backing-off (the owner would not have
// it, a timer runs); backing-off -> waiting, linked. From one owner to the next it passes through
// waiting. Only `setOwnership` changes it.
import type { OpenRequest } from '../../actors/link-messages.ts';
import type { OwnerLink } from '../../cluster/owner-link.ts';
import type { Session } from './session.ts';
import type { Unanswered } from './unanswered.ts';

/**
 * One socket's subscription. Modes: opening -> catching-up -> joined, opening -> joined;
 * joined, catching-up, opening -> resuming -> catching-up, joined. Only the gateway sets it.
 */
export interface Subscription {
  readonly session: Session;
  readonly channel: Channel;
  /** Given anew for each open. */
  sub: number;
  mode: 'opening' | 'catching-up' | 'joined' | 'resuming';
  /** ms since 1970, by this node's clock. */
  readonly askedAt: number;
  /** An owner has been asked for it. */
  asked: boolean;
  /** What the client asked for, until it has had its `opened`. */
  request: Pick<OpenRequest, 'kind' | 'since' | 'history' | 'id'> | undefined;
  /** Version that this socket has been brought to, while it is not joined. */
  version: number;
  /** It has had its `opened`. */
  opened: boolean;
  unanswered: Unanswered | undefined;
  /** JSON text. */
  presence: string | undefined;
  /** The same socket's subscription that this one replaces once it is opened. */
  before: Subscription | undefined;
  /** Place in the channel's list of those who joined; -1: not there. */
  index: number;
}

export type Ownership =
  | { readonly mode: 'waiting' }
  | { readonly mode: 'linked'; readonly link: OwnerLink }
  /** `link`: the owner that would not have it. */
  | { readonly mode: 'backing-off'; readonly link: OwnerLink; readonly cancel: () => void };

const WAITING: Ownership = { mode: 'waiting' };

export class Channel {
  readonly doc: string;
  readonly shard: number;
  chan: number;
  private ownership = WAITING;
  /** The owner's, while linked; for the hot path. */
  private linked: OwnerLink | undefined;
  readonly subs = new Map<number, Subscription>();
  private readonly joined: Subscription[] = [];
  /** Sessions of those who joined, in the same order. */
  readonly readers: Session[] = [];
  /** Version that all who joined have been told. */
  version = 0;
  /** The document's life, once somebody has opened it. */
  history: string | undefined;
  /** Times that owners would not have it since one opened it. */
  failures = 0;
  /** Cancels the wait for an owner that opens it, while that runs. */
  ownerWait: (() => void) | undefined;
  /** That wait has ended without one: nobody is kept waiting any more. */
  overdue = false;
  /** The owner has taken the document out of service until then, by the clock of this gateway. */
  outUntil = 0;

  constructor(doc: string, shard: number, chan: number) {
    this.doc = doc;
    this.shard = shard;
    this.chan = chan;
  }

  get mode(): Ownership['mode'] {
    return this.ownership.mode;
  }

  /** undefined: nothing can be sent now. */
  get link(): OwnerLink | undefined {
    return this.linked;
  }

  /** The owner it belongs to as far as it knows, linked or not. */
  get owner(): OwnerLink | undefined {
    return this.ownership.mode === 'waiting' ? undefined : this.ownership.link;
  }

  setOwnership(next: Ownership): void {
    const { ownership } = this;
    if (next.mode === ownership.mode || (ownership.mode === 'waiting' && next.mode === 'backing-off'))
      throw new Error(`a channel that is ${ownership.mode} cannot be ${next.mode}`);
    if (ownership.mode === 'backing-off') ownership.cancel();
    this.ownership = next;
    this.linked = next.mode === 'linked' ? next.link : undefined;
  }

  /** An owner has opened it, or nobody has it open here any more. */
  endWait(): void {
    this.failures = 0;
    this.overdue = false;
    this.outUntil = 0;
    this.ownerWait?.();
    this.ownerWait = undefined;
  }

  join(subscription: Subscription): void {
    if (subscription.index >= 0) return;
    subscription.index = this.joined.push(subscription) - 1;
    this.readers.push(subscription.session);
  }

  leave(subscription: Subscription): void {
    const { index } = subscription;
    if (index < 0) return;
    const last = this.joined.pop();
    this.readers.pop();
    if (last !== undefined && last !== subscription) {
      this.joined[index] = last;
      this.readers[index] = last.session;
      last.index = index;
    }
    subscription.index = -1;
  }
}
