// One document of one client that speaks a protocol of Yjs's providers. It translates: the client's messages become the
// requests of a client of the contract, and what such a client would be told becomes the messages of the provider. The
// gateway checks rights, rates and limits, and hides changes of owner. `out` has the differences of the two protocols.
//
// Modes, changed by `#setMode` alone and by the moves of MOVES:
//
// - identifying: the gateway finds out the user. Messages are held.
// - identified: the client has been told whether it may have the document, and has not asked for it yet. Messages are held.
// - opening: the document is being opened. Messages are held.
// - open: updates are submitted. While too many of them are without an answer, messages are held.
// - ended: the client has been told why. Nothing more is taken.
//
// Messages that are held have a bound, past which the conversation ends with `overloaded`. Over 400 lines because one mode decides
// about all messages, of the client and of the gateway.
import type { Clock } from '../../actors/clock.ts';
import { SYNC_OP, UPDATE_OP } from '../../actors/link/link-messages.ts';
import { assertMove, type Moves } from '../../actors/modes.ts';
import { FrameError } from '../../protocol/codec.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Role, ServerMessage } from '../../protocol/messages.ts';
import { isAtLeast } from '../../protocol/roles.ts';
import type { ClientConnection } from '../gateway/client-connection.ts';
import type { Conversation, OpenedUpdates } from '../gateway/foreign.ts';
import { CutPatch } from '../gateway/frames/submit-frame.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { LargeAnswer } from '../gateway/sockets/large-answers.ts';
import { awarenessFrames } from '../gateway/subscriptions/awareness-frames.ts';
import type { Subscription } from '../gateway/subscriptions/subscription.ts';
import { type ConversationOut, endOf } from './conversation-out.ts';
import { CountedUpdates } from './counted-updates.ts';
import { HeldMessages } from './held-messages.ts';
import { OwnPresence } from './own-presence.ts';
import { type Address, frameHead, SharedFrames } from './shared-frames.ts';
import { type SharedMessage, STEP_1_TYPES, STEP_2_TYPES, UPDATE_TYPES } from './wire/body.ts';

export interface ConversationOptions {
  readonly gateway: Pick<Gateway, 'request'>;
  readonly connection: ClientConnection;
  /** It may be no valid name. */
  readonly doc: string;
  readonly address: Address;
  readonly limits: Limits;
  /** See `largestUpdate`. */
  readonly updateBytes: number;
  readonly after: Clock['after'];
  readonly out: ConversationOut;
}

type Mode = 'identifying' | 'identified' | 'opening' | 'open' | 'ended';

const MOVES: Moves<Mode> = {
  identifying: ['identified', 'ended'],
  identified: ['opening', 'ended'],
  opening: ['open', 'ended'],
  open: ['ended'],
  ended: [],
};

/** Bytes that are held of one client, as a multiple of its largest update. */
const HELD_UPDATES = 2;
/** The socket is not read while more bytes than this are held. */
const PAUSE_BYTES = 64 * 1024;
/** Time in which the step 1 comes that a client sends right behind its token, ms. */
const STEP_1_MS = 5;
/** A client that sends no step 2 for so long is none of the providers, ms. */
const STEP_2_MS = 5_000;
/** Time without an edit after which a client is made to come back, ms, and the longest wait for that. */
const QUIET_MS = 1_000;
const MOST_WAIT_MS = 30_000;

/** The `id` of each kind of request, which stands in the error about it. */
const HELLO = 'hello';
const ACCESS = 'access';
const OPEN = 'open';
const PRESENCE = 'presence';
const STATELESS = 'stateless';

export class YjsConversation implements Conversation {
  readonly #options: ConversationOptions;
  #mode: Mode = 'identifying';
  /** Something was written since this was last reset. */
  hasSpoken = false;
  readonly #held = new HeldMessages();
  #isPaused = false;
  #lastSeq = 0;
  /** Seqs of submits without an answer. */
  readonly #unanswered = new Set<number>();
  readonly #counted: CountedUpdates;
  /** The seq of the latest step 2. */
  #step2: number | undefined;
  /** Cancels the wait for the step 2 of a client of which it is not known what it counts, and then for a pause in its edits. */
  #endWait: (() => void) | undefined;
  /** Opens without an answer. */
  #opens = 0;
  readonly #presence: OwnPresence;
  /** The token has ended, and the client has been asked for another one. Messages are held. */
  #awaitsToken = false;

  constructor(options: ConversationOptions) {
    this.#options = options;
    this.#counted = new CountedUpdates(options.out.isAnswered);
    options.connection.conversation = this;
    this.#presence = new OwnPresence(options.after, (data, mark) =>
      this.#request({ type: 'presence', id: PRESENCE, doc: options.doc, data, mark }),
    );
  }

  /** Shows who the client is. Without a token the header and the cookie of the upgrade count. */
  begin(token?: string): void {
    this.#hello(token);
  }

  /** Shows a new token while the document is open. */
  renew(token: string | undefined): void {
    if (this.#mode !== 'ended' && this.#mode !== 'identifying') this.#hello(token);
  }

  /** Sends a message to the others that have the document open in the same protocol. */
  tell(payload: string): void {
    const { doc } = this.#options;
    if (this.#mode === 'open') this.#request({ type: 'stateless', id: STATELESS, doc, payload });
  }

  receive(message: SharedMessage): void {
    if (this.#mode === 'ended') return;
    if (message.type === 'awareness') this.#presence.hears(message.update, this.#mode === 'open');
    if (message.type === 'update') this.#counted.arrives(this.#options.out.isAnswered);
    if (this.#mode === 'identified' && message.type === 'step-1') this.#open(message.stateVector);
    else if (this.#goesOn(message)) this.#take(message);
    else this.#hold(message);
  }

  /** The client has closed the document. */
  close(): void {
    this.#leave();
  }

  // From the gateway.

  told(message: ServerMessage): void {
    if (this.#mode === 'ended') return;
    switch (message.type) {
      case 'welcome':
        this.#welcomed();
        return;
      case 'error':
        this.#failed(message);
        return;
      case 'ack':
        this.committed(message.seq);
        return;
      case 'reject':
        this.#rejected(message);
        return;
      case 'role':
        this.#options.out.role(isReader(message.role));
        return;
      case 'closed':
        if (message.code !== undefined)
          this.#end(
            message.code === 'forbidden' ? 'forbidden' : 'not-found',
            message.message ?? message.code,
          );
        return;
      default:
        // The rest is told by `answer` and `write`, or says nothing to a provider.
        return;
    }
  }

  turnedAway(code: ErrorCode, message: string): void {
    this.#end(code, message);
  }

  answer(opened: OpenedUpdates): LargeAnswer {
    const { out, address } = this.#options;
    if (!opened.isResumed && this.#mode === 'opening') {
      this.#setMode('open');
      out.opened(this.#isReader);
    }
    const isAsked = !opened.isResumed && this.#opens > 0;
    const { shared, isComplete } = opened;
    const parts: Uint8Array[] = [];
    const rest = [...opened.updates];
    // The client takes its step 2 for the sign that it has everything, so that is the last of the updates.
    const last = isAsked && isComplete ? rest.pop() : undefined;
    if (shared !== undefined) {
      const isLast = isAsked && isComplete && last === undefined;
      parts.push(
        frameHead(address.part, isLast ? STEP_2_TYPES : UPDATE_TYPES, shared.bytes),
        ...shared.pieces,
      );
    }
    if (rest.length > 0) parts.push(new SharedFrames(UPDATE_TYPES, rest).framesFor(address));
    if (isAsked && isComplete) {
      this.#opens--;
      if (last !== undefined || shared === undefined)
        parts.push(...this.#frame(STEP_2_TYPES, last ?? EMPTY_UPDATE));
      // A reader has nothing to add. It is asked only to tell it so.
      if (!this.#isReader || out.hasSyncStatus) parts.push(...this.#frame(STEP_1_TYPES, opened.vector));
    }
    const gone = this.#presence.takeGone();
    const states = gone === undefined ? opened.states : [...opened.states, gone];
    if (states.length > 0) parts.push(awarenessFrames(states).framesFor(address));
    return { parts, bytes: parts.reduce((sum, part) => sum + part.length, 0), shared };
  }

  opened(isComplete: boolean): void {
    if (isComplete) this.#release();
  }

  shown(): void {
    const gone = this.#presence.goneNow();
    if (gone !== undefined) this.write(awarenessFrames([gone]));
  }

  committed(seq: number): void {
    if (!this.#unanswered.delete(seq)) return;
    if (seq === this.#step2 && this.#counted.isUnsure) this.#comesBack();
    else if (this.#counted.answers(seq)) this.#options.out.saved(true);
    this.#release();
  }

  write(frames: SharedFrames): number {
    this.hasSpoken = true;
    const bytes = frames.framesFor(this.#options.address);
    this.#options.connection.write(bytes);
    return bytes.length;
  }

  writeStateless(frames: SharedFrames): void {
    if (this.#options.out.hasSyncStatus) this.write(frames);
  }

  #hello(token: string | undefined): void {
    this.#request({ type: 'hello', id: HELLO, ...(token === undefined ? {} : { token }) });
  }

  #welcomed(): void {
    if (this.#awaitsToken) {
      this.#awaitsToken = false;
      this.#release();
    }
    if (this.#mode === 'identifying') {
      this.#setMode('identified');
      const message = this.#held.take('step-1');
      if (message?.type === 'step-1') this.#open(message.stateVector);
      else this.#resume();
    }
    // A client may wait for the answer to its token before it sends its step 1. Others send it right behind the token. These
    // are told by the answer to the step 1, so that it is what they have kept of a lost connection that comes behind that.
    if (this.#mode === 'identified') this.#options.after(STEP_1_MS, () => this.#askForAccess());
  }

  #askForAccess(): void {
    if (this.#mode === 'identified') this.#request({ type: 'access', id: ACCESS, doc: this.#options.doc });
  }

  #open(stateVector: Uint8Array): void {
    if (this.#mode === 'identified') this.#setMode('opening');
    this.#opens++;
    const vector = Uint8Array.from(stateVector);
    if (this.#options.out.hasSyncStatus) {
      this.#counted.begin(vector, this.#unanswered);
      this.#endWait?.();
      this.#endWait = undefined;
    }
    this.#request({ type: 'open', id: OPEN, doc: this.#options.doc, kind: 'yjs', vector });
  }

  #take(message: SharedMessage): void {
    switch (message.type) {
      case 'step-1':
        this.#open(message.stateVector);
        return;
      case 'step-2':
        this.#counted.end();
        if (!isEmpty(message.update)) this.#submit(message);
        else if (this.#counted.isUnsure) this.#comesBack();
        else this.#options.out.saved(true);
        return;
      case 'update':
        this.#submit(message);
        return;
      case 'awareness':
        this.#presence.take(message.update, this.#subscription?.channel.awareness);
        return;
      case 'query-awareness':
        this.#answerQuery();
        return;
      default:
        throw new Error(`unknown message ${String(message satisfies never)}`);
    }
  }

  #answerQuery(): void {
    const states = this.#subscription?.channel.awareness?.all() ?? [];
    this.write(awarenessFrames(states));
  }

  #submit({ type, update }: SharedMessage & { type: 'step-2' | 'update' }): void {
    const { doc, limits, updateBytes, out } = this.#options;
    if (update.length > updateBytes) {
      out.saved(false);
      this.#end('too-large', `an update has at most ${updateBytes} bytes`);
      return;
    }
    const seq = ++this.#lastSeq;
    this.#unanswered.add(seq);
    if (type === 'step-2') this.#step2 = seq;
    else this.#count(seq, update);
    // An update may be above `limits.opBytes`, as a step 2 may.
    const encoding = type === 'step-2' || update.length > limits.opBytes ? SYNC_OP : UPDATE_OP;
    this.#request({ type: 'submit', doc, seq, op: new CutPatch(encoding, update) }, update.length);
  }

  #count(seq: number, update: Uint8Array): void {
    this.#counted.add(seq, update);
    if (!this.#counted.isUnsure || this.#endWait !== undefined) return;
    this.#endWait = this.#options.after(STEP_2_MS, () => {
      this.#endWait = undefined;
      if (this.#step2 !== undefined) return;
      for (let owed = this.#counted.countAll(); owed > 0; owed--) this.#options.out.saved(true);
    });
  }

  /** Waits for a pause in the client's edits: those that it makes without a connection may be the same trouble again. */
  #comesBack(waitedMs = 0): void {
    const { after, out } = this.#options;
    const seen = this.#lastSeq;
    this.#endWait?.();
    this.#endWait = after(QUIET_MS, () => {
      if (this.#lastSeq === seen || waitedMs >= MOST_WAIT_MS) out.comesBack();
      else this.#comesBack(waitedMs + QUIET_MS);
    });
  }

  /** True if the message need not wait. */
  #goesOn(message: SharedMessage): boolean {
    if (this.#mode !== 'open' || this.#awaitsToken || !this.#held.isEmpty) return false;
    return !isUpdate(message) || this.#unanswered.size < this.#options.limits.inflight;
  }

  #hold(message: SharedMessage): void {
    const { connection, updateBytes } = this.#options;
    this.#held.add(message);
    if (this.#held.bytes > HELD_UPDATES * updateBytes) {
      this.#end('overloaded', 'too much was sent before the document was open');
      return;
    }
    if (this.#held.bytes <= PAUSE_BYTES || this.#isPaused) return;
    // The socket has to be read until the step 1 comes.
    if (this.#mode === 'identified') {
      this.#end('overloaded', 'too much was sent before the step 1');
      return;
    }
    this.#isPaused = true;
    connection.pause();
  }

  /** Takes the messages that need not wait any more. */
  #release(): void {
    const { limits } = this.#options;
    const held = this.#held;
    while (this.#mode === 'open' && !this.#awaitsToken) {
      const { first } = held;
      if (first === undefined || (isUpdate(first) && this.#unanswered.size >= limits.inflight)) break;
      held.take();
      this.#takeHeld(first);
    }
    if (held.bytes <= PAUSE_BYTES / 2) this.#resume();
  }

  #resume(): void {
    const { connection } = this.#options;
    if (!this.#isPaused) return;
    this.#isPaused = false;
    connection.resume(connection.heard);
  }

  /** A frame that is malformed ends its own client: others may be told something in the same turn. */
  #takeHeld(message: SharedMessage): void {
    try {
      this.#take(message);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#end('bad-message', error.message);
    }
  }

  #failed(error: ServerMessage & { type: 'error' }): void {
    const { code, message, seq, id } = error;
    if (id === PRESENCE && code === 'rate-limited') {
      // The newest state is told as soon as the rates allow.
      this.#presence.tellLater(error.retryAfterMs ?? 0);
      return;
    }
    // The client brings a submit that was refused for the moment with its next step 2, as it brings all that is lacking.
    if (seq !== undefined || id === OPEN || id === HELLO || id === ACCESS) this.#end(code, message);
    else if (code === 'unauthenticated') this.#tokenEnded(message);
  }

  #tokenEnded(message: string): void {
    if (this.#awaitsToken) return;
    if (this.#mode === 'open' && this.#options.out.asksForToken()) this.#awaitsToken = true;
    else this.#end('unauthenticated', message, true);
  }

  #rejected({ seq, code, message }: ServerMessage & { type: 'reject' }): void {
    if (!this.#unanswered.delete(seq)) return;
    if (code === 'seq-used') {
      // The log keeps no seq of an update that added nothing. When such an update is sent again to another owner, a
      // higher seq may have committed. Nothing was wrong with it, and the client brings it again with its next step 2.
      this.#end('unavailable', message);
      return;
    }
    const { out } = this.#options;
    this.#counted.answers(seq);
    out.saved(false);
    if (code === 'forbidden') out.refusedAsReader(message);
    else this.#end(code, message);
    this.#release();
  }

  #end(code: ErrorCode, message: string, isShort = false): void {
    if (this.#mode === 'ended') return;
    this.#leave();
    this.#options.out.ended(endOf(code, message, isShort));
  }

  #leave(): void {
    const { connection, doc } = this.#options;
    if (this.#mode === 'ended') return;
    this.#setMode('ended');
    this.#endWait?.();
    this.#held.clear();
    this.#presence.end();
    this.#release();
    if (connection.open.get(doc) !== undefined) this.#request({ type: 'close', doc });
  }

  #request(message: Record<string, unknown>, bytes = 0): void {
    const { gateway, connection } = this.#options;
    gateway.request(connection, message, bytes);
  }

  #frame(types: readonly number[], bytes: Uint8Array): readonly Uint8Array[] {
    return [frameHead(this.#options.address.part, types, bytes.length), bytes];
  }

  get #subscription(): Subscription | undefined {
    const { connection, doc } = this.#options;
    return connection.open.get(doc);
  }

  get #isReader(): boolean {
    return isReader(this.#subscription?.role);
  }

  /** Throws at a move that is not legal. */
  #setMode(mode: Mode): void {
    assertMove('a conversation', MOVES, this.#mode, mode);
    this.#mode = mode;
  }
}

const EMPTY_UPDATE = Uint8Array.of(0, 0);

const isUpdate = ({ type }: SharedMessage): boolean => type === 'update' || type === 'step-2';

const isReader = (role: Role | undefined): boolean => role !== undefined && !isAtLeast(role, 'editor');

const isEmpty = (update: Uint8Array): boolean => update.length === 2 && update[0] === 0 && update[1] === 0;
