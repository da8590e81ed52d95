// A node's place in a cluster over its whole life: one run after the other. A run that is fenced is taken
// apart at once and followed by another after a back-off, while the sockets stay: their clients see a pause.
// A node that leaves is followed by no other run: what starts then, or waits to, is given up at once.
//
// Modes: starting -> member -> fenced -> (back-off) starting; any but stopped -> leaving; any -> stopped. Only
// `setMode` changes it.
import { randomUUID } from 'node:crypto';
import { pause, systemClock } from '../actors/clock.ts';
import { SHARDS } from '../actors/shard.ts';
import { Rings } from '../cluster/rings.ts';
import type { ClusterRun, ClusterRunOptions } from './cluster-run.ts';

export interface MembershipOptions extends Pick<ClusterRunOptions, 'router' | 'gateway' | 'log'> {
  /** As `startClusterRun`; what is the membership's to say is said here. */
  readonly startRun: (
    own: Pick<ClusterRunOptions, 'run' | 'rings' | 'signal' | 'onFenced'>,
  ) => Promise<JoinedRun>;
}

/** What it needs of a run. */
export interface JoinedRun extends Pick<ClusterRun, 'address' | 'refuseBelow' | 'stop'> {
  readonly controller: Pick<
    ClusterRun['controller'],
    | 'isRouted'
    | 'isCutOff'
    | 'status'
    | 'drain'
    | 'tellClients'
    | 'clientShares'
    | 'clientUrls'
    | 'unreachedShards'
  >;
}

type Mode = 'starting' | 'member' | 'fenced' | 'leaving' | 'stopped';

const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 15_000;
/** A run that lasted this long starts the back-off afresh. */
const STEADY_MS = 60_000;
/** After that a node says that it is ready though some shards lead nowhere yet: their owners may be dead. */
const ROUTED_WITHIN_MS = 15_000;
const LOOK_MS = 50;

export class Membership {
  private readonly options: MembershipOptions;
  private readonly rings = new Rings();
  private mode: Mode = 'starting';
  private current: JoinedRun | undefined;
  /** The run that starts, until it has or has not. Never rejects. */
  private joining: Promise<void> = Promise.resolve();
  private ending: Promise<void> = Promise.resolve();
  /** Aborted: no run starts any more. */
  private readonly noMore = new AbortController();
  private failures = 0;
  private startedAt = 0;

  constructor(options: MembershipOptions) {
    this.options = options;
  }

  /** Joins; resolves when every shard leads to its owner, or none can be waited for. Rejects where it is stopped before. */
  async start(): Promise<void> {
    await this.join().catch((error: unknown) => {
      // Fenced while it started: another run follows.
      if (this.mode !== 'fenced') throw error;
    });
    const until = systemClock.now() + ROUTED_WITHIN_MS;
    while (this.current?.controller.isRouted !== true && systemClock.now() < until && this.mode !== 'stopped')
      await pause(systemClock, LOOK_MS, this.noMore.signal);
    if (this.mode === 'member') this.tellUnreached();
  }

  /** Ready all the same: what they own is `unavailable` here, and everything else is served. */
  private tellUnreached(): void {
    const { current } = this;
    if (current === undefined || current.controller.isRouted) return;
    const nodes = current.controller
      .status()
      .members.filter(({ connected }) => !connected)
      .map(({ node, address }) => `${node} at ${address}`);
    this.options.log('warn', 'some documents are not reached: see cluster.advertise, here and there', {
      nodes,
    });
  }

  /** A member that others know of, and not about to leave. */
  get isMember(): boolean {
    return this.mode === 'member' && this.current?.controller.isCutOff === false;
  }

  get address(): string | undefined {
    return this.current?.address;
  }

  tellClients(count: number): void {
    this.current?.controller.tellClients(count);
  }

  clientShares(): ReturnType<ClusterRun['controller']['clientShares']> {
    return this.current?.controller.clientShares();
  }

  clientUrls(): readonly string[] | undefined {
    return this.current?.controller.clientUrls();
  }

  unreachedShards(): readonly number[] {
    return this.current?.controller.unreachedShards() ?? [];
  }

  status(): ReturnType<ClusterRun['controller']['status']> | undefined {
    return this.current?.controller.status();
  }

  /** Hands all shards over; the node stays, routes, and takes no shards again. */
  async drain(timeoutMs: number): Promise<void> {
    this.setMode('leaving');
    this.noMore.abort();
    await this.current?.controller.drain(timeoutMs);
  }

  refuseBelow(timeline: number): void {
    this.current?.refuseBelow(timeline);
  }

  /** What starts is given up, what has started commits what it has taken. */
  async stop(): Promise<void> {
    this.setMode('stopped');
    this.noMore.abort();
    await this.joining;
    await this.ending;
    await this.current?.stop(false);
    this.current = undefined;
  }

  private join(): Promise<void> {
    const joined = this.beginRun();
    this.joining = joined.catch(() => undefined);
    return joined;
  }

  private async beginRun(): Promise<void> {
    this.startedAt = systemClock.now();
    const run = randomUUID();
    this.setMode('starting');
    const started = await this.options.startRun({
      run,
      rings: this.rings,
      signal: this.noMore.signal,
      onFenced: () => this.fenced(),
    });
    if (this.mode === 'starting') {
      this.current = started;
      this.setMode('member');
      this.options.log('info', 'joined the cluster', { run, address: started.address });
    } else await started.stop(true);
  }

  private fenced(): void {
    if (this.mode === 'stopped' || this.mode === 'fenced') return;
    const message =
      this.mode === 'leaving' ? 'fenced while leaving' : 'fenced: starting over under a new run';
    this.options.log('error', message, {});
    this.setMode('fenced');
    const ended = this.current;
    this.current = undefined;
    this.ending = this.rejoin(ended);
  }

  private async rejoin(ended: JoinedRun | undefined): Promise<void> {
    const { router, gateway, log } = this.options;
    router.setOwner(
      Array.from({ length: SHARDS }, (_, shard) => shard),
      undefined,
    );
    gateway.changed();
    // One that was fenced while it started is taken apart first: two runs of a node must never be.
    await this.joining;
    await ended?.stop(true);
    if (systemClock.now() - this.startedAt > STEADY_MS) this.failures = 0;
    while (this.mode === 'fenced') {
      const backOffMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.failures++);
      await pause(systemClock, backOffMs, this.noMore.signal);
      if (this.mode !== 'fenced') return;
      try {
        await this.join();
        return;
      } catch (error) {
        if (this.noMore.signal.aborted) return;
        log('warn', 'not back in the cluster yet', { error: String(error) });
        // Fenced while it started: then the next is on its way already.
        if (!this.isStarting) return;
        this.setMode('fenced');
      }
    }
  }

  private get isStarting(): boolean {
    return this.mode === 'starting';
  }

  private setMode(mode: Mode): void {
    if (this.mode === 'stopped' || (this.mode === 'leaving' && mode !== 'stopped')) return;
    this.mode = mode;
  }
}
