// Who has one document open: one entry per socket, grouped by the link it came over. It holds who
// they are and how far they have been brought; it sends nothing.
import type { Role } from '../../protocol/messages.ts';
import { type FrameCodec, JSON_FRAMES, type OpenRequest, type ToOwner } from '../link-messages.ts';

export interface Subscriber {
  readonly link: LinkSubscribers;
  readonly sub: number;
  readonly client: string;
  readonly user: string;
  readonly role: Role;
  readonly codec: FrameCodec;
  readonly request: OpenRequest;
  /** It takes the channel's commits. Before that it is brought up to the head. */
  joined: boolean;
  /** Version that it has been brought to while it is not joined. */
  at: number;
  /** Its messages wait here while an answer of the store is awaited for it; undefined: none is. */
  waiting: ToOwner[] | undefined;
  gone: boolean;
}

/** One gateway's view of the document. */
export interface LinkSubscribers {
  readonly link: number;
  readonly chan: number;
  readonly subs: Map<number, Subscriber>;
  /** Joined subscribers by codec: which frames this link needs. */
  json: number;
  msgpack: number;
}

export class Subscribers {
  readonly links = new Map<number, LinkSubscribers>();
  private readonly clients = new Map<string, Subscriber>();

  get size(): number {
    return this.clients.size;
  }

  find(link: number, sub: number): Subscriber | undefined {
    return this.links.get(link)?.subs.get(sub);
  }

  ofClient(client: string): Subscriber | undefined {
    return this.clients.get(client);
  }

  all(): Iterable<Subscriber> {
    return this.clients.values();
  }

  /** Adds it; returns the subscriber of the same client that it replaces. */
  add(
    link: number,
    chan: number,
    sub: number,
    request: OpenRequest,
  ): { added: Subscriber; replaced: Subscriber | undefined } {
    let group = this.links.get(link);
    if (group === undefined || group.chan !== chan) {
      group = {
        link,
        chan,
        subs: group?.subs ?? new Map(),
        json: group?.json ?? 0,
        msgpack: group?.msgpack ?? 0,
      };
      this.links.set(link, group);
    }
    const replaced = this.clients.get(request.client);
    if (replaced !== undefined) this.remove(replaced);
    // Removing the last one forgets the group.
    this.links.set(link, group);
    const added: Subscriber = {
      link: group,
      sub,
      client: request.client,
      user: request.user,
      role: request.role,
      codec: request.codec,
      request,
      joined: false,
      at: 0,
      waiting: undefined,
      gone: false,
    };
    group.subs.set(sub, added);
    this.clients.set(request.client, added);
    return { added, replaced };
  }

  join(subscriber: Subscriber): void {
    if (subscriber.joined) return;
    subscriber.joined = true;
    this.count(subscriber, 1);
  }

  remove(subscriber: Subscriber): void {
    if (subscriber.gone) return;
    subscriber.gone = true;
    subscriber.waiting = undefined;
    if (subscriber.joined) this.count(subscriber, -1);
    const { link } = subscriber;
    link.subs.delete(subscriber.sub);
    if (link.subs.size === 0) this.links.delete(link.link);
    if (this.clients.get(subscriber.client) === subscriber) this.clients.delete(subscriber.client);
  }

  private count(subscriber: Subscriber, by: 1 | -1): void {
    if (subscriber.codec === JSON_FRAMES) subscriber.link.json += by;
    else subscriber.link.msgpack += by;
  }
}
