// Links to workers of other nodes: over each peer one stream per session, opened when the first shard leads
// there and kept while the peer is up. And the other way round: what peers open leads to our workers.
// A link is a session's: when that session starts over, its shards get another link.
import type { Clock } from '../actors/clock.ts';
import { Link, type LinkOptions } from '../actors/link.ts';
import type { ToGateway, ToOwner } from '../actors/link-messages.ts';
import type { SessionId } from '../actors/storage/store.ts';
import type { OwnerLink, OwnerLinkListener } from './owner-link.ts';
import type { Peer, PeerStream } from './peer/network.ts';

export interface PeerLinksOptions {
  readonly link: LinkOptions;
  readonly clock: Clock;
  readonly listener: Pick<OwnerLinkListener, 'messages'>;
  /** The link has ended: nothing leads over it any more. */
  readonly onLost: (link: OwnerLink) => void;
  /** Brings a peer's stream to the worker with that session; false: it is not here. */
  readonly attach: (session: SessionId, stream: PeerStream) => boolean;
}

export class PeerLinks {
  private readonly options: PeerLinksOptions;
  private readonly links = new Map<Peer, Map<SessionId, OwnerLink>>();

  constructor(options: PeerLinksOptions) {
    this.options = options;
  }

  /** Within the peer's `up` event. */
  up(peer: Peer): void {
    this.links.set(peer, new Map());
    peer.onStream((stream, { session }) => {
      if (!this.options.attach(session, stream)) stream.close();
    });
  }

  down(peer: Peer): void {
    this.links.delete(peer);
  }

  /** The link to a worker of that peer; undefined: it is not up. */
  to(peer: Peer, session: SessionId): OwnerLink | undefined {
    const links = this.links.get(peer);
    if (links === undefined || !peer.isUp) return undefined;
    let link = links.get(session);
    if (link === undefined) {
      link = this.open(peer, links, session);
      if (link !== undefined) links.set(session, link);
    }
    return link;
  }

  private open(peer: Peer, links: Map<SessionId, OwnerLink>, session: SessionId): OwnerLink | undefined {
    const { listener, onLost, clock } = this.options;
    const stream = peer.openStream({ session });
    if (!stream.isOpen) return undefined;
    const link = new Link<ToOwner, ToGateway>(
      stream,
      this.options.link,
      (messages) => listener.messages(link, messages),
      clock,
    );
    stream.onClose(() => {
      if (links.get(session) === link) links.delete(session);
      link.close();
      onLost(link);
    });
    return link;
  }
}
