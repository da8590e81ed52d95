// One socket's subscription to a document, as this gateway sees it. It holds the state that a change of owner must not
// lose. It sends nothing. Modes, changed by `setMode` alone and by the moves of MOVES:
//
// - opening: no owner has opened it. A change of owner leaves it in this mode.
// - catching-up: an owner has opened it, and sends the patches up to the head in chunks.
// - joined: it takes all commits of its channel.
// - resuming: it was opened, its owner is gone, and no later owner has brought it to the head. Its submits wait.

import type { OpenRequest } from '../../../actors/link/link-messages.ts';
import { assertMove, type Moves } from '../../../actors/modes.ts';
import type { Role } from '../../../protocol/messages.ts';
import type { ClientConnection } from '../client-connection.ts';
import type { Channel } from './channel.ts';
import type { Unanswered } from './unanswered.ts';

type Mode = 'opening' | 'catching-up' | 'joined' | 'resuming';

const MOVES: Moves<Mode> = {
  // An open that replaces a resuming subscription goes on as that one.
  opening: ['opening', 'catching-up', 'joined', 'resuming'],
  'catching-up': ['catching-up', 'joined', 'resuming'],
  joined: ['resuming'],
  resuming: ['joined', 'resuming'],
};

export interface SubscriptionOptions {
  readonly connection: ClientConnection;
  readonly channel: Channel;
  /** ms since 1970, by this node's clock. */
  readonly askedAt: number;
  /** The role of the socket's user in the document. */
  readonly role: Role;
  readonly request: Pick<OpenRequest, 'kind' | 'since' | 'history' | 'id' | 'vector'>;
  /** The same socket's earlier subscription, which this one replaces once it is opened. */
  readonly before: Subscription | undefined;
}

export class Subscription {
  readonly connection: ClientConnection;
  readonly channel: Channel;
  readonly askedAt: number;
  #mode: Mode = 'opening';
  /** A new number for each open. */
  subscriptionId = 0;
  /** The role of the socket's user in the document. The same in subscriptions that replace each other. */
  role: Role;
  /** The role that stands in the `opened` for which an owner was asked last. */
  askedRole: Role;
  /** When the service that has decided the role is asked again, in ms that never go back. Infinity: a token decides. */
  roleUntil = Number.POSITIVE_INFINITY;
  /** When the subscription ends, if the service does not answer until then. */
  roleEnds = Number.POSITIVE_INFINITY;
  /** An owner has been asked to open it. */
  asked = false;
  /** The client's request, until the client has its `opened`. */
  request: SubscriptionOptions['request'] | undefined;
  /** The version that this socket has reached while the subscription is not joined. */
  version = 0;
  /** The client has its `opened`. */
  opened = false;
  unanswered: Unanswered | undefined;
  /** JSON text. */
  presence: string | undefined;
  before: Subscription | undefined;
  /** Index in the channel's list of joined subscriptions; -1 if it is not in the list. */
  index = -1;

  constructor({ connection, channel, askedAt, role, request, before }: SubscriptionOptions) {
    this.connection = connection;
    this.channel = channel;
    this.askedAt = askedAt;
    this.role = role;
    this.askedRole = role;
    this.request = request;
    this.presence = before?.presence;
    // An earlier subscription stays open until this one is opened: a refused open changes nothing.
    this.before = before;
  }

  get mode(): Mode {
    return this.#mode;
  }

  /** Throws at a move that is not legal. */
  setMode(mode: Mode): void {
    assertMove('a subscription', MOVES, this.#mode, mode);
    this.#mode = mode;
  }
}
