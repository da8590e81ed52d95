// The place of a node in its cluster over the node's whole life: one run after another. A fenced run is
// stopped at once and followed by the next after a back-off, while the sockets stay open: their clients see a
// pause. A node that leaves starts no further run, and gives up a run that is starting.
//
// Modes: starting -> member -> fenced -> (back-off) starting; any but stopped -> leaving; any -> stopped.
// Only `setMode` changes it.
import { randomUUID } from 'node:crypto';
import { pause, systemClock } from '../../actors/clock.ts';
import { assertMove, type Moves } from '../../actors/modes.ts';
import { SHARDS } from '../../actors/shard.ts';
import type { ClientDirectory } from '../../cluster/news/client-directory.ts';
import { Rings } from '../../cluster/placement/rings.ts';
import type { ClusterRun, ClusterRunOptions } from './cluster-run.ts';

export interface MembershipOptions extends Pick<ClusterRunOptions, 'router' | 'gateway' | 'log'> {
  /** Starts a run; see `startClusterRun`. The membership chooses only these options. */
  readonly startRun: (
    own: Pick<ClusterRunOptions, 'run' | 'rings' | 'signal' | 'onFenced'>,
  ) => Promise<JoinedRun>;
}

/** The parts of a run that the membership uses. */
export interface JoinedRun extends Pick<ClusterRun, 'address' | 'refuseBelow' | 'stop'> {
  readonly controller: Pick<
    ClusterRun['controller'],
    'isRouted' | 'isCutOff' | 'status' | 'drain' | 'unreachedShards' | 'tellRights'
  > & { readonly clients: Pick<ClientDirectory, 'setOwn' | 'shares' | 'otherUrls'> };
}

type Mode = 'starting' | 'member' | 'fenced' | 'leaving' | 'stopped';

const MOVES: Moves<Mode> = {
  // The first run starts in the mode in which the membership was made.
  starting: ['starting', 'member', 'fenced', 'leaving', 'stopped'],
  member: ['fenced', 'leaving', 'stopped'],
  fenced: ['starting', 'leaving', 'stopped'],
  leaving: ['stopped'],
  stopped: [],
};

const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 15_000;
/** After a run that lasted this long the back-off starts afresh. */
const STEADY_MS = 60_000;
/** After this time the node reports ready even if some shards are not routed: their owners may be dead. */
const ROUTED_WITHIN_MS = 15_000;
const LOOK_MS = 50;

export class Membership {
  readonly #options: MembershipOptions;
  readonly #rings = new Rings();
  #mode: Mode = 'starting';
  #current: JoinedRun | undefined;
  /** Settles when the run that is starting has started or failed. Never rejects. */
  #joining: Promise<void> = Promise.resolve();
  #ending: Promise<void> = Promise.resolve();
  /** Aborted when no further run may start. */
  readonly #noMore = new AbortController();
  #failures = 0;
  #startedAt = 0;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /**
   * Joins the cluster. Resolves when every shard is routed to its owner, or after ROUTED_WITHIN_MS. Rejects
   * if the node is stopped before.
   */
  async start(): Promise<void> {
    await this.#join().catch((error: unknown) => {
      // The run was fenced while it started. Another run follows.
      if (this.#mode !== 'fenced') throw error;
    });
    const until = systemClock.now() + ROUTED_WITHIN_MS;
    while (
      this.#current?.controller.isRouted !== true &&
      systemClock.now() < until &&
      this.#mode !== 'stopped'
    )
      await pause(systemClock, LOOK_MS, this.#noMore.signal);
    if (this.#mode === 'member') this.#tellUnreached();
  }

  /**
   * Logs the nodes that are not reached. This node is ready nevertheless: their documents are `unavailable`
   * here, all others are served.
   */
  #tellUnreached(): void {
    const current = this.#current;
    if (current === undefined || current.controller.isRouted) return;
    const nodes = current.controller
      .status()
      .members.filter(({ connected }) => !connected)
      .map(({ node, address }) => `${node} at ${address}`);
    this.#options.log('warn', 'some documents are not reached: see cluster.advertise, here and there', {
      nodes,
    });
  }

  /** True for a member that other nodes know and that is not about to leave. */
  get isMember(): boolean {
    return this.#mode === 'member' && this.#current?.controller.isCutOff === false;
  }

  get address(): string | undefined {
    return this.#current?.address;
  }

  tellClients(count: number): void {
    this.#current?.controller.clients.setOwn(count);
  }

  /** Gives the other nodes the hint that rights of users have changed. */
  tellRights(): void {
    this.#current?.controller.tellRights();
  }

  clientShares(): ReturnType<ClientDirectory['shares']> {
    return this.#current?.controller.clients.shares();
  }

  clientUrls(): readonly string[] | undefined {
    return this.#current?.controller.clients.otherUrls();
  }

  unreachedShards(): readonly number[] {
    return this.#current?.controller.unreachedShards() ?? [];
  }

  status(): ReturnType<ClusterRun['controller']['status']> | undefined {
    return this.#current?.controller.status();
  }

  /** Hands all shards over. The node stays in the cluster and routes, but takes no shards again. */
  async drain(timeoutMs: number): Promise<void> {
    this.#setMode('leaving');
    this.#noMore.abort();
    await this.#current?.controller.drain(timeoutMs);
  }

  refuseBelow(timeline: number): void {
    this.#current?.refuseBelow(timeline);
  }

  /** Gives up a run that is starting. A run that has started commits its accepted patches. */
  async stop(): Promise<void> {
    this.#setMode('stopped');
    this.#noMore.abort();
    await this.#joining;
    await this.#ending;
    await this.#current?.stop(false);
    this.#current = undefined;
  }

  #join(): Promise<void> {
    const joined = this.#beginRun();
    this.#joining = joined.catch(() => undefined);
    return joined;
  }

  async #beginRun(): Promise<void> {
    this.#startedAt = systemClock.now();
    const run = randomUUID();
    this.#setMode('starting');
    const started = await this.#options.startRun({
      run,
      rings: this.#rings,
      signal: this.#noMore.signal,
      onFenced: () => this.#fenced(),
    });
    if (this.#mode === 'starting') {
      this.#current = started;
      this.#setMode('member');
      this.#options.log('info', 'this node has joined the cluster', { run, address: started.address });
    } else await started.stop(true);
  }

  #fenced(): void {
    if (this.#mode === 'stopped' || this.#mode === 'fenced') return;
    const message =
      this.#mode === 'leaving'
        ? 'this node was fenced while it left'
        : 'this node was fenced: it starts over under a new run';
    this.#options.log('error', message, {});
    this.#setMode('fenced');
    const ended = this.#current;
    this.#current = undefined;
    this.#ending = this.#rejoin(ended);
  }

  async #rejoin(ended: JoinedRun | undefined): Promise<void> {
    const { router, gateway, log } = this.#options;
    router.setOwner(
      Array.from({ length: SHARDS }, (_, shard) => shard),
      undefined,
    );
    gateway.changed();
    // A run that was fenced while it started is stopped first: two runs of one node must never exist
    // together.
    await this.#joining;
    await ended?.stop(true);
    if (systemClock.now() - this.#startedAt > STEADY_MS) this.#failures = 0;
    while (this.#mode === 'fenced') {
      const backOffMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.#failures++);
      await pause(systemClock, backOffMs, this.#noMore.signal);
      if (this.#mode !== 'fenced') return;
      try {
        await this.#join();
        return;
      } catch (error) {
        if (this.#noMore.signal.aborted) return;
        log('warn', 'the node could not rejoin the cluster yet', { error: String(error) });
        // The run was fenced while it started, so the next run is on its way already.
        if (!this.#isStarting) return;
        this.#setMode('fenced');
      }
    }
  }

  get #isStarting(): boolean {
    return this.#mode === 'starting';
  }

  #setMode(mode: Mode): void {
    // Events of a run that is still ending change nothing once the node leaves or stops.
    if (this.#mode === 'stopped' || (this.#mode === 'leaving' && mode !== 'stopped')) return;
    assertMove('a node in its cluster', MOVES, this.#mode, mode);
    this.#mode = mode;
  }
}
