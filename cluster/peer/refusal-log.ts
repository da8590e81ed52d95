// What the log says of connections that a listener refuses: who, why, and where to look, once a minute each, so that a node
// that tries for hours is a line now and then. It refuses nothing.
import type { Clock } from './clock.ts';
import type { PeerLog } from './network.ts';
import { HUNG_UP } from './tcp-wire.ts';

export interface Refused {
  /** Address and port. */
  readonly from: string;
  readonly reason: string;
  /** What the other end says that it is; not proved. */
  readonly peer?: string;
  readonly cluster?: string;
  /** Keys of the configuration. */
  readonly see?: string | undefined;
}

const MINUTE_MS = 60_000;
/** Lines within a minute, whoever they are about; the next line says how many were left out. */
const LINES_PER_MINUTE = 20;

export class RefusalLog {
  private readonly clock: Clock;
  private readonly log: PeerLog;
  private readonly told = new Set<string>();
  private sinceMs: number;
  private leftOut = 0;

  constructor(clock: Clock, log: PeerLog) {
    this.clock = clock;
    this.log = log;
    this.sinceMs = clock.now();
  }

  refused(refused: Refused): void {
    const now = this.clock.now();
    if (now - this.sinceMs >= MINUTE_MS) {
      this.told.clear();
      this.sinceMs = now;
    }
    const { from, reason, peer } = refused;
    // The port is another one at each attempt.
    const who = JSON.stringify([reason, peer ?? from.slice(0, from.lastIndexOf(' '))]);
    if (this.told.has(who) || this.told.size >= LINES_PER_MINUTE) {
      this.leftOut++;
      return;
    }
    this.told.add(who);
    const { leftOut } = this;
    this.leftOut = 0;
    // Who ends it by itself was not refused: it stops, or has asked whether this node lives.
    const level = reason === HUNG_UP ? 'info' : 'warn';
    this.log(level, level === 'info' ? 'peer connection given up' : 'peer connection refused', {
      ...refused,
      ...(leftOut === 0 ? {} : { leftOut }),
    });
  }
}
