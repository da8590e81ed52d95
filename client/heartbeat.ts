// Keeps a live socket alive and finds out when it is dead: an application `ping` every `pingMs`, and
// death when nothing comes in after one. Application messages, since browsers see no WebSocket pings.
import type { Platform, Timer } from './platform.ts';

/** How long a `pong`, or anything else, may take after a `ping`. */
const PONG_MS = 10_000;

export class Heartbeat {
  readonly #platform: Platform;
  readonly #ping: () => void;
  readonly #dead: () => void;
  #pingMs = 0;
  #timer: Timer | undefined;
  #awaited = false;

  constructor(platform: Platform, hooks: { ping: () => void; dead: () => void }) {
    this.#platform = platform;
    this.#ping = hooks.ping;
    this.#dead = hooks.dead;
  }

  start(pingMs: number): void {
    this.stop();
    this.#pingMs = pingMs;
    this.#arm(pingMs);
  }

  stop(): void {
    if (this.#timer !== undefined) this.#platform.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#awaited = false;
  }

  /** A frame has come in: the server lives. */
  received(): void {
    if (!this.#awaited || this.#timer === undefined) return;
    this.#awaited = false;
    this.#platform.clearTimer(this.#timer);
    this.#arm(this.#pingMs);
  }

  #arm(delayMs: number): void {
    this.#timer = this.#platform.setTimer(() => this.#tick(), delayMs);
  }

  #tick(): void {
    if (this.#awaited) {
      this.stop();
      this.#dead();
      return;
    }
    this.#awaited = true;
    this.#arm(PONG_MS);
    this.#ping();
  }
}
