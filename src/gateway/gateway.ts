// The gateway: takes clients' messages, checks them, brings them to the owners of their documents, and
// brings what the owners say to the sockets. It hides changes of owner: it resumes each subscription
// with the version told last and sends again what is unanswered. It orders nothing and stores nothing.
//
// Over 400 lines, because both directions of every message of the contract are here.
import type { LinkOp, OpenRequest, ToGateway } from '../../actors/link-messages.ts';
import {
  ACK,
  CLOSE as CLOSE_MESSAGE,
  CLOSED,
  COMMIT,
  JSON_FRAMES,
  LOST,
  MSGPACK_FRAMES,
  OPEN,
  OPEN_FAILED,
  OPENED,
  PRESENCE,
  PULL,
  REFUSED,
  RESET,
  STATES,
  SUBMIT,
} from '../../actors/link-messages.ts';
import type { OwnerLink, OwnerLinkListener } from '../../cluster/owner-link.ts';
import type { Router } from '../../cluster/router.ts';
import { type Codec, FrameError, jsonCodec } from '../../protocol/codec.ts';
import {
  CLOSE,
  ERROR_CODES,
  type ErrorCode,
  FINAL_SUBMIT_CODES,
  type FinalSubmitCode,
} from '../../protocol/errors.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Json, KindName, RequestId, Role } from '../../protocol/messages.ts';
import { isClientId, isSeq, isVersion, parseDocumentName } from '../../protocol/names.ts';
import { notPlain } from '../../protocol/plain-value.ts';
import { Channel, type Subscription } from './channel.ts';
import { takeOpen, takePresence, takeSubmit } from './rates.ts';
import type { Session } from './session.ts';

export interface GatewayOptions {
  readonly node: string;
  readonly limits: Limits;
  readonly router: Router;
  /** Patches of one socket that may wait for their answers, bytes. */
  readonly unansweredBytes: number;
  readonly now: () => number;
  /** For clients that leave it to the server. */
  readonly newClientId: () => string;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

/** Everyone is an owner until roles arrive with the front door. */
const ROLE: Role = 'owner';
const USER = 'anonymous';
const KINDS: ReadonlySet<unknown> = new Set<KindName>(['json', 'rich-text', 'yjs']);
const FINAL: ReadonlySet<string> = new Set(FINAL_SUBMIT_CODES);
/** Told with `overloaded` and `unavailable`. */
const RETRY_AFTER_MS = 500;
const RESUME_FIRST_MS = 50;
const RESUME_MAX_MS = 2000;
/** A catch-up pulls its next chunk no sooner than the reader has taken the last; looked at this often. */
const PULL_MS = 20;

export class Gateway implements OwnerLinkListener {
  private readonly options: GatewayOptions;
  private readonly limits: Limits;
  private readonly channels = new Map<string, Channel>();
  private readonly byNumber = new Map<number, Channel>();
  private lastChan = 0;
  private lastSub = 0;
  /** Of any type, from one socket: far above what the other limits let an honest client send. */
  private readonly messagesPerSecond: number;

  constructor(options: GatewayOptions) {
    this.options = options;
    this.limits = options.limits;
    const { submitsPerSecond, presencesPerSecond, openDocuments } = options.limits;
    this.messagesPerSecond = 2 * (submitsPerSecond + presencesPerSecond) + 4 * openDocuments + 1000;
  }

  // From clients

  /** One frame of a client. `text`: a text frame, valid UTF-8. */
  receive(session: Session, frame: Uint8Array, text: string | undefined): void {
    if (session.closed) return;
    session.heard = this.options.now();
    session.pinged = false;
    if (++session.messages > this.messagesPerSecond) {
      session.close(CLOSE.rateLimited, 'too many messages');
      return;
    }
    if (session.codec.binary === (text !== undefined)) {
      session.close(CLOSE.badMessage, 'wrong frame type for the subprotocol');
      return;
    }
    let message: Record<string, unknown>;
    try {
      message = session.codec.decode(text ?? frame);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.error(session, 'bad-message', error.message, {});
      session.close(CLOSE.badMessage, error.message);
      return;
    }
    if (session.client === undefined) this.first(session, message);
    else this.dispatch(session, message, frame.length);
  }

  /** The socket is closed: nobody has these documents open through it any more. */
  disconnected(session: Session): void {
    session.closed = true;
    for (const subscription of session.open.values()) this.unsubscribe(subscription);
    session.open.clear();
  }

  private first(session: Session, message: Record<string, unknown>): void {
    if (message.type !== 'hello') {
      this.error(session, 'bad-message', 'the first message is hello', echo(message));
      session.close(CLOSE.badMessage, 'the first message is hello');
      return;
    }
    this.hello(session, message);
    if (session.client === undefined) session.close(CLOSE.badMessage, 'no valid client id');
  }

  private hello(session: Session, message: Record<string, unknown>): void {
    // Who does not care which id it has may leave it to the server; a number is no id.
    const isOpen =
      message.client === undefined || message.client === null || typeof message.client === 'number';
    const client = isOpen ? (session.client ?? this.options.newClientId()) : message.client;
    if (!isClientId(client)) {
      this.error(session, 'bad-message', 'client: 8 to 64 of A-Z a-z 0-9 _ -', echo(message));
      return;
    }
    if (session.client !== undefined && session.client !== client) {
      this.error(session, 'bad-message', 'a socket keeps its client id', echo(message));
      return;
    }
    session.client = client;
    session.user = USER;
    const { node, limits, now } = this.options;
    session.send({ type: 'welcome', ...idOf(message), client, node, time: now(), limits });
  }

  private dispatch(session: Session, message: Record<string, unknown>, bytes: number): void {
    switch (message.type) {
      case 'submit':
        this.submit(session, message, bytes);
        return;
      case 'open':
        this.open(session, message);
        return;
      case 'presence':
        this.presence(session, message);
        return;
      case 'close':
        this.close(session, message);
        return;
      case 'ping':
        session.send({ type: 'pong', ...idOf(message) });
        return;
      case 'hello':
        this.hello(session, message);
        return;
      default:
        this.error(session, 'bad-message', 'unknown type', echo(message));
    }
  }

  private open(session: Session, message: Record<string, unknown>): void {
    const { kind, since, history } = message;
    const name = this.nameOf(session, message);
    if (name === undefined) return;
    const wrong =
      kind !== undefined && kind !== null && !KINDS.has(kind)
        ? 'kind: json, rich-text or yjs'
        : since !== undefined && since !== null && !isVersion(since)
          ? 'since: a version'
          : history !== undefined && history !== null && typeof history !== 'string'
            ? 'history: as `opened` told it'
            : undefined;
    if (wrong !== undefined) {
      this.error(session, 'bad-message', wrong, echo(message));
      return;
    }
    if (!session.open.has(name) && session.open.size >= this.limits.openDocuments) {
      this.error(
        session,
        'overloaded',
        `a socket may have ${this.limits.openDocuments} documents open`,
        echo(message),
      );
      return;
    }
    const wait = takeOpen(session, this.limits, this.options.now());
    if (wait > 0) {
      this.error(session, 'rate-limited', 'too many opens', { ...echo(message), retryAfterMs: wait });
      return;
    }
    if (this.options.router.isQuarantined(name)) {
      this.error(session, 'unavailable', 'this document is quarantined', echo(message));
      return;
    }
    const before = session.open.get(name);
    const channel = this.channelOf(name);
    const subscription: Subscription = {
      session,
      channel,
      sub: 0,
      mode: 'opening',
      request: {
        ...(KINDS.has(kind) ? { kind: kind as KindName } : {}),
        ...(isVersion(since) ? { since } : {}),
        ...(typeof history === 'string' ? { history } : {}),
        ...idOf(message),
      },
      version: 0,
      opened: false,
      unanswered: undefined,
      presence: before?.presence,
      index: -1,
      // What is open stays open until this one is: a refused open changes nothing.
      before,
    };
    session.open.set(name, subscription);
    this.subscribe(subscription);
  }

  private submit(session: Session, message: Record<string, unknown>, bytes: number): void {
    const { doc, seq, base, op } = message;
    if (!isSeq(seq)) {
      this.error(session, 'bad-message', 'seq: an integer from 1 to 2^53 - 1', echo(message));
      return;
    }
    const current = typeof doc === 'string' ? session.open.get(doc) : undefined;
    if (current === undefined) {
      if (this.nameOf(session, message) !== undefined) {
        this.error(session, 'not-open', 'open the document first', { doc: String(doc), seq });
      }
      return;
    }
    const subscription = rootOf(current);
    const { channel } = subscription;
    if (base !== undefined && base !== null && !isVersion(base)) {
      this.error(session, 'bad-message', 'base: a version', { doc: channel.doc, seq });
      return;
    }
    const wait = takeSubmit(session, this.limits, this.options.now());
    if (wait > 0) {
      this.error(session, 'rate-limited', 'too many submits', { doc: channel.doc, seq, retryAfterMs: wait });
      return;
    }
    const linkOp = this.linkOp(session.codec, op, bytes);
    if ('code' in linkOp) {
      session.send({ type: 'reject', doc: channel.doc, seq, ...linkOp });
      return;
    }
    subscription.unanswered ??= new Map();
    const { unanswered } = subscription;
    if (unanswered.size >= this.limits.inflight && !unanswered.has(seq)) {
      this.overloaded(session, channel.doc, seq, 'too many submits without an answer');
      return;
    }
    if (session.unansweredBytes + linkOp.op.length > this.options.unansweredBytes && unanswered.size > 0) {
      this.overloaded(session, channel.doc, seq, 'too many bytes without an answer');
      return;
    }
    const submit = { base: isVersion(base) ? base : -1, op: linkOp.op };
    const { link } = channel;
    const goesOn = link !== undefined && subscription.mode !== 'resuming';
    if (goesOn && !link.offer([SUBMIT, channel.chan, subscription.sub, seq, submit.base, submit.op])) {
      this.overloaded(session, channel.doc, seq, 'the owner of this document is behind');
      return;
    }
    // A seq that is sent again keeps its place: what is sent after a change of owner is sent in this order.
    session.unansweredBytes += submit.op.length - (unanswered.get(seq)?.op.length ?? 0);
    unanswered.set(seq, submit);
  }

  private linkOp(
    codec: Codec,
    op: unknown,
    frameBytes: number,
  ): { op: LinkOp } | { code: FinalSubmitCode; message: string } {
    if (op instanceof Uint8Array) return op.length > this.limits.opBytes ? TOO_LARGE : { op };
    if (op === undefined) return { code: 'bad-op', message: 'op is missing' };
    // The gateway looks no deeper than the walk needs; what an op means is the kind's business.
    const wrong = notPlain(op, this.limits.depth + 2);
    if (wrong !== undefined) return { code: 'bad-op', message: wrong };
    const text = JSON.stringify(op);
    if (frameBytes > this.limits.opBytes && codec.encodedBytes(op) > this.limits.opBytes) return TOO_LARGE;
    return { op: text };
  }

  private presence(session: Session, message: Record<string, unknown>): void {
    const subscription = this.openOf(session, message);
    if (subscription === undefined) return;
    const { data } = message;
    const wrong = data === undefined ? 'data is missing' : notPlain(data, this.limits.depth);
    if (wrong !== undefined) {
      this.error(session, 'bad-message', wrong, echo(message));
      return;
    }
    const wait = takePresence(session, this.limits, this.options.now());
    if (wait > 0) {
      this.error(session, 'rate-limited', 'too many presence messages', {
        ...echo(message),
        retryAfterMs: wait,
      });
      return;
    }
    const text = data === null ? null : JSON.stringify(data);
    if (text !== null && Buffer.byteLength(text) > this.limits.presenceBytes) {
      this.error(session, 'too-large', `presence: at most ${this.limits.presenceBytes} bytes`, echo(message));
      return;
    }
    const { channel } = subscription;
    const { mode, sub } = rootOf(subscription);
    if (mode === 'resuming' && text === null && subscription.presence !== undefined)
      this.tellGone(channel, session);
    for (let each: Subscription | undefined = subscription; each !== undefined; each = each.before)
      each.presence = text ?? undefined;
    if (mode !== 'resuming') channel.link?.offer([PRESENCE, channel.chan, sub, text]);
  }

  private close(session: Session, message: Record<string, unknown>): void {
    const subscription = this.openOf(session, message);
    if (subscription === undefined) return;
    session.open.delete(subscription.channel.doc);
    this.unsubscribe(subscription);
    session.send({ type: 'closed', ...idOf(message), doc: subscription.channel.doc });
  }

  private openOf(session: Session, message: Record<string, unknown>): Subscription | undefined {
    const name = this.nameOf(session, message);
    if (name === undefined) return undefined;
    const subscription = session.open.get(name);
    if (subscription === undefined) this.error(session, 'not-open', 'open the document first', echo(message));
    return subscription;
  }

  private nameOf(session: Session, message: Record<string, unknown>): string | undefined {
    const { doc } = message;
    if (typeof doc === 'string' && parseDocumentName(doc) !== undefined) return doc;
    this.error(session, 'bad-name', 'no name of a document', echo(message));
    return undefined;
  }

  private error(session: Session, code: ErrorCode, message: string, about: About): void {
    session.send({ type: 'error', code, message, retryable: ERROR_CODES[code], ...about });
  }

  private overloaded(session: Session, doc: string, seq: number, message: string): void {
    const retryAfterMs = Math.ceil(RETRY_AFTER_MS * (0.5 + this.options.random()));
    this.error(session, 'overloaded', message, { doc, seq, retryAfterMs });
  }

  // Channels and subscriptions

  private channelOf(doc: string): Channel {
    let channel = this.channels.get(doc);
    if (channel === undefined) {
      channel = new Channel(doc, ++this.lastChan, this.options.router.linkOf(doc));
      this.channels.set(doc, channel);
      this.byNumber.set(channel.chan, channel);
    }
    return channel;
  }

  /** `again`: after a change of owner, when nobody is refused for the owner's being behind. */
  private subscribe(subscription: Subscription, again = false): void {
    const { channel, session } = subscription;
    subscription.sub = ++this.lastSub;
    channel.subs.set(subscription.sub, subscription);
    if (channel.link === undefined) return;
    const { version, before } = subscription;
    const request: OpenRequest = {
      doc: channel.doc,
      client: session.client ?? '',
      user: session.user,
      role: ROLE,
      codec: session.codec === jsonCodec ? JSON_FRAMES : MSGPACK_FRAMES,
      ...(subscription.opened
        ? {
            since: version,
            ...(channel.history === undefined ? {} : { history: channel.history }),
            resume: true,
          }
        : subscription.request),
      ...(before === undefined ? {} : { replaces: rootOf(before).sub }),
    };
    const message: [typeof OPEN, number, number, OpenRequest] = [
      OPEN,
      channel.chan,
      subscription.sub,
      request,
    ];
    if (again || subscription.opened) channel.link.send(message);
    else if (!channel.link.offer(message))
      this.openFailed(channel, subscription, 'overloaded', 'the owner is behind');
  }

  /** Drops it here; the owner is not told. */
  private forget(subscription: Subscription): void {
    const { channel } = subscription;
    for (const { op } of subscription.unanswered?.values() ?? [])
      subscription.session.unansweredBytes -= op.length;
    subscription.unanswered = undefined;
    channel.leave(subscription);
    channel.subs.delete(subscription.sub);
  }

  /** Ends it, and what it was to replace. */
  private unsubscribe(subscription: Subscription): void {
    const { channel } = subscription;
    const unknown = rootOf(subscription).mode === 'resuming' && subscription.presence !== undefined;
    for (let each: Subscription | undefined = subscription; each !== undefined; each = each.before) {
      this.forget(each);
      channel.link?.send([CLOSE_MESSAGE, channel.chan, each.sub]);
    }
    if (unknown) this.tellGone(channel, subscription.session);
    this.dispose(channel);
  }

  /** Its presence was told by an owner that is gone, and the next one never hears of it: the others are told here. */
  private tellGone(channel: Channel, session: Session): void {
    const { client } = session;
    if (client === undefined) return;
    for (const other of channel.subs.values()) {
      if (other.opened && other.session !== session) {
        other.session.send({ type: 'presence', doc: channel.doc, states: { [client]: null } });
      }
    }
  }

  /** One of a socket's subscriptions to a document has ended without replacing another: the rest goes on. True: there is no rest. */
  private end(subscription: Subscription): boolean {
    const { session, channel, before, unanswered } = subscription;
    const current = session.open.get(channel.doc);
    if (current === subscription) {
      if (before === undefined) session.open.delete(channel.doc);
      else session.open.set(channel.doc, before);
      this.forget(subscription);
      return before === undefined;
    }
    let after = current;
    while (after !== undefined && after.before !== subscription) after = after.before;
    if (after === undefined) {
      this.forget(subscription);
      return true;
    }
    after.before = before;
    // Only the first of them has submits; they go again behind the open of the next.
    if (before === undefined && unanswered !== undefined) {
      after.unanswered = unanswered;
      subscription.unanswered = undefined;
      if (after.mode !== 'resuming') this.sendAgain(channel, after);
    }
    this.forget(subscription);
    return false;
  }

  private dispose(channel: Channel): void {
    if (channel.subs.size > 0) return;
    clearTimeout(channel.retry);
    this.channels.delete(channel.doc);
    this.byNumber.delete(channel.chan);
  }

  // From owners

  messages(_link: OwnerLink, messages: readonly ToGateway[]): void {
    for (const message of messages) {
      const channel = this.byNumber.get(message[1]);
      if (channel !== undefined) this.take(channel, message);
    }
  }

  private take(channel: Channel, message: ToGateway): void {
    switch (message[0]) {
      case COMMIT: {
        const [, , version, json, msgpack, acks] = message;
        this.commit(channel, version, json, msgpack, acks);
        return;
      }
      case OPENED: {
        const subscription = channel.subs.get(message[2]);
        if (subscription !== undefined) this.opened(channel, subscription, message);
        return;
      }
      case ACK: {
        const [, , sub, seq, version] = message;
        const subscription = channel.subs.get(sub);
        if (subscription === undefined) return;
        settle(subscription, seq);
        subscription.session.send({ type: 'ack', doc: channel.doc, seq, version });
        return;
      }
      case REFUSED: {
        const [, , sub, seq, code, text] = message;
        const subscription = channel.subs.get(sub);
        if (subscription !== undefined) this.refused(channel, subscription, seq, code, text);
        return;
      }
      case STATES:
        this.states(channel, message[2]);
        return;
      case CLOSED: {
        const subscription = channel.subs.get(message[2]);
        if (subscription === undefined) return;
        // It ends with what it was to replace; where it is being opened again, that open answers.
        absorb(subscription, (old) => this.forget(old));
        if (this.end(subscription))
          subscription.session.send({ type: 'closed', doc: channel.doc, code: message[3] });
        this.dispose(channel);
        return;
      }
      case OPEN_FAILED: {
        const [, , sub, code, text] = message;
        const subscription = channel.subs.get(sub);
        if (subscription !== undefined) this.openFailed(channel, subscription, code, text);
        return;
      }
      case RESET:
        this.resumeSoon(channel);
        return;
      case LOST: {
        const subscription = channel.subs.get(message[2]);
        if (subscription === undefined) return;
        this.end(subscription);
        subscription.session.close(CLOSE.draining, 'open again');
        this.dispose(channel);
        return;
      }
      default:
        throw new Error(`unknown message ${String(message satisfies never)}`);
    }
  }

  private commit(
    channel: Channel,
    version: number,
    json: Uint8Array | null,
    msgpack: Uint8Array | null,
    acks: readonly number[],
  ): void {
    channel.version = version;
    for (let i = 0; i < acks.length; i += 2) {
      const author = channel.subs.get(acks[i] ?? 0);
      if (author !== undefined) settle(author, acks[i + 1] ?? 0);
    }
    for (const { session } of channel.joined) {
      const frame = session.codec === jsonCodec ? json : msgpack;
      if (frame !== null) session.write(frame);
    }
  }

  private opened(
    channel: Channel,
    subscription: Subscription,
    message: ToGateway & [typeof OPENED, ...unknown[]],
  ): void {
    const [, , , frames, version, history, seqs, complete] = message;
    const { session } = subscription;
    absorb(subscription, (old) => this.forget(old));
    const resumed = subscription.mode === 'resuming';
    channel.history = history;
    channel.failures = 0;
    for (const seq of seqs) settle(subscription, seq);
    subscription.opened = true;
    subscription.request = undefined;
    subscription.version = version;
    for (const frame of frames) session.writeLarge(frame);
    if (session.closed) return;
    if (complete) {
      subscription.mode = 'joined';
      channel.version = version;
      channel.join(subscription);
    } else if (!resumed) subscription.mode = 'catching-up';
    if (resumed && complete) this.sendAgain(channel, subscription);
    if (!complete) this.pull(channel, subscription);
  }

  /** The next chunk, once the reader has taken most of the last. */
  private pull(channel: Channel, subscription: Subscription): void {
    const { chan } = channel;
    if (subscription.session.keepsUp) {
      channel.link?.send([PULL, chan, subscription.sub]);
      return;
    }
    setTimeout(() => {
      const isStill = channel.chan === chan && channel.subs.get(subscription.sub) === subscription;
      if (isStill && !subscription.session.closed) this.pull(channel, subscription);
    }, PULL_MS);
  }

  private sendAgain(channel: Channel, subscription: Subscription): void {
    const { link, chan } = channel;
    const { sub, unanswered, presence } = subscription;
    for (const [seq, { base, op }] of unanswered ?? []) link?.send([SUBMIT, chan, sub, seq, base, op]);
    if (presence !== undefined) link?.send([PRESENCE, chan, sub, presence]);
  }

  private refused(
    channel: Channel,
    subscription: Subscription,
    seq: number,
    code: ErrorCode,
    message: string,
  ): void {
    settle(subscription, seq);
    const { doc } = channel;
    if (FINAL.has(code)) {
      subscription.session.send({ type: 'reject', doc, seq, code: code as FinalSubmitCode, message });
    } else if (code === 'overloaded') this.overloaded(subscription.session, doc, seq, message);
    else
      this.error(subscription.session, code, message, {
        doc,
        seq,
        ...(ERROR_CODES[code] ? { retryAfterMs: RETRY_AFTER_MS } : {}),
      });
  }

  private states(channel: Channel, states: readonly (string | null)[]): void {
    const changed = new Map<string, Json>();
    for (let i = 0; i < states.length; i += 2) {
      const text = states[i + 1];
      changed.set(states[i] ?? '', typeof text === 'string' ? (JSON.parse(text) as Json) : null);
    }
    const frames = new Map<unknown, Uint8Array>();
    for (const { session } of channel.joined) {
      if (!session.keepsUp) continue;
      if (session.client !== undefined && changed.has(session.client)) {
        const others = Object.fromEntries([...changed].filter(([client]) => client !== session.client));
        if (changed.size > 1) session.send({ type: 'presence', doc: channel.doc, states: others });
        continue;
      }
      let frame = frames.get(session.codec);
      if (frame === undefined) {
        frame = session.frame({ type: 'presence', doc: channel.doc, states: Object.fromEntries(changed) });
        frames.set(session.codec, frame);
      }
      session.write(frame);
    }
  }

  private openFailed(channel: Channel, subscription: Subscription, code: ErrorCode, message: string): void {
    const { session, unanswered } = subscription;
    const { doc } = channel;
    const isLast = session.open.get(doc) === subscription;
    const comesBack = subscription.opened && (ERROR_CODES[code] || code === 'internal');
    // Who waits with the document is told to try again; the subscription itself goes on.
    for (const seq of isLast || comesBack ? [...(unanswered?.keys() ?? [])] : []) {
      settle(subscription, seq);
      if (ERROR_CODES[code])
        this.error(session, 'unavailable', message, { doc, seq, retryAfterMs: RETRY_AFTER_MS });
      else this.error(session, 'not-open', message, { doc, seq });
    }
    if (comesBack) {
      // The whole channel comes back under a new number: what the owner has under the old one ends.
      for (const other of channel.subs.values()) {
        if (other !== subscription) channel.link?.send([CLOSE_MESSAGE, channel.chan, other.sub]);
      }
      this.resumeSoon(channel);
      return;
    }
    this.end(subscription);
    if (subscription.opened) session.close(CLOSE.draining, 'open again');
    else {
      this.error(session, code, message, {
        ...(subscription.request?.id === undefined ? {} : { id: subscription.request.id }),
        doc,
        ...(ERROR_CODES[code] ? { retryAfterMs: RETRY_AFTER_MS } : {}),
      });
    }
    this.dispose(channel);
  }

  // Change of owner

  lost(link: OwnerLink): void {
    for (const channel of this.channels.values()) {
      if (channel.link !== link) continue;
      channel.link = undefined;
      this.suspend(channel);
    }
  }

  changed(): void {
    for (const channel of [...this.channels.values()]) if (channel.link === undefined) this.resume(channel);
  }

  /** From now on what the old owner said of these subscriptions does not count. */
  private suspend(channel: Channel): void {
    clearTimeout(channel.retry);
    for (const subscription of channel.subs.values()) {
      if (subscription.mode === 'joined') subscription.version = channel.version;
      subscription.mode = subscription.opened ? 'resuming' : 'opening';
      channel.leave(subscription);
    }
    this.byNumber.delete(channel.chan);
    channel.chan = ++this.lastChan;
    this.byNumber.set(channel.chan, channel);
  }

  private resumeSoon(channel: Channel): void {
    this.suspend(channel);
    channel.link = undefined;
    const delay = Math.min(RESUME_MAX_MS, RESUME_FIRST_MS * 2 ** channel.failures++);
    channel.retry = setTimeout(() => this.resume(channel), delay * (0.5 + this.options.random() / 2));
  }

  private resume(channel: Channel): void {
    clearTimeout(channel.retry);
    channel.retry = undefined;
    const { router } = this.options;
    channel.link = router.linkOf(channel.doc);
    if (channel.link === undefined) return;
    if (router.isQuarantined(channel.doc)) {
      for (const subscription of [...channel.subs.values()]) {
        this.openFailed(channel, subscription, 'unavailable', 'this document is quarantined');
      }
      return;
    }
    const all = [...channel.subs.values()];
    channel.subs.clear();
    for (const subscription of all) this.subscribe(subscription, true);
    for (const subscription of all) {
      // What was submitted before its `opened` came goes again behind its open.
      if (!subscription.opened) this.sendAgain(channel, subscription);
    }
  }
}

/** A submit has its answer, or nobody waits for it any more. */
function settle(subscription: Subscription, seq: number): void {
  const { unanswered } = rootOf(subscription);
  const submit = unanswered?.get(seq);
  if (submit === undefined) return;
  unanswered?.delete(seq);
  subscription.session.unansweredBytes -= submit.op.length;
}

/** Takes the place of what it was to replace, submits included. */
function absorb(subscription: Subscription, forget: (old: Subscription) => void): void {
  const root = rootOf(subscription);
  if (root === subscription) return;
  subscription.unanswered = root.unanswered;
  root.unanswered = undefined;
  if (root.mode === 'resuming') subscription.mode = 'resuming';
  for (let old = subscription.before; old !== undefined; old = old.before) forget(old);
  subscription.before = undefined;
}

/** Where a document is being opened again: the first subscription, which has the submits until the next one is opened. */
function rootOf(subscription: Subscription): Subscription {
  let root = subscription;
  while (root.before !== undefined) root = root.before;
  return root;
}

type About = { id?: RequestId; doc?: string; seq?: number; retryAfterMs?: number };

const TOO_LARGE = { code: 'too-large', message: 'the patch is above limits.opBytes' } as const;

function idOf(message: Record<string, unknown>): { id?: RequestId } {
  const { id } = message;
  // Half a surrogate pair is no text in MessagePack.
  return (typeof id === 'string' && id.isWellFormed()) || typeof id === 'number' ? { id } : {};
}

/** What an error tells of the message it answers. */
function echo(message: Record<string, unknown>): About {
  const { doc, seq } = message;
  return {
    ...idOf(message),
    ...(typeof doc === 'string' && doc.length <= 264 && doc.isWellFormed() ? { doc } : {}),
    ...(message.type === 'submit' && isSeq(seq) ? { seq } : {}),
  };
}
