// Checks the clients' requests: names, values, rates and limits. A valid request goes to the document's
// owner, or waits for one within the limits; an invalid one is answered here. A patch is checked only for its
// shape.
// Over 400 lines because all requests share one order of checks, and one table of parts.
import { BEHIND_OPEN } from '../../actors/link/left-open.ts';
import {
  CHECK_OP,
  jsonOp,
  type LinkOp,
  READ_ONLY,
  refusedOp,
  STATELESS,
  SUBMIT,
  SYNC_OP,
  UPDATE_OP,
} from '../../actors/link/link-messages.ts';
import { NOT_FOUND } from '../../actors/link/missing-document.ts';
import { markedText, type PresenceMark } from '../../actors/link/presence-text.ts';
import { METRICS } from '../../actors/metrics/metrics.ts';
import type { ThreadCounts } from '../../actors/metrics/thread-counts.ts';
import type { Router } from '../../cluster/shards/router.ts';
import { base64Size } from '../../protocol/base64.ts';
import type { Codec } from '../../protocol/codec.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { KindName, Role } from '../../protocol/messages.ts';
import { isSeq, isVersion, parseDocumentName } from '../../protocol/names.ts';
import { isLarger, notPlain } from '../../protocol/plain-value.ts';
import { isAtLeast } from '../../protocol/roles.ts';
import type { DecidedRole } from '../identity/user.ts';
import type { ClientConnection } from './client-connection.ts';
import type { EditClock } from './edit-clock.ts';
import { isPatchLarger } from './frames/patch-size.ts';
import { CutPatch } from './frames/submit-frame.ts';
import { echo, idOf, type Replies, TOKEN_ENDED } from './replies.ts';
import type { LargeAnswers } from './sockets/large-answers.ts';
import { takeOpen, takePresence, takeSubmit } from './sockets/rates.ts';
import type { Channels } from './subscriptions/channels.ts';
import type { OwnerChanges } from './subscriptions/owner-changes.ts';
import { Subscription } from './subscriptions/subscription.ts';
import { rootOf, type Subscriptions } from './subscriptions/subscriptions.ts';
import { Unanswered } from './subscriptions/unanswered.ts';
import { isAnswered, type WaitingCloses } from './subscriptions/waiting-closes.ts';
import type { Rights } from './users/rights.ts';
import type { RoleQuestions } from './users/role-questions.ts';

export interface RequestsOptions {
  readonly limits: Limits;
  readonly router: Router;
  /** Bytes of one socket's patches that may wait for their answers. */
  readonly unansweredBytes: number;
  /** ms that never go back. Their zero has no meaning. */
  readonly now: () => number;
  /** ms since 1970, as clients and other nodes are told them. */
  readonly time: () => number;
}

export interface RequestsParts {
  readonly channels: Channels;
  readonly subscriptions: Subscriptions;
  readonly owners: OwnerChanges;
  readonly replies: Replies;
  readonly large: LargeAnswers;
  readonly questions: RoleQuestions;
  readonly closes: WaitingCloses;
  readonly rights: Rights;
  readonly counts: ThreadCounts;
  readonly editClock: EditClock;
}

type Message = Record<string, unknown>;

const KINDS: ReadonlySet<unknown> = new Set<KindName>(['json', 'rich-text', 'yjs']);
/** Levels that a patch may nest beyond `limits.depth`: its list of steps, and a step. */
export const BEYOND_DEPTH = 2;
const TOO_LARGE = refusedOp('too-large', 'the patch is above limits.opBytes');
const WRONG_BASE = refusedOp('bad-op', 'base: a version');
const REFUSED_READER = refusedOp('forbidden', READ_ONLY);

export class Requests {
  readonly #options: RequestsOptions;
  readonly #limits: Limits;
  readonly #channels: Channels;
  readonly #subscriptions: Subscriptions;
  readonly #owners: OwnerChanges;
  readonly #replies: Replies;
  readonly #large: LargeAnswers;
  readonly #questions: RoleQuestions;
  readonly #closes: WaitingCloses;
  readonly #rights: Rights;
  readonly #counts: ThreadCounts;
  readonly #editClock: EditClock;

  constructor(options: RequestsOptions, parts: RequestsParts) {
    this.#options = options;
    this.#limits = options.limits;
    this.#channels = parts.channels;
    this.#subscriptions = parts.subscriptions;
    this.#owners = parts.owners;
    this.#replies = parts.replies;
    this.#large = parts.large;
    this.#questions = parts.questions;
    this.#closes = parts.closes;
    this.#rights = parts.rights;
    this.#counts = parts.counts;
    this.#editClock = parts.editClock;
  }

  open(connection: ClientConnection, message: Message): void {
    const name = this.#nameOf(connection, message);
    if (name === undefined || !this.#mayOpen(connection, name, message)) return;
    this.#decide(connection, name, message);
  }

  /** Tells the user's role in a document, which need not be open and may not exist. It takes no part in the rates of opens. */
  access(connection: ClientConnection, message: Message): void {
    const name = this.#nameOf(connection, message);
    if (name === undefined) return;
    if (connection.hasEnded) this.#replies.ended(connection, echo(message));
    else this.#decide(connection, name, message);
  }

  #decide(connection: ClientConnection, name: string, message: Message): void {
    const { user } = connection;
    const role = user?.roleIn(name);
    if (user !== undefined && role instanceof Promise)
      this.#questions.ask(connection, name, message, user, role);
    else if (!(role instanceof Promise))
      this.decided(connection, name, message, { role, until: Number.POSITIVE_INFINITY });
  }

  /** Goes on with an `open` or `access` whose role has been decided. */
  decided(connection: ClientConnection, name: string, message: Message, decided: DecidedRole): void {
    const { role, until } = decided;
    // The document is not looked for, so not even the time of the answer tells whether it exists.
    if (role === undefined) this.#replies.error(connection, 'not-found', NOT_FOUND, echo(message));
    else if (message.type === 'access') connection.send({ type: 'role', doc: name, role });
    else this.#openAs(connection, name, message, role, until);
  }

  #openAs(connection: ClientConnection, name: string, message: Message, role: Role, until: number): void {
    const { kind, since, history, vector } = message;
    const channel = this.#channels.of(name);
    const wait = channel.quota?.takeOpen(this.#options.now()) ?? 0;
    if (wait > 0) {
      this.#channels.dispose(channel);
      const about = { ...echo(message), retryAfterMs: wait };
      this.#replies.error(connection, 'rate-limited', 'too many opens in this organisation', about);
      return;
    }
    const before = connection.open.get(name);
    if (before !== undefined) rootOf(before).unanswered?.openedAnew();
    if (channel.subs.size === 0) this.#owners.enter(channel);
    const subscription = new Subscription({
      connection,
      channel,
      role,
      askedAt: this.#options.time(),
      request: {
        ...(KINDS.has(kind) ? { kind: kind as KindName } : {}),
        ...(isVersion(since) ? { since } : {}),
        ...(typeof history === 'string' ? { history } : {}),
        ...(connection.codec === undefined && vector instanceof Uint8Array ? { vector } : {}),
        ...idOf(message),
      },
      before,
    });
    connection.open.set(subscription);
    this.#rights.decided(connection, subscription, until);
    if (!this.#subscriptions.subscribe(subscription))
      this.#owners.openFailed(channel, subscription, 'overloaded', 'the owner is behind');
    else if (channel.link === undefined) this.#owners.waitForOwner(channel);
  }

  #mayOpen(connection: ClientConnection, name: string, message: Message): boolean {
    const { kind, since, history } = message;
    const wrong =
      kind !== undefined && kind !== null && !KINDS.has(kind)
        ? 'kind: json, rich-text or yjs'
        : since !== undefined && since !== null && !isVersion(since)
          ? 'since: a version'
          : history !== undefined && history !== null && typeof history !== 'string'
            ? 'history: as `opened` told it'
            : undefined;
    const { openDocuments } = this.#limits;
    const { waiting } = connection;
    if (wrong !== undefined) {
      this.#replies.error(connection, 'bad-message', wrong, echo(message));
      return false;
    }
    if (connection.hasEnded) {
      this.#replies.ended(connection, echo(message));
      return false;
    }
    const isFurther = connection.open.get(name) === undefined && waiting?.holds(name) !== true;
    if (isFurther && openOrAskedFor(connection) >= openDocuments) {
      const text = `a socket may have ${openDocuments} documents open`;
      this.#replies.error(connection, 'overloaded', text, echo(message));
      return false;
    }
    const now = this.#options.now();
    const wait = takeOpen(connection, this.#limits, now) || (connection.quota?.takeOpen(now) ?? 0);
    if (wait > 0) {
      const about = { ...echo(message), retryAfterMs: wait };
      this.#replies.error(connection, 'rate-limited', 'too many opens', about);
      return false;
    }
    if (this.#large.isNearlyFull) {
      this.#replies.later(connection, 'overloaded', 'too many large answers are on their way', echo(message));
      return false;
    }
    return true;
  }

  submit(connection: ClientConnection, message: Message, bytes: number): void {
    const { doc, seq, base, op } = message;
    if (!isSeq(seq)) {
      this.#replies.error(connection, 'bad-message', 'seq: an integer from 1 to 2^53 - 1', echo(message));
      return;
    }
    const current = typeof doc === 'string' ? connection.open.get(doc) : undefined;
    if (current === undefined) {
      if (this.#nameOf(connection, message) !== undefined) {
        this.#replies.error(connection, 'not-open', 'open the document first', { doc: String(doc), seq });
      }
      return;
    }
    const subscription = rootOf(current);
    const { channel } = subscription;
    subscription.unanswered ??= new Unanswered();
    const { unanswered } = subscription;
    const now = this.#options.now();
    const wait =
      takeSubmit(connection, this.#limits, now) ||
      (connection.quota?.takeEdit(bytes, now) ?? 0) ||
      (channel.quota?.takeEdit(bytes, now) ?? 0);
    const behind = unanswered.arrives(seq);
    if (behind !== undefined) {
      this.#replies.later(connection, behind, BEHIND_OPEN, { doc: channel.doc, seq });
      return;
    }
    if (wait > 0) {
      unanswered.leave(seq, 'rate-limited');
      const about = { doc: channel.doc, seq, retryAfterMs: wait };
      this.#replies.error(connection, 'rate-limited', 'too many submits', about);
      return;
    }
    if (connection.hasEnded) {
      unanswered.leave(seq, 'unavailable');
      this.#replies.later(connection, 'unavailable', TOKEN_ENDED, { doc: channel.doc, seq });
      return;
    }
    // The owner answers, because it knows whether this seq was committed before the right was lost.
    const linkOp = isAtLeast(subscription.role, 'editor')
      ? isWrongBase(base, op)
        ? WRONG_BASE
        : this.#linkOp(connection.codec, op, bytes)
      : readersOp(op);
    if (unanswered.size >= this.#limits.inflight && unanswered.get(seq) === undefined) {
      this.#overloaded(subscription, unanswered, seq, 'too many submits without an answer');
      return;
    }
    if (
      connection.unansweredBytes + linkOp[1].length > this.#options.unansweredBytes &&
      unanswered.size > 0
    ) {
      this.#overloaded(subscription, unanswered, seq, 'too many bytes without an answer');
      return;
    }
    const submit = { seq, base: isVersion(base) ? base : -1, op: linkOp };
    const { link } = channel;
    if (link === undefined && this.#owners.refusesSubmit(channel, subscription, seq)) {
      unanswered.leave(seq, 'unavailable');
      return;
    }
    const goesOn = link !== undefined && subscription.mode !== 'resuming';
    if (
      goesOn &&
      !link.offer([SUBMIT, channel.channelId, subscription.subscriptionId, seq, submit.base, submit.op])
    ) {
      this.#overloaded(subscription, unanswered, seq, 'the owner of this document is behind');
      return;
    }
    connection.countUnanswered(linkOp[1].length - (unanswered.get(seq)?.op[1].length ?? 0));
    unanswered.set(submit, this.#editClock.arrival());
    this.#counts.count(METRICS.editsTaken);
  }

  /**
   * The patch, or the reason why it is refused. The size of a SYNC_OP has been checked. The owner answers refused patches too, because it knows the
   * fate of the seq.
   */
  #linkOp(codec: Codec | undefined, op: unknown, frameBytes: number): LinkOp {
    if (op instanceof CutPatch)
      return op.encoding !== SYNC_OP && isPatchLarger(op, this.#limits.opBytes)
        ? TOO_LARGE
        : [op.encoding, unpinned(op.bytes)];
    if (op instanceof Uint8Array) return op.length > this.#limits.opBytes ? TOO_LARGE : [UPDATE_OP, op];
    if (op === undefined || codec === undefined) return refusedOp('bad-op', 'op is missing');
    if (typeof op === 'string' && codec.binary) return refusedOp('bad-op', 'bytes are bin in MessagePack');
    // The size is checked first, so that a patch that is too large is neither walked further nor written
    // again.
    const { opBytes } = this.#limits;
    if (frameBytes > opBytes && (typeof op === 'string' ? base64Size(op) > opBytes : isLarger(op, opBytes)))
      return TOO_LARGE;
    // The gateway looks no deeper than the walk needs. The kind interprets the patch.
    const wrong = notPlain(op, this.#limits.depth + BEYOND_DEPTH);
    if (wrong !== undefined) return refusedOp('bad-op', wrong);
    const text = JSON.stringify(op);
    if (frameBytes > opBytes && typeof op !== 'string' && codec.encodedBytes(op) > opBytes) return TOO_LARGE;
    return jsonOp(text);
  }

  presence(connection: ClientConnection, message: Message): void {
    const subscription = this.#speaking(connection, message, 'a viewer has no presence');
    if (subscription === undefined) return;
    const { data } = message;
    if (isLarger(data, this.#limits.presenceBytes)) {
      this.#presenceTooLarge(connection, message);
      return;
    }
    const wrong = data === undefined ? 'data is missing' : notPlain(data, this.#limits.depth);
    if (wrong !== undefined) {
      this.#replies.error(connection, 'bad-message', wrong, echo(message));
      return;
    }
    const wait = this.#takePresence(connection, subscription);
    if (wait > 0) {
      const about = { ...echo(message), retryAfterMs: wait };
      this.#replies.error(connection, 'rate-limited', 'too many presence messages', about);
      return;
    }
    const { presenceBytes } = this.#limits;
    const text = data === null ? null : JSON.stringify(data);
    if (text !== null && Buffer.byteLength(text) > presenceBytes) {
      this.#presenceTooLarge(connection, message);
      return;
    }
    const mark = connection.codec === undefined ? (message.mark as PresenceMark | undefined) : undefined;
    this.#subscriptions.setPresence(
      subscription,
      text === null || mark === undefined ? text : markedText(mark, text),
    );
  }

  #presenceTooLarge(connection: ClientConnection, message: Message): void {
    const text = `presence: at most ${this.#limits.presenceBytes} bytes`;
    this.#replies.error(connection, 'too-large', text, echo(message));
  }

  /** Passes on a message that is kept nowhere. It counts as a presence message. */
  stateless(connection: ClientConnection, message: Message): void {
    const subscription = this.#speaking(connection, message, 'a viewer sends nothing to the others');
    if (subscription === undefined) return;
    const wait = this.#takePresence(connection, subscription);
    const { channel, mode, subscriptionId } = rootOf(subscription);
    const { payload } = message;
    if (wait > 0) this.#replies.error(connection, 'rate-limited', 'too many messages', echo(message));
    else if (typeof payload === 'string' && mode !== 'resuming')
      channel.link?.offer([STATELESS, channel.channelId, subscriptionId, payload]);
  }

  /** The open document in which the user may say something to the others. Otherwise the client is told why not. */
  #speaking(connection: ClientConnection, message: Message, refusal: string): Subscription | undefined {
    const subscription = this.#openOf(connection, message);
    if (subscription === undefined) return undefined;
    if (connection.hasEnded) this.#replies.ended(connection, echo(message));
    else if (isAtLeast(subscription.role, 'commenter')) return subscription;
    else this.#replies.error(connection, 'forbidden', refusal, echo(message));
    return undefined;
  }

  /** Takes one presence message from all rates that bound it. Returns 0, or the ms after which there is one. */
  #takePresence(connection: ClientConnection, subscription: Subscription): number {
    const now = this.#options.now();
    return (
      takePresence(connection, this.#limits, now) ||
      (connection.quota?.takePresence(now) ?? 0) ||
      (subscription.channel.quota?.takePresence(now) ?? 0)
    );
  }

  /**
   * A close waits for the answers to what the client sent about the document before. A client of another protocol
   * awaits no `closed`, and is gone.
   */
  close(connection: ClientConnection, message: Message): void {
    const subscription = this.#openOf(connection, message);
    if (subscription === undefined) return;
    const { doc } = subscription.channel;
    if (connection.codec !== undefined && !isAnswered(connection, doc)) {
      if (subscription.presence !== undefined) this.#subscriptions.setPresence(subscription, null);
      this.#closes.wait(connection, doc, message);
      return;
    }
    connection.open.delete(doc);
    this.#subscriptions.unsubscribe(subscription);
    connection.send({ type: 'closed', ...idOf(message), doc });
  }

  #openOf(connection: ClientConnection, message: Message): Subscription | undefined {
    const name = this.#nameOf(connection, message);
    if (name === undefined) return undefined;
    const subscription = connection.open.get(name);
    if (subscription === undefined)
      this.#replies.error(connection, 'not-open', 'open the document first', echo(message));
    return subscription;
  }

  #nameOf(connection: ClientConnection, message: Message): string | undefined {
    const { doc } = message;
    if (typeof doc === 'string' && parseDocumentName(doc) !== undefined) return doc;
    this.#replies.error(connection, 'bad-name', 'no name of a document', echo(message));
    return undefined;
  }

  #overloaded(
    { connection, channel }: Subscription,
    unanswered: Unanswered,
    seq: number,
    message: string,
  ): void {
    unanswered.leave(seq, 'overloaded');
    this.#replies.later(connection, 'overloaded', message, { doc: channel.doc, seq });
  }
}

/** Documents of the socket that are open, or whose role is being asked for. */
function openOrAskedFor({ open, waiting }: ClientConnection): number {
  let count = open.size;
  for (const doc of waiting?.names() ?? []) if (open.get(doc) === undefined) count++;
  return count;
}

/**
 * The patch of a client that may only read. The owner tells whether the document has everything in it already; then it is
 * acknowledged.
 */
const readersOp = (op: unknown): LinkOp =>
  op instanceof CutPatch && op.encoding === SYNC_OP ? [CHECK_OP, unpinned(op.bytes)] : REFUSED_READER;

/** True if the base is no version. It has no meaning for bytes, or their base64: only `yjs` takes such a patch. */
const isWrongBase = (base: unknown, op: unknown): boolean =>
  base !== undefined &&
  base !== null &&
  !isVersion(base) &&
  typeof op !== 'string' &&
  !(op instanceof Uint8Array);

/** Memory beyond the patch that an unanswered patch may keep alive: the rest of its frame. */
const PINNED_BYTES = 1024;

/** The same bytes, in a buffer that is not much larger. */
const unpinned = (bytes: Uint8Array): Uint8Array =>
  bytes.buffer.byteLength - bytes.length <= Math.max(PINNED_BYTES, bytes.length) ? bytes : Buffer.from(bytes);
