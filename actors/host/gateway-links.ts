// The links from gateways to this worker, and the channels over which each has documents open. A channel leads
// to the actor of one document. A gateway that falls far behind loses its channels, and opens its documents
// again at the pace that it can take.
import type { Clock } from '../clock.ts';
import type { DocumentActor } from '../document/actor.ts';
import { AGAIN } from '../link/calls.ts';
import { Link, type LinkOptions, type Transport } from '../link/link.ts';
import { ANSWER, FORGET, RESET, SNAPSHOT, type ToGateway, type ToOwner } from '../link/link-messages.ts';
import { SnapshotSender } from '../link/snapshot-sender.ts';

export interface GatewayLink {
  readonly id: number;
  readonly link: Link<ToGateway, ToOwner>;
  readonly channels: Map<number, DocumentActor>;
  readonly snapshots: SnapshotSender;
}

export interface GatewayLinksOptions {
  readonly link: LinkOptions;
  readonly clock: Clock;
  /** Called with all messages of a batch, in order. */
  readonly onMessages: (from: GatewayLink, messages: readonly ToOwner[]) => void;
  /** Called when a gateway has fallen far behind. */
  readonly onSlow: (id: number) => void;
  /** Called when the link to a gateway of another node has broken its rules. It is removed. */
  readonly onBroken: (id: number, error: Error) => void;
}

/** Number of the link to the node's own gateway. Peers get later numbers. */
export const LOCAL_LINK = 0;

export class GatewayLinks {
  readonly #options: GatewayLinksOptions;
  readonly #links = new Map<number, GatewayLink>();

  constructor(options: GatewayLinksOptions) {
    this.#options = options;
  }

  add(id: number, transport: Transport): void {
    const { onMessages, clock } = this.#options;
    const link = new Link<ToGateway, ToOwner>(
      transport,
      this.#options.link,
      (messages) => onMessages(added, messages),
      clock,
      () => this.#overflowed(id),
    );
    const { windowBytes } = this.#options.link;
    const snapshots = new SnapshotSender({ link, windowBytes, clock });
    link.onCredit = () => snapshots.credited();
    if (id !== LOCAL_LINK)
      link.onBroken = (error) => {
        this.#options.onBroken(id, error);
        this.remove(id);
      };
    const added: GatewayLink = { id, link, channels: new Map(), snapshots };
    this.#links.set(id, added);
  }

  remove(id: number): void {
    const found = this.#links.get(id);
    if (found === undefined) return;
    this.#links.delete(id);
    found.link.close();
    for (const actor of new Set(found.channels.values())) actor.linkLost(id);
    found.snapshots.dispose();
  }

  /** Sends nothing if the link is gone. */
  send(id: number, message: ToGateway): void {
    this.#links.get(id)?.link.send(message);
  }

  /** As `Link.postpone`. */
  postpone(id: number, message: ToOwner): void {
    this.#links.get(id)?.link.postpone(message);
  }

  /** As `Link.settle`. */
  settle(id: number, message: ToOwner): void {
    this.#links.get(id)?.link.settle(message);
  }

  /** The sender of large snapshots over this link. Undefined if the link is gone. */
  snapshotsOf(id: number): SnapshotSender | undefined {
    return this.#links.get(id)?.snapshots;
  }

  sweep(): void {
    for (const { snapshots } of this.#links.values()) snapshots.sweep();
  }

  flush(): void {
    for (const { link } of this.#links.values()) link.flush();
  }

  open({ id, channels }: GatewayLink, channelId: number, actor: DocumentActor): void {
    channels.set(channelId, actor);
    actor.channels.push({ link: id, channelId });
  }

  /** Forgets the channels over which no socket has the document open. */
  releaseChannels(actor: DocumentActor): void {
    for (const { link, channelId } of actor.releaseChannels())
      this.#links.get(link)?.channels.delete(channelId);
  }

  /** Forgets all channels to an actor that ends. */
  forget(actor: DocumentActor): void {
    for (const { link, channelId } of actor.channels) this.#links.get(link)?.channels.delete(channelId);
  }

  #overflowed(id: number): void {
    const found = this.#links.get(id);
    if (found === undefined) return;
    this.#options.onSlow(id);
    if (id !== LOCAL_LINK) {
      this.remove(id);
      return;
    }
    const { link, channels, snapshots } = found;
    const actors = new Set(channels.values());
    const reset = new Set(channels.keys());
    channels.clear();
    for (const actor of actors) {
      actor.linkLost(id);
      this.releaseChannels(actor);
    }
    // Refusals are dropped too. They are answers on channels that may have been released since.
    for (const [tag, channelId] of link.dropQueue()) {
      if (tag === ANSWER) link.send([ANSWER, channelId, AGAIN, null]);
      else if (tag !== SNAPSHOT && tag !== FORGET) reset.add(channelId);
    }
    for (const channelId of reset) link.send([RESET, channelId]);
    snapshots.restart();
  }
}
