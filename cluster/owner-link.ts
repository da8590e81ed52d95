// What a gateway sees of the owner of a document: a link to a worker of this node or, behind the
// same interface, to a peer node.
import type { ToGateway, ToOwner } from '../actors/link-messages.ts';

/**
 * Messages of one channel arrive in the order sent. When the link is lost nothing more comes from it,
 * and what was sent may or may not have been handled: the gateway resumes over the next link.
 */
export interface OwnerLink {
  /** False: the owner is too far behind; nothing was taken. */
  offer(message: ToOwner): boolean;
  /** For messages whose number is bounded elsewhere. */
  send(message: ToOwner): void;
}

/** How a router tells its gateway what came. */
export interface OwnerLinkListener {
  messages(link: OwnerLink, messages: readonly ToGateway[]): void;
  /** The owner behind the link is gone. */
  lost(link: OwnerLink): void;
  /** Documents that had no owner may have one now. */
  changed(): void;
}
