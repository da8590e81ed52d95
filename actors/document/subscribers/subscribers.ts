// The sockets that have one document open: one entry per socket, grouped by the link over which it came. It
// holds who they are and the version to which each has been brought; it sends nothing.
import type { Role } from '../../../protocol/messages.ts';
import type { LeftOpen } from '../../link/left-open.ts';
import {
  JSON_FRAMES,
  MSGPACK_FRAMES,
  type OpenRequest,
  type SubscriberCodec,
  type ToGateway,
  type ToOwner,
} from '../../link/link-messages.ts';

/**
 * Most messages of one subscriber that wait for an answer of the store, and most acks that wait until it
 * has caught up. The number exceeds its submits in flight.
 */
export const WAITING_MESSAGES = 128;

export interface Subscriber {
  readonly link: LinkSubscribers;
  subscriptionId: number;
  /** The number under which the latest `opened` or chunk was sent. 0 if none was sent. */
  answered: number;
  /** Numbers other than `subscriptionId` that the socket may still use for this subscription. */
  formerSubs: readonly number[];
  readonly client: string;
  readonly user: string;
  readonly role: Role;
  readonly codec: SubscriberCodec;
  /** The time from the open request. 0 if the request has none. */
  askedAt: number;
  /** The gateway has brought this subscription from an earlier owner. */
  again: boolean;
  /** The open request, until the subscriber has joined. */
  request: OpenRequest | undefined;
  /** The client id is this user's: the store has been asked, and no other user has committed under it. */
  holdsClient: boolean;
  /** The subscriber takes the channel's commits. Before it joins, it is brought up to the head. */
  joined: boolean;
  /** Version up to which the subscriber has been brought while it has not joined. */
  at: number;
  /**
   * The subscriber's messages that wait while it awaits an answer of the store. Undefined if it awaits
   * none.
   */
  waiting: ToOwner[] | undefined;
  /** Refused submits of this subscriber that may come again. Undefined if there has been none. */
  leftOpen: LeftOpen | undefined;
  /**
   * Seq and version of acks that wait until the subscriber has caught up. Undefined if it is not being
   * caught up.
   */
  heldAcks: (readonly [seq: number, version: number])[] | undefined;
  gone: boolean;
  /** Set if this stands for a call: it takes what a subscription would be told. */
  readonly call?: { told(message: ToGateway): void };
}

/** One gateway's view of the document. */
export interface LinkSubscribers {
  readonly link: number;
  readonly channelId: number;
  readonly subs: Map<number, Subscriber>;
  /** Joined subscribers by codec. They decide which frames this link needs. */
  json: number;
  msgpack: number;
  updates: number;
}

export class Subscribers {
  readonly links = new Map<number, LinkSubscribers>();
  readonly #clients = new Map<string, Subscriber>();
  /** True if a channel may have no subscriber any more. The reader of this flag resets it. */
  emptied = false;

  get size(): number {
    return this.#clients.size;
  }

  find(link: number, subscriptionId: number): Subscriber | undefined {
    return this.links.get(link)?.subs.get(subscriptionId);
  }

  ofClient(client: string): Subscriber | undefined {
    return this.#clients.get(client);
  }

  /** True if a socket has the document open over this channel. */
  hasChannel(link: number, channelId: number): boolean {
    const group = this.links.get(link);
    if (group === undefined || group.channelId === channelId) return group !== undefined;
    for (const subscriber of group.subs.values()) if (subscriber.link.channelId === channelId) return true;
    return false;
  }

  /** Adds a subscriber. Returns the subscriber of the same client that it replaces. */
  add(
    link: number,
    channelId: number,
    subscriptionId: number,
    request: OpenRequest,
  ): { added: Subscriber; replaced: Subscriber | undefined } {
    let group = this.links.get(link);
    if (group === undefined || group.channelId !== channelId) {
      group = {
        link,
        channelId,
        subs: group?.subs ?? new Map(),
        json: group?.json ?? 0,
        msgpack: group?.msgpack ?? 0,
        updates: group?.updates ?? 0,
      };
      this.links.set(link, group);
    }
    const replaced = this.#clients.get(request.client);
    if (replaced !== undefined) this.remove(replaced);
    // Removing the replaced subscriber may have deleted the group.
    this.links.set(link, group);
    const added: Subscriber = {
      link: group,
      subscriptionId,
      answered: 0,
      formerSubs: [],
      client: request.client,
      user: request.user,
      role: request.role,
      codec: request.codec,
      askedAt: request.askedAt ?? 0,
      again: request.again === true,
      request,
      holdsClient: false,
      joined: false,
      at: 0,
      waiting: undefined,
      leftOpen: undefined,
      heldAcks: undefined,
      gone: false,
    };
    group.subs.set(subscriptionId, added);
    this.#clients.set(request.client, added);
    return { added, replaced };
  }

  /**
   * Renumbers a subscriber whose socket opens the document again as `subscriptionId`. The socket may use `before` as
   * well until it has received the answer.
   */
  renew(subscriber: Subscriber, before: number, subscriptionId: number, request: OpenRequest): void {
    const { subs } = subscriber.link;
    const numbers = [...subscriber.formerSubs, subscriber.subscriptionId];
    // The socket no longer uses numbers below `before`.
    for (const number of numbers) if (number < before) subs.delete(number);
    subscriber.formerSubs = numbers.filter((number) => number >= before);
    subscriber.subscriptionId = subscriptionId;
    subscriber.request = request;
    subscriber.leftOpen = undefined;
    subscriber.askedAt = request.askedAt ?? 0;
    subscriber.again = request.again === true;
    subs.set(subscriptionId, subscriber);
  }

  join(subscriber: Subscriber): void {
    if (subscriber.joined) return;
    subscriber.joined = true;
    this.#count(subscriber, 1);
  }

  remove(subscriber: Subscriber): void {
    if (subscriber.gone) return;
    subscriber.gone = true;
    subscriber.waiting = undefined;
    if (subscriber.joined) this.#count(subscriber, -1);
    const { link } = subscriber;
    for (const number of [...subscriber.formerSubs, subscriber.subscriptionId]) link.subs.delete(number);
    if (link.subs.size === 0) this.links.delete(link.link);
    this.emptied = true;
    if (this.#clients.get(subscriber.client) === subscriber) this.#clients.delete(subscriber.client);
  }

  #count(subscriber: Subscriber, by: 1 | -1): void {
    const { codec, link } = subscriber;
    if (codec === JSON_FRAMES) link.json += by;
    else if (codec === MSGPACK_FRAMES) link.msgpack += by;
    else link.updates += by;
  }
}
