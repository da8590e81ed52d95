// One document as this gateway sees it: its link to the owner, and the sockets that have it open.
// It holds what a change of owner must not lose: the version told last, and unanswered submits.
import type { LinkOp, OpenRequest } from '../../actors/link-messages.ts';
import type { OwnerLink } from '../../cluster/owner-link.ts';
import type { Session } from './session.ts';

/** seq -> what was submitted, in the order sent. */
export type Unanswered = Map<number, { readonly base: number; readonly op: LinkOp }>;

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

export class Channel {
  readonly doc: string;
  chan: number;
  /** undefined: it waits for an owner. */
  link: OwnerLink | undefined;
  readonly subs = new Map<number, Subscription>();
  readonly joined: Subscription[] = [];
  /** Version that all who joined have been told. */
  version = 0;
  /** The document's life, once somebody has opened it. */
  history: string | undefined;
  retry: NodeJS.Timeout | undefined;
  failures = 0;

  constructor(doc: string, chan: number, link: OwnerLink | undefined) {
    this.doc = doc;
    this.chan = chan;
    this.link = link;
  }

  join(subscription: Subscription): void {
    if (subscription.index >= 0) return;
    subscription.index = this.joined.push(subscription) - 1;
  }

  leave(subscription: Subscription): void {
    const { index } = subscription;
    if (index < 0) return;
    const last = this.joined.pop();
    if (last !== undefined && last !== subscription) {
      this.joined[index] = last;
      last.index = index;
    }
    subscription.index = -1;
  }
}
