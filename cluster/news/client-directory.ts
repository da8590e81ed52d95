// The clients of the cluster's nodes: how many are connected to each, and the URL at which clients reach it.
// Each node tells its peers both. This class sends nothing.
import type { Members } from '../liveness/members.ts';
import type { Peer } from '../peer/network.ts';

/** The number of clients connected to a node, and the node's weight, which sets its share. */
export interface ClientShare {
  readonly node: string;
  readonly clients: number;
  readonly weight: number;
}

export interface ClientDirectoryOptions {
  readonly members: Pick<Members, 'all'>;
  /** The name of this node. */
  readonly node: string;
  readonly weight: number;
  /** Undefined if the other nodes are not told a URL of this node. */
  readonly clientUrl?: string;
  /** True if this node has joined and does not leave. */
  readonly isServing: () => boolean;
  /** Called when the number of this node's clients has changed. */
  readonly onChange: (count: number) => void;
}

export class ClientDirectory {
  readonly #options: ClientDirectoryOptions;
  /** As told by the peers, possibly before the database has shown the peer's run. */
  readonly #counts = new WeakMap<Peer, number>();
  readonly #urls = new WeakMap<Peer, string>();
  #ownCount: number | undefined;

  constructor(options: ClientDirectoryOptions) {
    this.#options = options;
  }

  /** Clients connected to this node. Undefined until the node takes clients. */
  get own(): number | undefined {
    return this.#ownCount;
  }

  setOwn(count: number): void {
    if (count === this.#ownCount) return;
    this.#ownCount = count;
    this.#options.onChange(count);
  }

  setCount(peer: Peer, count: number): void {
    this.#counts.set(peer, count);
  }

  setUrl(peer: Peer, url: string): void {
    this.#urls.set(peer, url);
  }

  /**
   * The client shares of this node and of all other serving nodes. Undefined if this node does not serve, or
   * if the share of any node is unknown.
   */
  shares(): { readonly own: ClientShare; readonly others: readonly ClientShare[] } | undefined {
    const { members, isServing } = this.#options;
    if (!isServing()) return undefined;
    const others: ClientShare[] = [];
    for (const { node, state, peer, weight } of members.all()) {
      if (state !== 'live') continue;
      const clients = peer === undefined ? undefined : this.#counts.get(peer);
      if (clients === undefined) return undefined;
      others.push({ node, clients, weight });
    }
    const { node, weight } = this.#options;
    return { own: { node, clients: this.#ownCount ?? 0, weight }, others };
  }

  /**
   * The URLs of the other nodes that serve and are connected to this one, each once. Undefined if no node,
   * this one included, has a URL for clients.
   */
  otherUrls(): readonly string[] | undefined {
    const { members, clientUrl } = this.#options;
    const urls = [...members.all()].flatMap(({ state, peer }) => {
      const url = state === 'live' && peer !== undefined ? this.#urls.get(peer) : undefined;
      return url === undefined || url === clientUrl ? [] : [url];
    });
    return urls.length === 0 && clientUrl === undefined ? undefined : [...new Set(urls)].sort();
  }
}
