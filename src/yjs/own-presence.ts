// The presence of one client that speaks a protocol of Yjs: its number, its clock, and its newest state. Providers repeat to
// the server the states of others that they were told, so a client has one number here: the first that it tells.
import type { Clock } from '../../actors/clock.ts';
import type { PresenceMark } from '../../actors/link/presence-text.ts';
import { FrameError } from '../../protocol/codec.ts';
import { parseJson } from '../../protocol/json-text.ts';
import type { ChannelAwareness } from './channel-awareness.ts';
import { type AwarenessState, findState } from './wire/awareness.ts';

/** States in one awareness update of a client. */
const MOST_STATES = 4096;

export class OwnPresence {
  readonly #after: Clock['after'];
  readonly #tell: (state: unknown, mark: PresenceMark | undefined) => void;
  /** Undefined until the client has told a state. */
  #mark: PresenceMark | undefined;
  #state: unknown = null;
  #isHeard = false;
  #gone: AwarenessState | undefined;
  /** Cancels the time at which the state is told again. */
  #cancel: (() => void) | undefined;

  /** `tell` gets the newest state, null for none. */
  constructor(after: Clock['after'], tell: (state: unknown, mark: PresenceMark | undefined) => void) {
    this.#after = after;
    this.#tell = tell;
  }

  /**
   * Called with each update before it is taken. A client that tells its state before it has been told anything tells its own.
   * Throws FrameError.
   */
  hears(update: Uint8Array, isOpen: boolean): void {
    if (this.#isHeard) return;
    this.#isHeard = true;
    if (isOpen) return;
    const own = findState(update, MOST_STATES, () => true);
    if (own === undefined || own.text === null) return;
    this.#mark = { yjsClient: own.yjsClient, clock: own.clock - 1 };
    if (own.clock > 0) this.#gone = { ...own, text: null };
  }

  /**
   * The message that tells the client that it is gone, once. Others may know its first state from before its socket was lost,
   * and would not take it again with the same clock. The client answers with a higher one.
   */
  takeGone(): AwarenessState | undefined {
    const gone = this.#gone;
    this.#gone = undefined;
    return gone;
  }

  /** The same message while the client has a state. */
  goneNow(): AwarenessState | undefined {
    return this.#mark === undefined || this.#state === null ? undefined : { ...this.#mark, text: null };
  }

  /** Takes the client's own state out of the update. Throws FrameError. */
  take(update: Uint8Array, others: ChannelAwareness | undefined): void {
    const { yjsClient: own, clock: last = -1 } = this.#mark ?? {};
    const state = findState(update, MOST_STATES, (yjsClient, clock) =>
      own === undefined ? others?.knows(yjsClient, clock) !== true : yjsClient === own && clock > last,
    );
    if (state === undefined || (own === undefined && state.text === null)) return;
    this.#mark = { yjsClient: state.yjsClient, clock: state.clock };
    this.#state = state.text === null ? null : parsed(state.text);
    this.#tellNow();
  }

  /** Tells the newest state after so many ms. */
  tellLater(ms: number): void {
    this.#cancel ??= this.#after(ms, () => this.#tellNow());
  }

  end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #tellNow(): void {
    this.end();
    this.#tell(this.#state, this.#mark);
  }
}

function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    throw new FrameError('awareness: a state that is not JSON');
  }
}
