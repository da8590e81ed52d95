// One document as this gateway sees it: its owner, and the sockets that have it open. It holds the state that
// a change of owner must not lose: the version told last, and the unanswered submits. It sends nothing.
//
// Modes: waiting (no owner) -> linked; linked -> waiting, backing-off (the owner would not take it, and a
// timer runs); backing-off -> waiting, linked. A change from one owner to the next passes through waiting.
// Only `setOwnership` changes it.
import type { OpenRequest } from '../../../actors/link/link-messages.ts';
import type { OwnerLink } from '../../../cluster/shards/owner-link.ts';
import type { ClientConnection } from '../client-connection.ts';
import { MissedPresence } from './missed-presence.ts';
import type { Unanswered } from './unanswered.ts';

/**
 * One socket's subscription. Modes: opening -> catching-up -> joined, opening -> joined;
 * joined, catching-up, opening -> resuming -> catching-up, joined. Only the gateway sets it.
 */
export interface Subscription {
  readonly connection: ClientConnection;
  readonly channel: Channel;
  /** A new number for each open. */
  subscriptionId: number;
  mode: 'opening' | 'catching-up' | 'joined' | 'resuming';
  /** ms since 1970, by this node's clock. */
  readonly askedAt: number;
  /** An owner has been asked to open it. */
  asked: boolean;
  /** The client's request, until the client has its `opened`. */
  request: Pick<OpenRequest, 'kind' | 'since' | 'history' | 'id'> | undefined;
  /** The version that this socket has reached while the subscription is not joined. */
  version: number;
  /** The client has its `opened`. */
  opened: boolean;
  unanswered: Unanswered | undefined;
  /** JSON text. */
  presence: string | undefined;
  /** The same socket's earlier subscription, which this one replaces once it is opened. */
  before: Subscription | undefined;
  /** Index in the channel's list of joined subscriptions; -1 if it is not in the list. */
  index: number;
}

export type Ownership =
  | { readonly mode: 'waiting' }
  | { readonly mode: 'linked'; readonly link: OwnerLink }
  /** `link`: the owner that would not take the channel. */
  | { readonly mode: 'backing-off'; readonly link: OwnerLink; readonly cancel: () => void };

const WAITING: Ownership = { mode: 'waiting' };

export class Channel {
  readonly doc: string;
  readonly shard: number;
  channelId: number;
  #ownership = WAITING;
  /** The link to the owner while linked; kept for the hot path. */
  #linked: OwnerLink | undefined;
  readonly subs = new Map<number, Subscription>();
  readonly #joined: Subscription[] = [];
  /** Sessions of the joined subscriptions, in the same order. */
  readonly readers: ClientConnection[] = [];
  readonly missedPresence = new MissedPresence();
  /** The version that all joined subscriptions have been told. */
  version = 0;
  /** The history of the document, once an owner has opened it. */
  history: string | undefined;
  /** Refusals by owners since the last successful open. */
  failures = 0;
  /** Cancels the wait for an owner that opens the document. Undefined while no wait runs. */
  ownerWait: (() => void) | undefined;
  /** The wait has ended without an owner, so requests are refused at once. */
  overdue = false;
  /** The owner has quarantined the document until this time, by the gateway's clock. */
  outUntil = 0;

  constructor(doc: string, shard: number, channelId: number) {
    this.doc = doc;
    this.shard = shard;
    this.channelId = channelId;
  }

  get mode(): Ownership['mode'] {
    return this.#ownership.mode;
  }

  /** Undefined if nothing can be sent now. */
  get link(): OwnerLink | undefined {
    return this.#linked;
  }

  /** The owner to which the channel belongs as far as it knows, linked or not. */
  get owner(): OwnerLink | undefined {
    return this.#ownership.mode === 'waiting' ? undefined : this.#ownership.link;
  }

  setOwnership(next: Ownership): void {
    const ownership = this.#ownership;
    if (next.mode === ownership.mode || (ownership.mode === 'waiting' && next.mode === 'backing-off'))
      throw new Error(`a channel that is ${ownership.mode} cannot be ${next.mode}`);
    if (ownership.mode === 'backing-off') ownership.cancel();
    this.#ownership = next;
    this.#linked = next.mode === 'linked' ? next.link : undefined;
  }

  /** Called when an owner has opened the document, or when no socket here has it open any more. */
  endWait(): void {
    this.failures = 0;
    this.overdue = false;
    this.outUntil = 0;
    this.ownerWait?.();
    this.ownerWait = undefined;
  }

  join(subscription: Subscription): void {
    if (subscription.index >= 0) return;
    // The owner has shown it all states.
    this.missedPresence.forget(subscription.connection);
    subscription.index = this.#joined.push(subscription) - 1;
    this.readers.push(subscription.connection);
  }

  leave(subscription: Subscription): void {
    const { index } = subscription;
    if (index < 0) return;
    const last = this.#joined.pop();
    this.readers.pop();
    if (last !== undefined && last !== subscription) {
      this.#joined[index] = last;
      this.readers[index] = last.connection;
      last.index = index;
    }
    subscription.index = -1;
    this.missedPresence.forget(subscription.connection);
  }
}
