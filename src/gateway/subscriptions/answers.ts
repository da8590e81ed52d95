// Brings the owners' messages to the sockets: commits and answers as ready-made frames, presence by
// presence-answers.ts. It records the state that a change of owner must not lose (the version told last and the
// unanswered submits), and leaves the change itself to owner-changes.ts.
import type { Clock } from '../../../actors/clock.ts';
import type { ToGateway } from '../../../actors/link/link-messages.ts';
import {
  ACK,
  ANSWER,
  CLOSE,
  CLOSED,
  COMMIT,
  FORGET,
  LOST,
  NOT_OWNER,
  OPEN_FAILED,
  OPENED,
  PULL,
  REFUSED,
  RESET,
  SNAPSHOT,
  STATELESS_FROM,
  STATES,
} from '../../../actors/link/link-messages.ts';
import { METRICS } from '../../../actors/metrics/metrics.ts';
import type { ThreadCounts } from '../../../actors/metrics/thread-counts.ts';
import type { OwnerLink } from '../../../cluster/shards/owner-link.ts';
import { jsonCodec } from '../../../protocol/codec.ts';
import {
  CLOSE_CODES,
  type ErrorCode,
  FINAL_SUBMIT_CODES,
  type FinalSubmitCode,
  isOpenSubmitCode,
} from '../../../protocol/errors.ts';
import { SharedFrames } from '../../yjs/shared-frames.ts';
import { UPDATE_TYPES } from '../../yjs/wire/body.ts';
import { STATELESS_TYPES } from '../../yjs/wire/hocuspocus.ts';
import type { OwnerCalls } from '../calls/owner-calls.ts';
import type { ClientConnection } from '../client-connection.ts';
import { type EditClock, secondsBetween } from '../edit-clock.ts';
import type { Replies } from '../replies.ts';
import type { LargeAnswer, LargeAnswers } from '../sockets/large-answers.ts';
import type { Channel } from './channel.ts';
import type { Channels } from './channels.ts';
import type { OwnerChanges } from './owner-changes.ts';
import { type OwnerSnapshot, OwnerSnapshots } from './owner-snapshots.ts';
import { PresenceAnswers } from './presence-answers.ts';
import type { Subscription } from './subscription.ts';
import { committed, committedTo, ENDED, leaveOpen, rejected, type Subscriptions } from './subscriptions.ts';

const FINAL: ReadonlySet<string> = new Set(FINAL_SUBMIT_CODES);
/**
 * A catch-up asks for its next chunk only after the reader has taken most of the last. This is how often that is checked.
 */
const PULL_MS = 20;

/** Messages about one subscription, whose number stands behind that of the channel. */
const ABOUT_ONE: ReadonlySet<number> = new Set([OPENED, ACK, REFUSED, CLOSED, OPEN_FAILED, LOST]);

/** The state vector of a document without content. */
const EMPTY_VECTOR = Uint8Array.of(0);

type ForChannel = Exclude<ToGateway, { readonly 0: typeof SNAPSHOT | typeof FORGET | typeof ANSWER }>;

export interface AnswersParts {
  readonly after: Clock['after'];
  readonly now: Clock['now'];
  /** ms since 1970. */
  readonly time: () => number;
  readonly channels: Channels;
  readonly subscriptions: Subscriptions;
  readonly owners: OwnerChanges;
  readonly calls: OwnerCalls;
  readonly replies: Replies;
  readonly large: LargeAnswers;
  readonly counts: ThreadCounts;
  readonly editClock: EditClock;
}

export class Answers {
  readonly #after: Clock['after'];
  readonly #presence: PresenceAnswers;
  readonly #channels: Channels;
  readonly #subscriptions: Subscriptions;
  readonly #owners: OwnerChanges;
  readonly #calls: OwnerCalls;
  readonly #replies: Replies;
  readonly #large: LargeAnswers;
  readonly #counts: ThreadCounts;
  readonly #editClock: EditClock;
  readonly #snapshots = new OwnerSnapshots();
  /** When the messages that are taken now came, in ticks of the clock of edits. */
  #now = 0;

  constructor(parts: AnswersParts) {
    this.#after = parts.after;
    this.#presence = new PresenceAnswers(parts, parts.time);
    this.#channels = parts.channels;
    this.#subscriptions = parts.subscriptions;
    this.#owners = parts.owners;
    this.#calls = parts.calls;
    this.#replies = parts.replies;
    this.#large = parts.large;
    this.#counts = parts.counts;
    this.#editClock = parts.editClock;
  }

  take(link: OwnerLink, messages: readonly ToGateway[]): void {
    this.#now = this.#editClock.now();
    for (const message of messages) {
      if (message[0] === SNAPSHOT) {
        this.#snapshots.add(link, message[1], message[2]);
        continue;
      }
      if (message[0] === FORGET) {
        this.#snapshots.forget(link, message[1]);
        continue;
      }
      if (message[0] === ANSWER) {
        this.#calls.answered(link, message[1], message[2], message[3], this.#snapshots);
        continue;
      }
      const channel = this.#channels.numbered(message[1]);
      if (channel === undefined) continue;
      try {
        this.#takeOne(link, channel, message);
      } catch (error) {
        this.#breakOff(channel, message, error);
      }
    }
  }

  /** Ends the subscription that the message is about, or all of the channel if it is about no single one. */
  #breakOff(channel: Channel, message: ForChannel, error: unknown): void {
    const one = ABOUT_ONE.has(message[0]) && typeof message[2] === 'number' ? message[2] : undefined;
    for (const subscription of [...channel.subs.values()])
      if (one === undefined || subscription.subscriptionId === one)
        this.#subscriptions.breakOff(subscription, error);
  }

  /** The owner behind the link is gone. */
  lost(link: OwnerLink): void {
    this.#snapshots.lost(link);
  }

  #takeOne(link: OwnerLink, channel: Channel, message: ForChannel): void {
    switch (message[0]) {
      case COMMIT: {
        const [, , version, json, msgpack, acks, updates] = message;
        this.#commit(channel, version, json, msgpack, acks, updates);
        return;
      }
      case OPENED: {
        const subscription = channel.subs.get(message[2]);
        if (subscription !== undefined) this.#opened(link, channel, subscription, message);
        return;
      }
      case ACK: {
        const [, , subscriptionId, seq, version] = message;
        const subscription = channel.subs.get(subscriptionId);
        if (subscription === undefined) return;
        committed(subscription, seq);
        this.#counts.count(METRICS.editsRepeated);
        subscription.connection.send({ type: 'ack', doc: channel.doc, seq, version });
        return;
      }
      case REFUSED: {
        const [, , subscriptionId, seq, code, text] = message;
        const subscription = channel.subs.get(subscriptionId);
        if (subscription !== undefined) this.#refused(channel, subscription, seq, code, text);
        return;
      }
      case STATES:
        this.#presence.states(channel, message[2]);
        return;
      case STATELESS_FROM:
        passOn(channel, message[2], message[3]);
        return;
      case CLOSED: {
        const subscription = channel.subs.get(message[2]);
        if (subscription === undefined) return;
        // The subscription ends together with those that it was to replace. If the document is being opened
        // again, that open answers the client.
        this.#subscriptions.absorb(subscription);
        if (this.#subscriptions.end(subscription))
          subscription.connection.send({
            type: 'closed',
            doc: channel.doc,
            code: message[3],
            message: ENDED[message[3]],
          });
        this.#channels.dispose(channel);
        return;
      }
      case OPEN_FAILED: {
        const [, , subscriptionId, code, text, retryAfterMs] = message;
        const subscription = channel.subs.get(subscriptionId);
        if (subscription !== undefined)
          this.#owners.openFailed(channel, subscription, code, text, retryAfterMs);
        return;
      }
      case RESET:
      case NOT_OWNER:
        this.#owners.dropped(channel);
        return;
      case LOST: {
        const subscription = channel.subs.get(message[2]);
        if (subscription === undefined) return;
        this.#subscriptions.end(subscription);
        subscription.connection.close(CLOSE_CODES.draining, 'open again');
        this.#channels.dispose(channel);
        return;
      }
      default:
        throw new Error(`unknown message ${String(message satisfies never)}`);
    }
  }

  #commit(
    channel: Channel,
    version: number,
    json: Uint8Array | null,
    msgpack: Uint8Array | null,
    acks: readonly number[],
    updates: readonly Uint8Array[] | undefined,
  ): void {
    const counts = this.#counts;
    channel.version = version;
    let author: Subscription | undefined;
    for (let i = 0; i < acks.length; i += 2) {
      author = channel.subs.get(acks[i] ?? 0);
      if (author !== undefined) this.#committed(author, acks[i + 1] ?? 0);
    }
    const frames: CommitFrames = {
      // A stream copies bytes that are no Buffer into one, anew for each reader.
      text: json && asBuffer(json),
      packed: msgpack && asBuffer(msgpack),
      shared: updates && new SharedFrames(UPDATE_TYPES, updates),
    };
    // An author who waits for the answer comes before the other readers: each write takes some microseconds.
    const first = author !== undefined && author.index >= 0 ? author.connection : undefined;
    let bytes = first === undefined ? 0 : writeCommit(first, frames);
    for (const connection of channel.readers)
      if (connection !== first) bytes += writeCommit(connection, frames);
    counts.count(METRICS.deliveries, channel.readers.length);
    counts.count(METRICS.deliveredBytes, bytes);
  }

  #committed(author: Subscription, seq: number): void {
    const takenAt = committed(author, seq);
    if (takenAt === undefined) return;
    author.connection.conversation?.committed(seq);
    this.#counts.observe(METRICS.editSeconds, secondsBetween(takenAt, this.#now));
  }

  #opened(
    link: OwnerLink,
    channel: Channel,
    subscription: Subscription,
    message: ToGateway & [typeof OPENED, ...unknown[]],
  ): void {
    const [, channelId, subscriptionId, frames, version, history, seqs, complete, lastSeq] = message;
    const [, , , , , , , , , number, state, present = []] = message;
    const { connection } = subscription;
    const { conversation } = connection;
    channel.endWait();
    const shared = typeof number === 'number' ? this.#snapshots.get(link, number) : undefined;
    if (typeof number === 'number' && shared === undefined)
      throw new Error(`an owner refers to snapshot ${number}, which it has not sent`);
    const answer =
      conversation === undefined
        ? answerOf(frames, shared)
        : conversation.answer({
            updates: frames,
            shared,
            isComplete: complete,
            isResumed: subscription.mode === 'resuming',
            vector: state?.vector ?? EMPTY_VECTOR,
            states: this.#presence.awarenessFor(channel, subscription, state?.states ?? []),
          });
    // An open of a document that this socket had open already has replaced the earlier one at the owner: it
    // cannot be refused any more.
    const mayRefuse = !subscription.opened && subscription.before === undefined;
    if (mayRefuse && !this.#large.fits(answer)) {
      channel.link?.send([CLOSE, channelId, subscriptionId]);
      this.#owners.openFailed(channel, subscription, 'overloaded', 'too many large answers are on their way');
      return;
    }
    this.#subscriptions.absorb(subscription);
    const resumed = subscription.mode === 'resuming';
    channel.history = history;
    channel.present.add(present);
    if (resumed) this.#presence.resumed(channel);
    for (const seq of seqs) this.#committed(subscription, seq);
    committedTo(subscription, lastSeq);
    const isFirst = !subscription.opened;
    subscription.opened = true;
    subscription.request = undefined;
    connection.waiting?.changed(channel.doc);
    subscription.version = version;
    this.#large.write(connection, answer);
    if (connection.closed) return;
    if (isFirst && subscription.askedRole !== subscription.role)
      connection.send({ type: 'role', doc: channel.doc, role: subscription.role });
    if (complete) {
      subscription.setMode('joined');
      channel.version = version;
      channel.join(subscription);
    } else if (!resumed) subscription.setMode('catching-up');
    if (resumed && complete) this.#subscriptions.sendAgain(subscription);
    conversation?.opened(complete);
    if (!complete) this.#pull(channel, subscription);
  }

  /** Asks for the next chunk once the reader has taken most of the last. */
  #pull(channel: Channel, subscription: Subscription): void {
    const { channelId } = channel;
    if (subscription.connection.keepsUp) {
      channel.link?.send([PULL, channelId, subscription.subscriptionId]);
      return;
    }
    this.#after(PULL_MS, () => {
      const isStill =
        channel.channelId === channelId && channel.subs.get(subscription.subscriptionId) === subscription;
      if (isStill && !subscription.connection.closed) this.#pull(channel, subscription);
    });
  }

  #refused(
    channel: Channel,
    subscription: Subscription,
    seq: number,
    code: ErrorCode,
    message: string,
  ): void {
    if (isOpenSubmitCode(code)) leaveOpen(subscription, seq, code);
    else rejected(subscription, seq);
    const { connection } = subscription;
    const { doc } = channel;
    if (FINAL.has(code)) {
      this.#counts.countAs(METRICS.editsRejected, code as FinalSubmitCode);
      connection.send({ type: 'reject', doc, seq, code: code as FinalSubmitCode, message });
    } else this.#replies.later(connection, code, message, { doc, seq });
  }
}

/** One commit, in each form that a reader of it needs. */
interface CommitFrames {
  readonly text: Buffer | null;
  readonly packed: Buffer | null;
  readonly shared: SharedFrames | undefined;
}

/** Returns the bytes that were written. */
function writeCommit(connection: ClientConnection, { text, packed, shared }: CommitFrames): number {
  const { codec, conversation } = connection;
  if (codec === undefined) return shared === undefined ? 0 : (conversation?.write(shared) ?? 0);
  const frame = codec === jsonCodec ? text : packed;
  if (frame === null) return 0;
  connection.write(frame);
  return frame.length;
}

/** A message is left out for a reader that does not keep up, as presence is. */
function passOn({ subs }: Channel, authorId: number, payload: string): void {
  const frames = new SharedFrames(STATELESS_TYPES, [encoder.encode(payload)]);
  for (const { subscriptionId, connection, opened } of subs.values())
    if (opened && subscriptionId !== authorId && connection.keepsUp)
      connection.conversation?.writeStateless(frames);
}

const encoder = new TextEncoder();

/** A shared snapshot stands between the first two of `frames`, which are the rest of its frame. */
function answerOf(frames: readonly Uint8Array[], shared: OwnerSnapshot | undefined): LargeAnswer {
  const [before, ...rest] = frames.map(asBuffer);
  const parts = before === undefined ? [] : [before, ...(shared?.pieces ?? []), ...rest];
  return { parts, bytes: parts.reduce((sum, part) => sum + part.length, 0), shared };
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
