// Keeps a live socket alive and detects when it is dead. It sends an application `ping` every `pingMs`, and
// reports death when no frame comes in after one. Application messages are used because browsers cannot see
// WebSocket pings.
import type { Platform, Timer } from '../platform.ts';

/** The longest time from a `ping` to the `pong` or any other frame. */
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

  /** Notes that a frame has come in: the server lives. */
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
