// Brings a change of a user's rights to the documents that the user's socket has open: a new role is told, and a
// subscription without any right ends. requests.ts checks each message against the role that is kept with its
// subscription.
//
// A role that a service has decided counts for a time. Then the service is asked again. While it does not answer, the
// document stays open with its former role for `roleGraceMs`; then the socket is closed, and its client comes back later.
import type { Clock } from '../../../actors/clock.ts';
import { NOT_FOUND } from '../../../actors/link/missing-document.ts';
import { CLOSE_CODES } from '../../../protocol/errors.ts';
import type { Role } from '../../../protocol/messages.ts';
import { isAtLeast } from '../../../protocol/roles.ts';
import type { DecidedRole, RoleAnswer } from '../../identity/user.ts';
import type { ClientConnection } from '../client-connection.ts';
import type { Replies } from '../replies.ts';
import type { Subscription } from '../subscriptions/subscription.ts';
import { ENDED, rootOf, type Subscriptions } from '../subscriptions/subscriptions.ts';

export interface RightsOptions {
  readonly subscriptions: Subscriptions;
  readonly replies: Replies;
  readonly after: Clock['after'];
  /** ms that never go back. */
  readonly now: () => number;
  readonly roleGraceMs: number;
}

/** Documents whose roles are asked again. Parts that are left out stand for all. */
export interface AskedAgain {
  readonly org: string;
  readonly doc: string | undefined;
  readonly sub: string | undefined;
}

/** How often roles are looked through for those whose time is over, and how often a silent service is asked again. */
const LOOK_MS = 1_000;

export class Rights {
  readonly #options: RightsOptions;
  /** Sockets that have documents open whose roles a service has decided. */
  readonly #decided = new Set<ClientConnection>();
  #isLooking = false;

  constructor(options: RightsOptions) {
    this.#options = options;
  }

  /** The connection's user may have other rights than before. */
  changed(connection: ClientConnection): void {
    for (const current of [...connection.open.values()]) this.#judge(connection, current);
  }

  /** A service has decided the role of a subscription that is being opened. */
  decided(connection: ClientConnection, subscription: Subscription, until: number): void {
    if (until === Number.POSITIVE_INFINITY) return;
    subscription.roleUntil = until;
    subscription.roleEnds = Math.max(until, this.#options.now()) + this.#options.roleGraceMs;
    this.#decided.add(connection);
    this.#look();
  }

  askAgain({ org, doc, sub }: AskedAgain): void {
    for (const connection of this.#decided) {
      if (sub !== undefined && connection.user?.sub !== sub) continue;
      for (const current of [...connection.open.values()]) {
        const name = current.channel.doc;
        if (doc === undefined ? name.startsWith(`${org}/`) : name === `${org}/${doc}`)
          this.#judge(connection, current);
      }
    }
  }

  disconnected(connection: ClientConnection): void {
    this.#decided.delete(connection);
  }

  #look(): void {
    if (this.#isLooking || this.#decided.size === 0) return;
    this.#isLooking = true;
    this.#options.after(LOOK_MS, () => {
      this.#isLooking = false;
      const now = this.#options.now();
      for (const connection of this.#decided)
        for (const current of [...connection.open.values()])
          if (current.roleUntil <= now) this.#judge(connection, current);
      this.#look();
    });
  }

  #judge(connection: ClientConnection, current: Subscription): void {
    const { user } = connection;
    const answer = user?.roleIn(current.channel.doc);
    if (!(answer instanceof Promise)) {
      this.#apply(connection, current, answer);
      return;
    }
    // It is not asked again before the answer.
    current.roleUntil = Number.POSITIVE_INFINITY;
    void answer.then((found) => {
      const isPresent = connection.open.get(current.channel.doc) === current;
      if (connection.closed || connection.user !== user || !isPresent) return;
      this.#answered(connection, current, found);
    });
  }

  #answered(connection: ClientConnection, current: Subscription, answer: RoleAnswer): void {
    if (answer !== 'unavailable') {
      this.#takeDecided(connection, current, answer);
      return;
    }
    const now = this.#options.now();
    current.roleUntil = now + LOOK_MS;
    // The grace of a role that a token had given begins now.
    if (current.roleEnds === Number.POSITIVE_INFINITY) this.decided(connection, current, now + LOOK_MS);
    else if (now >= current.roleEnds)
      connection.close(CLOSE_CODES.overloaded, 'the roles of the user cannot be decided');
  }

  #takeDecided(connection: ClientConnection, current: Subscription, { role, until }: DecidedRole): void {
    this.decided(connection, current, until);
    this.#apply(connection, current, role);
  }

  #apply(connection: ClientConnection, current: Subscription, role: Role | undefined): void {
    if (role === undefined) this.#end(connection, current);
    else if (role !== current.role) this.#change(connection, current, role);
  }

  #change(connection: ClientConnection, current: Subscription, role: Role): void {
    for (let each: Subscription | undefined = current; each !== undefined; each = each.before)
      each.role = role;
    if (!isAtLeast(role, 'commenter') && current.presence !== undefined)
      this.#options.subscriptions.setPresence(current, null);
    // Otherwise the role is told behind the `opened`, which may carry the former role.
    if (rootOf(current).opened) connection.send({ type: 'role', doc: current.channel.doc, role });
  }

  /** Opens that are not answered yet are answered as if the document were missing. */
  #end(connection: ClientConnection, current: Subscription): void {
    const { replies, subscriptions } = this.#options;
    const { doc } = current.channel;
    connection.open.delete(doc);
    for (let each: Subscription | undefined = current; each !== undefined; each = each.before) {
      const { id } = each.request ?? {};
      if (!each.opened)
        replies.error(connection, 'not-found', NOT_FOUND, { ...(id === undefined ? {} : { id }), doc });
    }
    const isOpened = rootOf(current).opened;
    subscriptions.unsubscribe(current);
    if (isOpened) connection.send({ type: 'closed', doc, code: 'forbidden', message: ENDED.forbidden });
  }
}
