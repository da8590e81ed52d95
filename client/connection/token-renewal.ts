// Renews the token of a live connection: it asks the application for a new one before the old one ends, and when the
// server says that it has ended. It does not dial: after a lost connection the next dial asks for a token anyway.
import { LONGEST_TIMER_MS } from '../limits.ts';
import type { Platform, Timer } from '../platform.ts';

export interface TokenRenewalHooks {
  /** Asks the application. Undefined if it has no function that can be asked. */
  ask(): Promise<string | undefined> | undefined;
  /** Sends the token to the server. False if it is the one that the server has already. */
  send(token: string): boolean;
}

/** The token is asked for this long before its end, or a quarter of its time before. */
const LEAD_MS = 60_000;
const LEAD_SHARE = 1 / 4;
/** The shortest time between two questions after one that brought no new token. */
const AGAIN_MS = 1_000;

export class TokenRenewal {
  readonly #platform: Platform;
  readonly #hooks: TokenRenewalHooks;
  #timer: Timer | undefined;
  /** By the platform's clock. */
  #endsAt = Number.POSITIVE_INFINITY;
  /** The question that is under way. */
  #question: object | undefined;

  constructor(platform: Platform, hooks: TokenRenewalHooks) {
    this.#platform = platform;
    this.#hooks = hooks;
  }

  /** The server has taken the token. `expiresInMs` undefined: the token does not end. */
  start(expiresInMs: number | undefined): void {
    this.stop();
    if (expiresInMs === undefined) return;
    this.#endsAt = this.#platform.now() + expiresInMs;
    // Clients that connected together must not ask together.
    const lead = Math.min(LEAD_MS, expiresInMs * LEAD_SHARE) * (0.75 + this.#platform.random() / 2);
    this.#askAt(this.#endsAt - lead);
  }

  stop(): void {
    this.#clearTimer();
    this.#endsAt = Number.POSITIVE_INFINITY;
    this.#question = undefined;
  }

  /** Asks at once. False if the application cannot be asked. */
  askNow(): boolean {
    if (this.#question !== undefined) return true;
    const answer = this.#hooks.ask();
    if (answer === undefined) return false;
    this.#clearTimer();
    const question = {};
    this.#question = question;
    const done = (token: string | undefined): void => {
      if (this.#question !== question) return;
      this.#question = undefined;
      if (token === undefined || !this.#hooks.send(token)) this.askAgain();
    };
    answer.then(done, () => done(undefined));
    return true;
  }

  /** The last token was not taken. Asks again after half of the time that is left. */
  askAgain(): void {
    const now = this.#platform.now();
    if (this.#endsAt === Number.POSITIVE_INFINITY) return;
    this.#askAt(now + Math.max(AGAIN_MS, (this.#endsAt - now) / 2));
  }

  #askAt(at: number): void {
    this.#clearTimer();
    const delay = at - this.#platform.now();
    const run = delay > LONGEST_TIMER_MS ? () => this.#askAt(at) : () => void this.askNow();
    this.#timer = this.#platform.setTimer(run, Math.min(Math.max(0, delay), LONGEST_TIMER_MS));
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#platform.clearTimer(this.#timer);
    this.#timer = undefined;
  }
}
