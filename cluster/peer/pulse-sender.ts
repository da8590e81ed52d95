// Sends pulses: signs of life that do not wait for this process's main thread, whose turns take long on a
// saturated machine. It runs in a thread without documents, over connections of its own, for as long as the
// main thread has turned lately. The failure detectors of the peers judge the pulses.
import type { Timers } from '../../actors/clock.ts';
import { HEARTBEAT, NO_PAYLOAD } from './frames.ts';
import type { PeerLimits, PeerTarget } from './network.ts';
import type { Wire } from './wire.ts';

export interface PulseSenderOptions {
  /**
   * Calls back once, unless the returned function is called before. Undefined if the target could not be
   * reached.
   */
  readonly dial: (target: PeerTarget, done: (wire: Wire | undefined) => void) => () => void;
  /** A counter that changes whenever the main thread turns. */
  readonly beats: () => number;
  readonly clock: Timers;
  /** In [0, 1). */
  readonly random: () => number;
  readonly limits: Pick<PeerLimits, 'heartbeatMs' | 'silenceMs' | 'backoffFirstMs'>;
  /** Called once when that run could not be reached for MISSED_MS, and once when it answers again. */
  readonly onChange: (run: string, succeeds: boolean) => void;
}

/** While the main thread has not turned for this long, no pulses are sent. */
export const TURN_MS = 2_000;
/** Limit of the delay between dials: full jitter up to the first back-off of links, doubled each time. */
export const BACKOFF_MAX_MS = 30_000;
export const MISSED_MS = 10_000;
/** Bytes of pulses that may wait for a peer that does not read. Further pulses are left out. */
const MAX_BACKLOG_BYTES = 4_096;

/**
 * resting -> dialling -> resting | pulsing; pulsing -> resting. `cancel` stops the wait or the dial under
 * way.
 */
interface Line {
  readonly target: PeerTarget;
  wire: Wire | undefined;
  cancel: () => void;
  failures: number;
  /** When the target last answered, or became a target. */
  answeredMs: number;
  /** `onChange` has reported the target as unreachable. */
  isMissed: boolean;
}

export class PulseSender {
  readonly #options: PulseSenderOptions;
  /** By run. */
  readonly #lines = new Map<string, Line>();
  #beats: number;
  #turnedMs: number;
  #cancelPulse: () => void;

  constructor(options: PulseSenderOptions) {
    this.#options = options;
    this.#beats = options.beats();
    this.#turnedMs = options.clock.now();
    this.#cancelPulse = options.clock.after(options.limits.heartbeatMs, () => this.#pulse());
  }

  /** Sets the targets of pulses from now on. */
  setTargets(targets: readonly PeerTarget[]): void {
    const runs = new Set(targets.map(({ run }) => run));
    for (const [run, line] of this.#lines) if (!runs.has(run)) this.#end(run, line);
    const answeredMs = this.#options.clock.now();
    for (const target of targets) {
      if (this.#lines.has(target.run)) continue;
      const cancel = (): void => {};
      const line = { target, wire: undefined, cancel, failures: 0, answeredMs, isMissed: false };
      this.#lines.set(target.run, line);
      this.#dial(line);
    }
  }

  stop(): void {
    this.#cancelPulse();
    for (const [run, line] of this.#lines) this.#end(run, line);
  }

  #dial(line: Line): void {
    line.cancel = this.#options.dial(line.target, (wire) => {
      line.cancel = () => {};
      if (wire === undefined) this.#rest(line);
      else this.#reached(line, wire);
    });
  }

  #reached(line: Line, wire: Wire): void {
    line.wire = wire;
    line.answeredMs = this.#options.clock.now();
    wire.start({
      frame: () => this.#answered(line),
      end: () => this.#lost(line, wire),
    });
    this.#send(line);
  }

  #answered(line: Line): void {
    line.answeredMs = this.#options.clock.now();
    line.failures = 0;
    if (!line.isMissed) return;
    line.isMissed = false;
    this.#options.onChange(line.target.run, true);
  }

  #lost(line: Line, wire: Wire): void {
    wire.destroy();
    line.wire = undefined;
    this.#rest(line);
  }

  /**
   * Waits before the next dial, for a random time: many peers lose a node at once, and must not dial it again
   * all at once. While the main thread does not turn, no target is dialled.
   */
  #rest(line: Line): void {
    const { clock, random, limits } = this.#options;
    const most = Math.min(BACKOFF_MAX_MS, limits.backoffFirstMs * 2 ** Math.min(line.failures++, 20));
    line.cancel = clock.after(random() * most, () => {
      if (this.#isTurning()) this.#dial(line);
      else this.#rest(line);
    });
  }

  #end(run: string, line: Line): void {
    this.#lines.delete(run);
    line.cancel();
    line.wire?.destroy();
  }

  #pulse(): void {
    const { clock, limits, beats } = this.#options;
    this.#cancelPulse = clock.after(limits.heartbeatMs, () => this.#pulse());
    const now = clock.now();
    const seen = beats();
    if (seen !== this.#beats) {
      this.#beats = seen;
      this.#turnedMs = now;
    }
    const isTurning = this.#isTurning();
    for (const line of this.#lines.values()) {
      // Pulses that are not sent get no answers.
      if (!isTurning) line.answeredMs = now;
      const { wire } = line;
      const silentMs = now - line.answeredMs;
      if (silentMs > MISSED_MS && !line.isMissed) {
        line.isMissed = true;
        this.#options.onChange(line.target.run, false);
      }
      if (wire !== undefined && silentMs > limits.silenceMs) this.#lost(line, wire);
      else this.#send(line);
    }
  }

  #send({ wire }: Line): void {
    if (wire !== undefined && this.#isTurning() && wire.bufferedBytes < MAX_BACKLOG_BYTES)
      wire.send(HEARTBEAT, 0, NO_PAYLOAD);
  }

  #isTurning(): boolean {
    return this.#options.clock.now() - this.#turnedMs <= TURN_MS;
  }
}
