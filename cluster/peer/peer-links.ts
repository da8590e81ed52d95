// Links to workers of other nodes. Each peer has one stream per session, opened when the first shard is
// routed there and kept while the peer is up. In the other direction, streams that peers open are attached to
// this node's workers. A link belongs to a session: a restarted worker has a new session, and its shards get
// another link.
import type { Clock } from '../../actors/clock.ts';
import { Link, type LinkOptions } from '../../actors/link/link.ts';
import type { ToGateway, ToOwner } from '../../actors/link/link-messages.ts';
import type { SessionId } from '../../actors/storage/store.ts';
import type { OwnerLink, OwnerLinkListener } from '../shards/owner-link.ts';
import type { Peer, PeerStream } from './network.ts';

export interface PeerLinksOptions {
  readonly link: LinkOptions;
  readonly clock: Clock;
  readonly listener: Pick<OwnerLinkListener, 'messages'>;
  readonly log: (level: 'error', message: string, fields: object) => void;
  /** Called when the link has ended and no shard may be routed over it. */
  readonly onLost: (link: OwnerLink) => void;
  /** Attaches a peer's stream to the worker with that session. False if no worker here has it. */
  readonly attach: (session: SessionId, stream: PeerStream) => boolean;
}

export class PeerLinks {
  readonly #options: PeerLinksOptions;
  readonly #links = new Map<Peer, Map<SessionId, OwnerLink>>();

  constructor(options: PeerLinksOptions) {
    this.#options = options;
  }

  /** Must be called within the peer's `up` event. */
  up(peer: Peer): void {
    this.#links.set(peer, new Map());
    peer.onStream((stream, { session }) => {
      if (!this.#options.attach(session, stream)) stream.close();
    });
  }

  down(peer: Peer): void {
    this.#links.delete(peer);
  }

  /** The link to a worker of that peer. Undefined if the peer is down. */
  to(peer: Peer, session: SessionId): OwnerLink | undefined {
    const links = this.#links.get(peer);
    if (links === undefined || !peer.isUp) return undefined;
    let link = links.get(session);
    if (link === undefined) {
      link = this.#open(peer, links, session);
      if (link !== undefined) links.set(session, link);
    }
    return link;
  }

  #open(peer: Peer, links: Map<SessionId, OwnerLink>, session: SessionId): OwnerLink | undefined {
    const { listener, onLost, clock } = this.#options;
    const stream = peer.openStream({ session });
    if (!stream.isOpen) return undefined;
    const link = new Link<ToOwner, ToGateway>(
      stream,
      this.#options.link,
      (messages) => listener.messages(link, messages),
      clock,
    );
    // The stream is closed then, which the node of the worker takes for the end of this gateway.
    link.onBroken = (error) =>
      this.#options.log('error', 'a link is broken: it ends', {
        peer: peer.node,
        session,
        error: error.message,
      });
    stream.onClose(() => {
      if (links.get(session) === link) links.delete(session);
      link.close();
      onLost(link);
    });
    return link;
  }
}
