// The gateway: checks clients' messages, passes them to the owners of their documents, and passes the owners'
// messages to the sockets. It hides changes of owner: it resumes each subscription with the version told
// last, and sends the unanswered submits again. It orders nothing and stores nothing.
//
// This file handles frames and joins the parts: users/ finds out the users, and brings changes of their rights to open
// documents; requests.ts checks the clients' requests; subscriptions/ keeps which sockets have which documents open,
// brings the owners' messages, and changes owners; calls/ asks owners for requests that have no socket.
import { type Clock, systemClock } from '../../actors/clock.ts';
import type { ToGateway } from '../../actors/link/link-messages.ts';
import { ThreadCounts } from '../../actors/metrics/thread-counts.ts';
import type { OwnerLink, OwnerLinkListener } from '../../cluster/shards/owner-link.ts';
import { type Codec, FrameError } from '../../protocol/codec.ts';
import { CLOSE_CODES } from '../../protocol/errors.ts';
import type { RightsChange } from '../identity/store.ts';
import { OwnerCalls } from './calls/owner-calls.ts';
import type { ClientConnection } from './client-connection.ts';
import { EditClock } from './edit-clock.ts';
import { cutJsonSubmit, cutMsgpackSubmit } from './frames/submit-frame.ts';
import type { SharedQuotas } from './quotas/shared-quotas.ts';
import { echo, idOf, Replies } from './replies.ts';
import { BEYOND_DEPTH, Requests, type RequestsOptions } from './requests.ts';
import { LargeAnswers } from './sockets/large-answers.ts';
import { opensAtOnce } from './sockets/rates.ts';
import { Answers } from './subscriptions/answers.ts';
import { Channels } from './subscriptions/channels.ts';
import { OwnerChanges } from './subscriptions/owner-changes.ts';
import { type GatewayLog, Subscriptions } from './subscriptions/subscriptions.ts';
import { WaitingCloses } from './subscriptions/waiting-closes.ts';
import { Hellos, type HellosOptions } from './users/hellos.ts';
import { Rights } from './users/rights.ts';
import { RoleQuestions } from './users/role-questions.ts';

export interface GatewayOptions extends RequestsOptions, HellosOptions {
  readonly log: GatewayLog;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly after?: Clock['after'];
  /** The quotas of organisations. Undefined if nothing is limited. */
  readonly organisations?: SharedQuotas;
  /** How long documents stay open while the service that decides about roles does not answer, ms. */
  readonly roleGraceMs?: number;
  /** How long opens and submits wait for a document that has no owner, ms. */
  readonly ownerWaitMs?: number;
  /** The counts of this thread. */
  readonly counts?: ThreadCounts;
  /** Measures how long edits take. The default is a clock that goes by `now`. */
  readonly editClock?: EditClock;
  /**
   * Bytes of snapshots and other large answers that may wait in all sockets together. Past it opens are
   * `overloaded`.
   */
  readonly snapshotBytes?: number;
  /** The bounds of calls. Without them the gateway makes none. */
  readonly calls?: { readonly waitMs: number; readonly requests: number };
}

const OWNER_WAIT_MS = 10_000;
const SNAPSHOT_BYTES = 256 * 1024 * 1024;

/** Frames that wait of one socket, as a multiple of `limits.frameBytes`. Past it the socket is closed. */
const HELD_FRAMES = 2;

const NO_CALLS = { waitMs: 0, requests: 0 };

export class Gateway implements OwnerLinkListener {
  /** Asks the owners of documents without a subscription. */
  readonly calls: OwnerCalls;
  readonly #options: GatewayOptions;
  readonly #channels: Channels;
  readonly #replies: Replies;
  readonly #subscriptions: Subscriptions;
  readonly #owners: OwnerChanges;
  readonly #requests: Requests;
  readonly #answers: Answers;
  readonly #hellos: Hellos;
  readonly #rights: Rights;
  /**
   * Limit of one socket's messages of all types: far above the number that the other limits allow an honest
   * client.
   */
  readonly #messagesPerSecond: number;

  constructor(options: GatewayOptions) {
    this.#options = options;
    const { router, random, now, after = systemClock.after, ownerWaitMs = OWNER_WAIT_MS } = options;
    const channels = new Channels(options.organisations);
    const counts = options.counts ?? new ThreadCounts();
    const editClock = options.editClock ?? new EditClock({ now, soon: queueMicrotask });
    const replies = new Replies(random, counts);
    const subscriptions = new Subscriptions(channels, replies, options.log);
    const large = new LargeAnswers(options.snapshotBytes ?? SNAPSHOT_BYTES, after);
    const owners = new OwnerChanges(
      { router, random, after, ownerWaitMs, now },
      { channels, subscriptions, replies },
    );
    const rights = new Rights({ subscriptions, replies, after, now, roleGraceMs: options.roleGraceMs ?? 0 });
    const handle = (connection: ClientConnection, frame: Uint8Array, isText: boolean): void =>
      this.#handle(connection, frame, isText);
    const questions = new RoleQuestions({
      replies,
      decided: (connection, doc, message, role) => this.#requests.decided(connection, doc, message, role),
      handle,
    });
    const closes = new WaitingCloses({
      after,
      close: (connection, message) => this.#requests.close(connection, message),
      handle,
    });
    const { waitMs, requests: most } = options.calls ?? NO_CALLS;
    const calls = new OwnerCalls({ router, random, after, waitMs, most });
    const parts = {
      channels,
      subscriptions,
      owners,
      calls,
      replies,
      large,
      questions,
      closes,
      rights,
      counts,
      editClock,
    };
    this.calls = calls;
    this.#rights = rights;
    this.#channels = channels;
    this.#replies = replies;
    this.#subscriptions = subscriptions;
    this.#owners = owners;
    this.#requests = new Requests(options, parts);
    this.#answers = new Answers({ ...parts, after, now: options.now, time: options.time });
    this.#hellos = new Hellos(options, {
      after,
      replies,
      rights,
      receive: handle,
    });
    const { submitsPerSecond, presencesPerSecond } = options.limits;
    this.#messagesPerSecond =
      2 * (submitsPerSecond + presencesPerSecond) + 4 * opensAtOnce(options.limits) + 1000;
  }

  // From clients.

  /** Takes one message of a client. A text frame is valid UTF-8. */
  receive(connection: ClientConnection, frame: Uint8Array, isText: boolean): void {
    if (connection.closed) return;
    if (connection.codec !== undefined && this.#hellos.holds(connection, frame, isText)) return;
    this.#handle(connection, frame, isText);
  }

  /** Handles a frame for which no hello is waited. */
  #handle(connection: ClientConnection, frame: Uint8Array, isText: boolean): void {
    if (connection.closed) return;
    const { codec, receiver } = connection;
    connection.heard = this.#options.now();
    connection.pinged = false;
    this.counts(connection);
    if (connection.closed) return;
    if (codec === undefined) {
      receiver?.receive(frame, isText);
      return;
    }
    if (codec.binary === isText) {
      connection.close(CLOSE_CODES.badMessage, 'wrong frame type for the subprotocol');
      return;
    }
    let message: Record<string, unknown>;
    try {
      message = this.#decode(codec, frame, isText);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#replies.error(connection, 'bad-message', error.message, {});
      connection.close(CLOSE_CODES.badMessage, error.message);
      return;
    }
    if (connection.client === undefined) this.#first(connection, message);
    else if (connection.waiting === undefined || !this.#holds(connection, message, frame, isText))
      this.#dispatch(connection, message, frame.length);
  }

  /** True if the frame waits, because earlier messages about its document do. */
  #holds(
    connection: ClientConnection,
    message: Record<string, unknown>,
    frame: Uint8Array,
    isText: boolean,
  ): boolean {
    const { waiting } = connection;
    if (waiting?.takes(message, frame, isText) !== true) return false;
    // It is counted when it is handled.
    connection.messages--;
    if (waiting.bytes > HELD_FRAMES * this.#options.limits.frameBytes)
      connection.close(CLOSE_CODES.overloaded, 'too much was sent behind an open or a close');
    return true;
  }

  /** Takes a request that came in another protocol. `bytes`: the size of a patch. */
  request(connection: ClientConnection, message: Record<string, unknown>, bytes: number): void {
    if (connection.closed) return;
    if (connection.client === undefined) this.#first(connection, message);
    else this.#dispatch(connection, message, bytes);
  }

  /** The patch of a submit is left as it came, if that can be. */
  #decode(codec: Codec, frame: Uint8Array, isText: boolean): Record<string, unknown> {
    // `notPlain` allows a patch as many levels.
    const depth = this.#options.limits.depth + BEYOND_DEPTH;
    if (!isText) return cutMsgpackSubmit(frame, depth) ?? codec.decode(frame);
    return (
      cutJsonSubmit(frame, depth) ??
      codec.decode(Buffer.from(frame.buffer, frame.byteOffset, frame.length).toString())
    );
  }

  /** Counts a message or a control frame. Past the limit of all of them together the socket is closed. */
  counts(connection: ClientConnection): void {
    if (++connection.messages > this.#messagesPerSecond)
      connection.close(CLOSE_CODES.rateLimited, 'too many messages');
  }

  /** Ends all subscriptions of a socket that is closed. */
  disconnected(connection: ClientConnection): void {
    connection.closed = true;
    connection.receiver?.disconnected();
    this.#hellos.disconnected(connection);
    this.#rights.disconnected(connection);
    connection.waiting = undefined;
    for (const subscription of connection.open.values()) this.#subscriptions.unsubscribe(subscription);
    connection.open.clear();
  }

  /**
   * Sets whether others see the connection's presence. It is hidden while the socket has been silent for a
   * while.
   */
  setHidden(connection: ClientConnection, isHidden: boolean): void {
    for (const each of [connection, ...(connection.receiver?.connections?.() ?? [])]) {
      if (isHidden) this.#subscriptions.hide(each);
      else {
        this.#subscriptions.show(each);
        each.conversation?.shown();
      }
    }
  }

  /** Documents that at least one socket has open. */
  get documents(): number {
    return this.#channels.size;
  }

  /** The documents that sockets have open, each counted once for each socket. */
  get subscriptions(): number {
    return this.#channels.subscriptions;
  }

  /** Applies a change of rights to the sockets that it concerns. */
  rightsChanged(change: RightsChange): void {
    if (change.kind === 'recheck') this.#rights.askAgain(change);
    else this.#hellos.rightsChanged(change);
  }

  // From owners.

  messages(link: OwnerLink, messages: readonly ToGateway[]): void {
    this.#answers.take(link, messages);
  }

  lost(link: OwnerLink): void {
    this.#answers.lost(link);
    this.#owners.lost(link);
    this.calls.lost(link);
  }

  changed(shards?: readonly number[]): void {
    this.#owners.changed(shards);
    this.calls.changed();
  }

  #first(connection: ClientConnection, message: Record<string, unknown>): void {
    if (message.type !== 'hello') {
      this.#replies.error(connection, 'bad-message', 'the first message is hello', echo(message));
      connection.close(CLOSE_CODES.badMessage, 'the first message is hello');
      return;
    }
    this.#hellos.take(connection, message);
  }

  #dispatch(connection: ClientConnection, message: Record<string, unknown>, bytes: number): void {
    switch (message.type) {
      case 'submit':
        this.#requests.submit(connection, message, bytes);
        return;
      case 'open':
        this.#requests.open(connection, message);
        return;
      case 'presence':
        this.#requests.presence(connection, message);
        return;
      case 'close':
        this.#requests.close(connection, message);
        return;
      case 'stateless':
      case 'access':
        // The protocols of Yjs's providers alone have them.
        if (connection.codec !== undefined)
          this.#replies.error(connection, 'bad-message', 'unknown type', echo(message));
        else if (message.type === 'access') this.#requests.access(connection, message);
        else this.#requests.stateless(connection, message);
        return;
      case 'ping':
        connection.send({ type: 'pong', ...idOf(message) });
        return;
      case 'hello':
        this.#hellos.take(connection, message);
        return;
      default:
        this.#replies.error(connection, 'bad-message', 'unknown type', echo(message));
    }
  }
}
