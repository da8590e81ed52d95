// The lease that this node publishes about itself: its state, its workers, and the timeline of PostgreSQL that
// it has seen. The caller publishes it after each change. The legal moves of the state are in MOVES.
import { assertMove, type Moves } from '../../actors/modes.ts';
import type { SessionId } from '../../actors/storage/store.ts';
import type { Lease } from './lease-store.ts';

export type NodeState = Lease['state'];

/** A node that leaves does not come back: its next life is another run. */
const MOVES: Moves<NodeState> = {
  joining: ['live', 'draining'],
  live: ['draining'],
  draining: ['draining'],
};

export type LeaseIdentity = Pick<Lease, 'run' | 'node' | 'address' | 'session' | 'weight'>;

export class OwnLease {
  readonly #identity: LeaseIdentity;
  readonly #workers: () => Iterable<readonly [slot: number, own: { readonly session: SessionId }]>;
  #mode: NodeState = 'joining';
  #highestTimeline = 0;

  /** `workers`: the workers that are up now. */
  constructor(
    identity: LeaseIdentity,
    workers: () => Iterable<readonly [slot: number, own: { readonly session: SessionId }]>,
  ) {
    this.#identity = identity;
    this.#workers = workers;
  }

  get state(): NodeState {
    return this.#mode;
  }

  /** Throws at a move that is not legal. */
  setState(state: NodeState): void {
    assertMove('the node', MOVES, this.#mode, state);
    this.#mode = state;
  }

  /** False if the timeline is not higher than the highest one so far. */
  raiseTimeline(timeline: number): boolean {
    if (timeline <= this.#highestTimeline) return false;
    this.#highestTimeline = timeline;
    return true;
  }

  current(): Lease {
    const { run, node, address, session, weight } = this.#identity;
    return {
      run,
      node,
      address,
      session,
      weight,
      state: this.#mode,
      workers: [...this.#workers()].map(([slot, { session }]) => ({ slot, session })),
      timeline: this.#highestTimeline,
    };
  }
}
