// The log lines about connections that a listener refuses: the other end, the reason, and where to look. Each
// is logged once a minute, so that a node that tries for hours causes few lines. This class refuses nothing.
import type { Timers } from '../../../actors/clock.ts';
import type { PeerLog } from '../network.ts';
import { HUNG_UP } from './tcp-wire.ts';

export interface Refused {
  /** Address and port. */
  readonly from: string;
  readonly reason: string;
  /** The identity that the other end claims; not proved. */
  readonly peer?: string;
  readonly cluster?: string;
  /** Keys of the configuration to check. */
  readonly see?: string | undefined;
}

const MINUTE_MS = 60_000;
/** Lines within a minute in all. The next line tells how many were left out. */
const LINES_PER_MINUTE = 20;

export class RefusalLog {
  readonly #clock: Timers;
  readonly #log: PeerLog;
  readonly #told = new Set<string>();
  #sinceMs: number;
  #leftOut = 0;

  constructor(clock: Timers, log: PeerLog) {
    this.#clock = clock;
    this.#log = log;
    this.#sinceMs = clock.now();
  }

  refused(refused: Refused): void {
    const now = this.#clock.now();
    if (now - this.#sinceMs >= MINUTE_MS) {
      this.#told.clear();
      this.#sinceMs = now;
    }
    const { from, reason, peer } = refused;
    // The port is left out, because it differs at each attempt.
    const who = JSON.stringify([reason, peer ?? from.slice(0, from.lastIndexOf(' '))]);
    if (this.#told.has(who) || this.#told.size >= LINES_PER_MINUTE) {
      this.#leftOut++;
      return;
    }
    this.#told.add(who);
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    // An end that hung up by itself was not refused: it is stopping, or has asked whether this node lives.
    const level = reason === HUNG_UP ? 'info' : 'warn';
    this.#log(
      level,
      level === 'info' ? 'a node has given its connection up' : 'the connection of a node is refused',
      {
        ...refused,
        ...(leftOut === 0 ? {} : { leftOut }),
      },
    );
  }
}
