// Who has one document open: one entry per socket, grouped by the link it came over. It holds who
// they are and how far they have been brought; it sends nothing.
import type { Role } from '../../protocol/messages.ts';
import type { LeftOpen } from '../left-open.ts';
import { type FrameCodec, JSON_FRAMES, type OpenRequest, type ToOwner } from '../link-messages.ts';

/** Messages of one subscriber that wait for an answer of the store, and acks that wait until it has caught up: its submits in flight, and some. */
export const WAITING_MESSAGES = 128;

export interface Subscriber {
  readonly link: LinkSubscribers;
  sub: number;
  /** The number under which its latest `opened` or chunk went out; 0: none has. */
  answered: number;
  /** Numbers that its socket may still use for it, `sub` left out. */
  formerSubs: readonly number[];
  readonly client: string;
  readonly user: string;
  readonly role: Role;
  readonly codec: FrameCodec;
  /** As its request has it; 0 where that does not tell. */
  askedAt: number;
  /** Its gateway has brought it along from an earlier owner. */
  again: boolean;
  /** What it asked for, until it has joined. */
  request: OpenRequest | undefined;
  /** It takes the channel's commits. Before that it is brought up to the head. */
  joined: boolean;
  /** Version that it has been brought to while it is not joined. */
  at: number;
  /** Its messages wait here while an answer of the store is awaited for it; undefined: none is. */
  waiting: ToOwner[] | undefined;
  /** Its submits that were refused and may come again; undefined: there has been none. */
  leftOpen: LeftOpen | undefined;
  /** It is being caught up: seq and version of acks that wait until it has joined. */
  heldAcks: (readonly [seq: number, version: number])[] | undefined;
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
  /** A channel may have nobody on it any more; who has looked sets it back. */
  emptied = false;

  get size(): number {
    return this.clients.size;
  }

  find(link: number, sub: number): Subscriber | undefined {
    return this.links.get(link)?.subs.get(sub);
  }

  ofClient(client: string): Subscriber | undefined {
    return this.clients.get(client);
  }

  /** Somebody has the document open over this channel. */
  hasChannel(link: number, chan: number): boolean {
    const group = this.links.get(link);
    if (group === undefined || group.chan === chan) return group !== undefined;
    for (const subscriber of group.subs.values()) if (subscriber.link.chan === chan) return true;
    return false;
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
      answered: 0,
      formerSubs: [],
      client: request.client,
      user: request.user,
      role: request.role,
      codec: request.codec,
      askedAt: request.askedAt ?? 0,
      again: request.again === true,
      request,
      joined: false,
      at: 0,
      waiting: undefined,
      leftOpen: undefined,
      heldAcks: undefined,
      gone: false,
    };
    group.subs.set(sub, added);
    this.clients.set(request.client, added);
    return { added, replaced };
  }

  /** Its socket opens the document again, as `sub`; until it has heard of that it may use `before` as well. */
  renew(subscriber: Subscriber, before: number, sub: number, request: OpenRequest): void {
    const { subs } = subscriber.link;
    const numbers = [...subscriber.formerSubs, subscriber.sub];
    // The socket has gone on from what came earlier.
    for (const number of numbers) if (number < before) subs.delete(number);
    subscriber.formerSubs = numbers.filter((number) => number >= before);
    subscriber.sub = sub;
    subscriber.request = request;
    subscriber.leftOpen = undefined;
    subscriber.askedAt = request.askedAt ?? 0;
    subscriber.again = request.again === true;
    subs.set(sub, subscriber);
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
    for (const number of [...subscriber.formerSubs, subscriber.sub]) link.subs.delete(number);
    if (link.subs.size === 0) this.links.delete(link.link);
    this.emptied = true;
    if (this.clients.get(subscriber.client) === subscriber) this.clients.delete(subscriber.client);
  }

  private count(subscriber: Subscriber, by: 1 | -1): void {
    if (subscriber.codec === JSON_FRAMES) subscriber.link.json += by;
    else subscriber.link.msgpack += by;
  }
}
