// The gateway's view of a document's owner: a link to a worker of this node or, behind the same interface, to
// a worker of a peer node.
import type { ToGateway, ToOwner } from '../../actors/link/link-messages.ts';

/**
 * Messages of one channel arrive in the order sent. A lost link delivers nothing more, and earlier messages
 * may or may not have been handled: the gateway resumes over the next link. Messages sent over a lost link
 * are dropped.
 */
export interface OwnerLink {
  /** False if the owner lags too far behind. Then the message was not taken. */
  offer(message: ToOwner): boolean;
  /** For messages whose number is bounded elsewhere. */
  send(message: ToOwner): void;
}

/** The gateway's side, called by the module that keeps the router. The router is changed before each call. */
export interface OwnerLinkListener {
  messages(link: OwnerLink, messages: readonly ToGateway[]): void;
  /** The owner behind the link is gone. The router no longer leads to it. */
  lost(link: OwnerLink): void;
  /**
   * These shards (all shards if omitted) may have another owner now, or their first one. A needless call
   * changes nothing.
   */
  changed(shards?: readonly number[]): void;
}
