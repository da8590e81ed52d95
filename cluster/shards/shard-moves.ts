// Decides when this node claims shards and when it hands shards over. Shards are claimed by a node that
// serves, and handed over by one that serves or leaves. Neither happens while the map may be wrong, except that
// shards of a node that has just been fenced are claimed at once: documents wait for them, and their freedom
// is known without a reading of the map.
import type { Clock } from '../../actors/clock.ts';
import type { NodeState } from '../liveness/own-lease.ts';
import { DelayedAction } from '../timing/delayed-action.ts';

export interface ShardMovesOptions {
  readonly clock: Pick<Clock, 'after' | 'every'>;
  readonly state: () => NodeState;
  readonly map: { readonly isStale: boolean };
  readonly claimOrphans: () => void;
  /** Hands over at most `most` shards of each worker. */
  readonly handOver: (most: number) => void;
}

/** Events that come together cause one claim. */
const CLAIM_MS = 10;
const MOVE_EVERY_MS = 200;
/** Shards that each worker hands over at a time. */
const MOVE_SHARDS = 16;
const DRAIN_SHARDS = 64;

export class ShardMoves {
  readonly #options: ShardMovesOptions;
  readonly #claims: DelayedAction;
  #someFreed = false;

  constructor(options: ShardMovesOptions) {
    this.#options = options;
    this.#claims = new DelayedAction(
      options.clock,
      () => CLAIM_MS,
      () => this.#claim(),
    );
  }

  /** Hands shards over from time to time, until the returned function is called. */
  start(): () => void {
    return this.#options.clock.every(MOVE_EVERY_MS, () => this.handOver());
  }

  stop(): void {
    this.#claims.stop();
  }

  /** Orphans may be there that belong to this node. They are claimed soon. */
  claimSoon(): void {
    this.#claims.request();
  }

  /** These shards have lost their owner, because its session was fenced. */
  freed(shards: readonly number[]): void {
    if (shards.length > 0) this.#someFreed = true;
    this.claimSoon();
  }

  handOver(): void {
    const { state, map, handOver } = this.#options;
    if (state() === 'joining' || map.isStale) return;
    handOver(state() === 'draining' ? DRAIN_SHARDS : MOVE_SHARDS);
  }

  /**
   * Hands shards over without a pause, from the end of `told` on. `drained` resolves when `isDone`, after
   * `timeoutMs`, or when `end` is called.
   */
  drain(
    timeoutMs: number,
    { told, isDone }: { readonly told: Promise<unknown>; readonly isDone: () => boolean },
  ): { readonly drained: Promise<void>; readonly end: () => void } {
    const { clock } = this.#options;
    const closers: (() => void)[] = [];
    let resolve = (): void => undefined;
    const drained = new Promise<void>((done) => {
      resolve = done;
    });
    const end = (): void => {
      for (const close of closers.splice(0)) close();
      resolve();
    };
    let mayMove = false;
    void told.then(() => {
      mayMove = true;
    });
    closers.push(clock.after(timeoutMs, end));
    closers.push(
      clock.every(MOVE_EVERY_MS / 4, () => {
        if (!mayMove) return;
        if (isDone()) end();
        else this.handOver();
      }),
    );
    return { drained, end };
  }

  #claim(): void {
    const { state, map, claimOrphans } = this.#options;
    if (state() === 'live' && (!map.isStale || this.#someFreed)) claimOrphans();
    this.#someFreed = false;
  }
}
