// One document as this gateway sees it: its owner, and the sockets that have it open. It holds the state that
// a change of owner must not lose: the version told last, and the unanswered submits. It sends nothing.
//
// Modes, changed by `setOwnership` alone and by the moves of MOVES: waiting (no owner), linked, and backing-off (the
// owner would not take it, and a timer runs). A change from one owner to the next passes through waiting.
import { assertMove, type Moves } from '../../../actors/modes.ts';
import type { OwnerLink } from '../../../cluster/shards/owner-link.ts';
import type { ChannelAwareness } from '../../yjs/channel-awareness.ts';
import type { ClientConnection } from '../client-connection.ts';
import type { Quota } from '../quotas/quota.ts';
import { MissedPresence } from './missed-presence.ts';
import { PresentClients } from './present-clients.ts';
import type { Subscription } from './subscription.ts';

export type Ownership =
  | { readonly mode: 'waiting' }
  | { readonly mode: 'linked'; readonly link: OwnerLink }
  /** `link`: the owner that would not take the channel. */
  | { readonly mode: 'backing-off'; readonly link: OwnerLink; readonly cancel: () => void };

const WAITING: Ownership = { mode: 'waiting' };

const MOVES: Moves<Ownership['mode']> = {
  waiting: ['linked'],
  linked: ['waiting', 'backing-off'],
  'backing-off': ['waiting', 'linked'],
};

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
  readonly present = new PresentClients();
  /** The presence as readers that speak a protocol of Yjs know it. Undefined until there is one. */
  awareness: ChannelAwareness | undefined;
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

  /** The rates that all documents of the organisation share. Undefined if nothing is limited. */
  readonly quota: Quota | undefined;

  constructor(doc: string, shard: number, channelId: number, quota?: Quota) {
    this.quota = quota;
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

  /** Throws at a move that is not legal. */
  setOwnership(next: Ownership): void {
    const ownership = this.#ownership;
    assertMove(`the channel of ${this.doc}`, MOVES, ownership.mode, next.mode);
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
