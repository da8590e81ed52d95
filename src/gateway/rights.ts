// Brings a change of a user's rights to the documents that the user's socket has open: a new role is told, and a
// subscription without any right ends. requests.ts checks each message against the role that is kept with its
// subscription.
import { NOT_FOUND } from '../../actors/link/missing-document.ts';
import type { Role } from '../../protocol/messages.ts';
import { isAtLeast } from '../../protocol/roles.ts';
import type { ClientConnection } from './client-connection.ts';
import type { Replies } from './replies.ts';
import type { Subscription } from './subscriptions/subscription.ts';
import { ENDED, rootOf, type Subscriptions } from './subscriptions/subscriptions.ts';

export class Rights {
  readonly #subscriptions: Subscriptions;
  readonly #replies: Replies;

  constructor(subscriptions: Subscriptions, replies: Replies) {
    this.#subscriptions = subscriptions;
    this.#replies = replies;
  }

  /** The connection's user may have other rights than before. */
  changed(connection: ClientConnection): void {
    for (const current of [...connection.open.values()]) {
      const role = connection.user?.roleIn(current.channel.doc);
      if (role === undefined) this.#end(connection, current);
      else if (role !== current.role) this.#change(connection, current, role);
    }
  }

  #change(connection: ClientConnection, current: Subscription, role: Role): void {
    for (let each: Subscription | undefined = current; each !== undefined; each = each.before)
      each.role = role;
    if (!isAtLeast(role, 'commenter') && current.presence !== undefined)
      this.#subscriptions.setPresence(current, null);
    // Otherwise the role is told behind the `opened`, which may carry the former role.
    if (rootOf(current).opened) connection.send({ type: 'role', doc: current.channel.doc, role });
  }

  /** Opens that are not answered yet are answered as if the document were missing. */
  #end(connection: ClientConnection, current: Subscription): void {
    const { doc } = current.channel;
    connection.open.delete(doc);
    for (let each: Subscription | undefined = current; each !== undefined; each = each.before) {
      const { id } = each.request ?? {};
      if (!each.opened)
        this.#replies.error(connection, 'not-found', NOT_FOUND, { ...(id === undefined ? {} : { id }), doc });
    }
    const isOpened = rootOf(current).opened;
    this.#subscriptions.unsubscribe(current);
    if (isOpened) connection.send({ type: 'closed', doc, code: 'forbidden', message: ENDED.forbidden });
  }
}
