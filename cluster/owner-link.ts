// What a gateway sees of the owner of a document: a link to a worker of this node or, behind the
// same interface, to a peer node.
import type { ToGateway, ToOwner } from '../actors/link-messages.ts';

/**
 * Messages of one channel arrive in the order sent. When the link is lost nothing more comes from it,
 * and what was sent may or may not have been handled: the gateway resumes over the next link. What is
 * sent over a lost link is dropped.
 */
export interface OwnerLink {
  /** False: the owner is too far behind; nothing was taken. */
  offer(message: ToOwner): boolean;
  /** For messages whose number is bounded elsewhere. */
  send(message: ToOwner): void;
}

/** How whoever keeps the router tells the gateway what came. The router is changed first, then this is called. */
export interface OwnerLinkListener {
  messages(link: OwnerLink, messages: readonly ToGateway[]): void;
  /** The owner behind the link is gone, and the router leads to it no more. */
  lost(link: OwnerLink): void;
  /**
   * The owner of these shards (of any, where they are left out) may be another now, or there may be one
   * where there was none. Told of a shard without need it changes nothing.
   */
  changed(shards?: readonly number[]): void;
}
