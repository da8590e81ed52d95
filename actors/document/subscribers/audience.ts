// The subscribers of one document and everything that they are told: their subscriptions, their presence,
// and the messages to their links. It stays while the document leaves memory and comes back. It decides
// nothing about versions; its callers decide when a message may be sent.
import { type ErrorCode, isOpenSubmitCode } from '../../../protocol/errors.ts';
import { AGAIN, refusedCall } from '../../link/calls.ts';
import { LeftOpen } from '../../link/left-open.ts';
import {
  ANSWER,
  CALL,
  CLOSE,
  CLOSED,
  COMMIT,
  JSON_FRAMES,
  LOST,
  MSGPACK_FRAMES,
  OPEN,
  OPEN_FAILED,
  type OpenRequest,
  PRESENCE,
  PULL,
  REFUSED,
  RESET,
  STATELESS,
  STATELESS_FROM,
  STATES,
  SUBMIT,
  type ToGateway,
  type ToOwner,
} from '../../link/link-messages.ts';
import { NOT_FOUND } from '../../link/missing-document.ts';
import { markOf } from '../../link/presence-text.ts';
import { OpenCalls } from '../calls/open-calls.ts';
import type { ActorLimits, DocumentEffects } from '../effects.ts';
import { type AnyKind, type Entry, storedOf } from '../entry.ts';
import { commitFrame } from './frames.ts';
import { Presence } from './presence.ts';
import { type Subscriber, Subscribers } from './subscribers.ts';
import { YjsNumbers } from './yjs-numbers.ts';

/** Patches in one commit frame. */
const FRAME_OPS = 512;
/** Most bytes of patches in one commit frame, as a share of receiveBytes. */
const FRAME_SHARE = 1 / 16;
/** Most bytes of all presence of one document, as a share of receiveBytes. */
const PRESENCE_SHARE = 1 / 8;

export class Audience {
  readonly name: string;
  readonly subscribers = new Subscribers();
  readonly presence: Presence;
  readonly #yjsNumbers = new YjsNumbers();
  readonly calls: OpenCalls;
  /** Most bytes of patches in one commit frame. */
  readonly frameBytes: number;
  readonly #effects: DocumentEffects;

  constructor(name: string, effects: DocumentEffects, limits: ActorLimits) {
    this.name = name;
    this.#effects = effects;
    this.frameBytes = limits.receiveBytes * FRAME_SHARE;
    this.calls = new OpenCalls((link, message) => effects.send(link, message));
    this.presence = new Presence(limits.receiveBytes * PRESENCE_SHARE);
  }

  readonly isOpenFor = (client: string): boolean =>
    this.subscribers.ofClient(client) !== undefined || this.calls.has(client);

  /** True if a socket of another user has the document open under this client id, and the id is that user's. */
  isHeldByAnother({ client, user }: Pick<OpenRequest, 'client' | 'user'>): boolean {
    const holder = this.subscribers.ofClient(client);
    return holder?.holdsClient === true && holder.user !== user;
  }

  /**
   * Adds a subscriber. It replaces an earlier subscriber with the same client id. Undefined if a gateway
   * has asked again for a socket that the client has since left for another one, which that gateway may not
   * know; the gateway has then been told so.
   */
  subscribe(
    link: number,
    channelId: number,
    subscriptionId: number,
    request: OpenRequest,
  ): Subscriber | undefined {
    const { replaces, client } = request;
    const before = replaces === undefined ? undefined : this.subscribers.find(link, replaces);
    if (replaces !== undefined && before !== undefined) {
      this.subscribers.renew(before, replaces, subscriptionId, request);
      return before;
    }
    if (request.again && this.#isOlder(request)) {
      this.subscribers.emptied = true;
      this.#effects.send(link, [CLOSED, channelId, subscriptionId, 'replaced']);
      return undefined;
    }
    const { added, replaced } = this.subscribers.add(link, channelId, subscriptionId, request);
    if (
      replaced !== undefined &&
      (replaced.link.link !== link || replaced.subscriptionId !== subscriptionId)
    ) {
      this.tell(replaced, [CLOSED, replaced.link.channelId, replaced.subscriptionId, 'replaced']);
      // The presence belonged to that subscription.
      if (this.presence.states.has(client)) this.#setPresence(client, null);
    }
    if (request.resume) this.presence.unknownTo(client);
    else this.presence.forget(client);
    return added;
  }

  /**
   * Decides between a subscription that a gateway brings from an earlier owner and the present subscription
   * of the same client. A subscription that was first asked for at this owner is the newer one. If both
   * came from earlier owners, the clocks of their gateways decide.
   */
  #isOlder({ client, askedAt = 0 }: OpenRequest): boolean {
    const other = this.subscribers.ofClient(client);
    if (other === undefined || other.askedAt === askedAt) return false;
    return !other.again || askedAt < other.askedAt;
  }

  leave(subscriber: Subscriber): void {
    const { client } = subscriber;
    this.subscribers.remove(subscriber);
    if (this.subscribers.ofClient(client) !== undefined) return;
    this.presence.forget(client);
    this.#yjsNumbers.leave(client);
    if (this.presence.states.has(client)) this.#setPresence(client, null);
  }

  /** Removes the subscriber that has this number on this link, if there is one. */
  leaveBy(link: number, subscriptionId: number): void {
    const subscriber = this.subscribers.find(link, subscriptionId);
    if (subscriber !== undefined) this.leave(subscriber);
  }

  /** Removes all subscribers of one link. */
  leaveLink(link: number): void {
    this.calls.linkLost(link);
    for (const subscriber of [...(this.subscribers.links.get(link)?.subs.values() ?? [])])
      this.leave(subscriber);
  }

  /** Removes all subscribers and tells their gateways to open the document again. */
  reset(): void {
    for (const group of [...this.subscribers.links.values()]) {
      this.#effects.send(group.link, [RESET, group.channelId]);
      for (const subscriber of [...group.subs.values()]) this.subscribers.remove(subscriber);
    }
    this.calls.answerAll(AGAIN);
    this.presence.clear();
    this.#yjsNumbers.clear();
  }

  /** Takes the presence that a subscriber tells. One with the number of a Yjs client of another user is left out. */
  takePresence({ client, user }: Subscriber, data: string | null): void {
    const mark = data === null ? undefined : markOf(data);
    if (mark === undefined || this.#yjsNumbers.take(mark.yjsClient, client, user))
      this.#setPresence(client, data);
  }

  #setPresence(client: string, data: string | null): void {
    const allTold = !this.presence.hasUntold;
    this.presence.set(client, data);
    if (allTold && this.presence.hasUntold) this.#effects.presenceChanged();
  }

  flushPresence(): void {
    const states = this.presence.takeUntold();
    if (this.presence.hasUntold) this.#effects.presenceChanged();
    for (const group of this.subscribers.links.values())
      this.#effects.send(group.link, [STATES, group.channelId, states]);
  }

  /** Passes a message on to the other subscribers of updates. */
  passOn({ link: from, subscriptionId }: Subscriber, payload: string): void {
    for (const group of this.subscribers.links.values())
      if (group.updates > 0)
        this.#effects.send(group.link, [
          STATELESS_FROM,
          group.channelId,
          group === from ? subscriptionId : 0,
          payload,
        ]);
  }

  tell(subscriber: Subscriber, message: ToGateway): void {
    if (subscriber.call !== undefined) subscriber.call.told(message);
    else this.#effects.send(subscriber.link.link, message);
  }

  /**
   * Answers a submit that did not commit. If the submit may come again, higher seqs of the same client must
   * wait for it. A final code has passed `SubmitAnswers.reject`, or the host has confirmed that the session lives.
   */
  refuse(subscriber: Subscriber, seq: number, code: ErrorCode, message: string): void {
    if (subscriber.gone) return;
    refusedSeq(subscriber, seq, code);
    this.tell(subscriber, [
      REFUSED,
      subscriber.link.channelId,
      subscriber.subscriptionId,
      seq,
      code,
      message,
    ]);
  }

  /** Gives a subscriber seqs that were left open before it was there. */
  leaveOpen(link: number, subscriptionId: number, seqs: LeftOpen): void {
    const subscriber = this.subscribers.find(link, subscriptionId);
    if (subscriber === undefined) return;
    subscriber.leftOpen ??= new LeftOpen();
    subscriber.leftOpen.addAll(seqs);
  }

  /**
   * Answers a message that cannot be taken, if its sender waits for an answer. A close is carried out
   * nevertheless.
   */
  turnAway(link: number, message: ToOwner, code: ErrorCode, text: string): void {
    const [tag, channelId, subscriptionId] = message;
    switch (tag) {
      case OPEN:
        this.refuseOpen(link, channelId, subscriptionId, code, text);
        return;
      case SUBMIT: {
        const subscriber = this.subscribers.find(link, subscriptionId);
        const [, , , seq] = message;
        if (subscriber !== undefined) refusedSeq(subscriber, seq, submitCode(code));
        this.#effects.send(link, [REFUSED, channelId, subscriptionId, seq, submitCode(code), text]);
        return;
      }
      case PULL:
        this.#effects.send(link, [LOST, channelId, subscriptionId]);
        this.leaveBy(link, subscriptionId);
        return;
      case CLOSE:
        this.leaveBy(link, subscriptionId);
        return;
      case PRESENCE:
      case STATELESS:
        return;
      case CALL:
        this.#effects.send(link, [ANSWER, channelId, refusedCall(code, text), null]);
        return;
      default:
        throw new Error(`unknown message ${String(tag satisfies never)}`);
    }
  }

  /** Answers an open that makes no subscriber. */
  refuseOpen(
    link: number,
    channelId: number,
    subscriptionId: number,
    code: ErrorCode,
    message: string,
  ): void {
    this.subscribers.emptied = true;
    this.#effects.send(link, [OPEN_FAILED, channelId, subscriptionId, code, message]);
  }

  fail(subscriber: Subscriber, code: ErrorCode, message: string): void {
    // This subscription has taken over an earlier one of its socket, so the socket must open afresh.
    if (subscriber.formerSubs.length > 0) {
      this.lose(subscriber);
      return;
    }
    this.tell(subscriber, [OPEN_FAILED, subscriber.link.channelId, subscriber.subscriptionId, code, message]);
    this.leave(subscriber);
  }

  /** Ends a subscription that cannot be brought further. Its socket opens the document afresh. */
  lose(subscriber: Subscriber): void {
    this.tell(subscriber, [LOST, subscriber.link.channelId, subscriber.subscriptionId]);
    this.leave(subscriber);
  }

  /**
   * Ends all subscriptions, because the document is deleted. Their clients are told, and their gateways drop them.
   */
  endAll(code: 'deleted'): void {
    for (const group of [...this.subscribers.links.values()])
      for (const subscriber of new Set(group.subs.values())) {
        this.tell(subscriber, [CLOSED, group.channelId, subscriber.subscriptionId, code]);
        this.subscribers.remove(subscriber);
      }
    this.calls.answerAll(refusedCall('not-found', NOT_FOUND));
    this.presence.clear();
    this.#yjsNumbers.clear();
  }

  /** Sends durable patches in a row to all subscribers that have joined, encoded once per subprotocol. */
  broadcast(kind: AnyKind, history: string, run: readonly Entry[]): void {
    if (
      run.length > 1 &&
      (run.length > FRAME_OPS || run.reduce((sum, entry) => sum + entry.size, 0) > this.frameBytes)
    ) {
      const half = run.length >> 1;
      this.broadcast(kind, history, run.slice(0, half));
      this.broadcast(kind, history, run.slice(half));
      return;
    }
    if (!this.calls.isEmpty)
      for (const { client, version } of run)
        this.calls.answerAuthor(client, { type: 'committed', history, version });
    const version = run.at(-1)?.version ?? 0;
    let json: Uint8Array | undefined;
    let msgpack: Uint8Array | undefined;
    let updates: readonly Uint8Array[] | undefined;
    for (const group of this.subscribers.links.values()) {
      if (group.json + group.msgpack + group.updates === 0) continue;
      if (group.json > 0) json ??= commitFrame(JSON_FRAMES, kind, this.name, version, run);
      if (group.msgpack > 0) msgpack ??= commitFrame(MSGPACK_FRAMES, kind, this.name, version, run);
      if (group.updates > 0) updates ??= run.map((entry) => storedOf(kind, entry));
      const acks: number[] = [];
      for (const entry of run) {
        const author = this.subscribers.ofClient(entry.client);
        if (author?.joined && author.link === group) acks.push(author.subscriptionId, entry.seq);
      }
      const text = group.json > 0 ? (json ?? null) : null;
      const packed = group.msgpack > 0 ? (msgpack ?? null) : null;
      this.#effects.send(
        group.link,
        group.updates > 0 && updates !== undefined
          ? [COMMIT, group.channelId, version, text, packed, acks, updates]
          : [COMMIT, group.channelId, version, text, packed, acks],
      );
    }
  }
}

function refusedSeq(subscriber: Subscriber, seq: number, code: ErrorCode): void {
  if (!isOpenSubmitCode(code)) {
    subscriber.leftOpen?.delete(seq);
    return;
  }
  subscriber.leftOpen ??= new LeftOpen();
  subscriber.leftOpen.add(seq, code);
}

/** Maps any code of a document's failure to a code that a submit may end with. */
function submitCode(code: ErrorCode): ErrorCode {
  if (code === 'not-found') return 'not-open';
  return code === 'internal' ? 'unavailable' : code;
}
