// One life of a simulated node's process: its gateway and sockets, and its place in the cluster, one run
// after the other as in src/membership/membership.ts. The simulation starts, stops, drains and kills it.
// Modes of the place: starting -> member -> fenced -> (back-off) starting; any -> stopped.
import type { Clock } from '../../../actors/clock.ts';
import { pause } from '../../../actors/clock.ts';
import type { OwnerCall } from '../../../actors/link/calls.ts';
import type { LinkOp } from '../../../actors/link/link-messages.ts';
import { Router } from '../../../cluster/shards/router.ts';
import type { Codec } from '../../../protocol/codec.ts';
import { CLOSE_CODES } from '../../../protocol/errors.ts';
import type { Answered } from '../../../src/gateway/calls/owner-calls.ts';
import { Gateway } from '../../../src/gateway/gateway.ts';
import { YWebsocketEndpoint } from '../../../src/yjs/y-websocket.ts';
import type { MemoryNode } from '../../doubles/store-memory.ts';
import { type ClientEnd, Connection } from '../clients/connection.ts';
import { SimIdentity, type Sub } from '../clients/sim-users.ts';
import { ALL_SHARDS, between, EPOCH_MS, LIMITS, type World } from '../world.ts';
import { SimRun } from './sim-run.ts';
import { Thread } from './thread.ts';

export interface SimProcessOptions {
  readonly world: World;
  readonly node: string;
  readonly port: number;
  readonly slots: number;
  /** The number of this life of the node. */
  readonly life: number;
  /** The offset of this node's wall clock. */
  readonly wallOffsetMs: () => number;
  /** The database as this node can reach it now. */
  readonly database: () => MemoryNode;
}

/** The bounds of requests, as they are by default. */
const CALLS = { waitMs: 5_000, requests: 1_000 };

/** Sockets of revoked users stay for so long. */
const GRACE_MS = 1_500;
/** How long a change of rights takes to reach a process. */
const NEWS_MS = [1, 900] as const;

type Mode = 'starting' | 'member' | 'fenced' | 'stopped';

/** The log line of takeover.ts. */
const FENCED = 'a node was fenced';
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 15_000;
const STEADY_MS = 60_000;

export class SimProcess {
  readonly main: Thread;
  readonly #options: SimProcessOptions;
  readonly #router = new Router();
  readonly #gateway: Gateway;
  readonly #yjs: YWebsocketEndpoint;
  readonly #identity: SimIdentity;
  readonly #connections = new Set<Connection>();
  readonly #clock: Clock;
  readonly #control;
  #mode: Mode = 'starting';
  #current: SimRun | undefined;
  #joining: Promise<void> = Promise.resolve();
  #threads: () => readonly Thread[] = () => [];
  #stopped: readonly Thread[] = [];
  #runs = 0;
  /** Clients that leave their ids to the server. */
  #unnamed = 0;
  #failures = 0;
  #startedAt = 0;
  /** The process takes new sockets. */
  isOpen = false;

  constructor(options: SimProcessOptions) {
    this.#options = options;
    const { world, node, life } = options;
    const random = world.random(`process ${node} ${life}`);
    const rate = between(random, [0.985, 1.015]);
    this.main = new Thread(world.scheduler, { offsetMs: random() * 1e6, rate });
    this.#clock = this.main.clock;
    this.main.join({
      stop: () => this.#fabric((fabric) => fabric.pause(node)),
      goOn: () => this.#fabric((fabric) => fabric.resume(node)),
      kill: () => this.#fabric((fabric) => fabric.kill(node)),
    });
    this.#control = this.#connectDatabase(this.main).control();
    this.#identity = new SimIdentity(world.rights.changes);
    this.#gateway = new Gateway({
      node,
      identity: this.#identity,
      graceMs: GRACE_MS,
      limits: LIMITS,
      router: this.#router,
      unansweredBytes: 256 * 1024,
      now: this.now,
      time: () => EPOCH_MS + this.#clock.now() + this.#options.wallOffsetMs(),
      newClientId: () => `unnamed-${node}-${life}-${++this.#unnamed}`,
      random,
      after: (ms, run) => this.#clock.after(ms, run),
      calls: CALLS,
      log: (_level, message, fields) => {
        throw new Error(`${message}: ${JSON.stringify(fields)}`);
      },
    });
    this.#yjs = new YWebsocketEndpoint({
      gateway: this.#gateway,
      limits: LIMITS,
      updateBytes: LIMITS.opBytes,
      after: (ms, run) => this.#clock.after(ms, run),
      random,
    });
    this.#clock.every(1000, () => {
      for (const { session } of this.#connections) {
        if (session === undefined) continue;
        session.messages = 0;
        if (!session.closed) session.receiver?.look();
      }
    });
    world.rights.listeners.add((change) =>
      this.#clock.after(between(random, NEWS_MS), () => {
        this.#identity.learn(change);
        this.#gateway.rightsChanged(change);
      }),
    );
    this.#attempt(true).catch((error: unknown) => {
      throw error;
    });
  }

  readonly now = (): number => this.#clock.now();

  /** Asks the owner of a document, as a request over HTTP does. `then` never runs if the process has ended. */
  ask(doc: string, call: OwnerCall, op: LinkOp | null, then: (answered: Answered) => void): void {
    this.main.run(() => {
      if (this.isOpen) void this.main.gate(this.#gateway.calls.ask(doc, call, op)).then(then);
    });
  }

  /** The process knows that the user's right was taken away. */
  isRevoked(sub: Sub): boolean {
    return this.#identity.isRevoked(sub);
  }

  get isMember(): boolean {
    return this.#mode === 'member';
  }

  get isRouted(): boolean {
    return this.#current?.controller.isRouted === true;
  }

  status(): unknown {
    return { mode: this.#mode, ...this.#current?.controller.status() };
  }

  connect(codec: Codec, end: ClientEnd): Connection {
    const server = { gateway: this.#gateway, main: this.main, now: this.now };
    const connection = new Connection(this.#options.world, server, codec, end, () =>
      this.#connections.delete(connection),
    );
    this.#connections.add(connection);
    return connection;
  }

  /** Connects a client of y-websocket. */
  connectYjs(doc: string, end: ClientEnd): Connection {
    const server = { gateway: this.#gateway, main: this.main, now: this.now };
    const connection = new Connection(
      this.#options.world,
      server,
      undefined,
      end,
      () => this.#connections.delete(connection),
      (session) => this.#yjs.attach(session, `/yjs/${doc}`, undefined),
    );
    this.#connections.add(connection);
    return connection;
  }

  /** Stops the process as SIGSTOP does. */
  stop(holding: boolean): void {
    if (this.#stopped.length > 0) return;
    this.#stopped = [this.main, ...this.#threads()].filter((thread) => thread.isAlive);
    for (const thread of this.#stopped) thread.stop(holding);
  }

  goOn(): void {
    for (const thread of this.#stopped) thread.goOn();
    this.#stopped = [];
  }

  /** Ends the process as kill -9 does. */
  kill(random: () => number): void {
    this.isOpen = false;
    for (const connection of [...this.#connections]) connection.breakOff(random());
    for (const thread of [...this.#threads(), this.main]) thread.kill();
  }

  crashWorker(slot: number): void {
    this.#current?.slots.crash(slot);
  }

  worker(slot: number): Thread | undefined {
    return this.#current?.slots.threads()[slot];
  }

  /** The documents that are out of service in this process. */
  quarantined(): readonly string[] {
    return this.#current?.slots.quarantined().map(({ doc }) => doc) ?? [];
  }

  /** Ends the process as SIGTERM does. Resolves when the process may end. */
  async leave(timeoutMs: number): Promise<void> {
    await this.#current?.controller.drain(timeoutMs);
    this.isOpen = false;
    for (const { session } of [...this.#connections]) session?.close(CLOSE_CODES.shutdown, 'the node stops');
    this.#mode = 'stopped';
    await this.#current?.stop(false);
  }

  async #attempt(first: boolean): Promise<void> {
    while (first || this.#mode === 'fenced') {
      if (!first) {
        await pause(this.#clock, Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.#failures++));
        if (this.#mode !== 'fenced') return;
      }
      first = false;
      try {
        await this.#join();
        return;
      } catch (error) {
        this.#log('warn', 'not in the cluster yet', { error: String(error) });
        if (this.#mode !== 'starting') return;
        this.#mode = 'fenced';
      }
    }
  }

  #join(): Promise<void> {
    const joined = this.#beginRun();
    this.#joining = joined.catch(() => undefined);
    return joined;
  }

  async #beginRun(): Promise<void> {
    const { world, node, port, slots, life } = this.#options;
    this.#startedAt = this.#clock.now();
    // A number that orders runs neither by node nor by life.
    const mark = Math.floor(world.random(`run ${node} ${life} ${++this.#runs}`)() * 1e6);
    const run = `r${String(mark).padStart(6, '0')}-${node}-${life}-${this.#runs}`;
    this.#mode = 'starting';
    const started = await SimRun.start(
      {
        world,
        run,
        node,
        port,
        slots,
        main: this.main,
        control: this.#control,
        router: this.#router,
        gateway: this.#gateway,
        connect: (thread) => this.#connectDatabase(thread),
        log: (level, message, fields) => this.#log(level, message, { run, ...fields }),
        onFenced: () => this.#fenced(),
      },
      (threads) => {
        this.#threads = threads;
      },
    );
    if (this.#mode !== 'starting') {
      await started.stop(true);
      return;
    }
    this.#current = started;
    this.#mode = 'member';
    this.isOpen = true;
    this.#log('info', 'joined', { run });
  }

  #fenced(): void {
    if (this.#mode === 'stopped' || this.#mode === 'fenced') return;
    const { world } = this.#options;
    world.count('runs fenced');
    this.#log('error', 'fenced: starting over under a new run', {});
    this.#mode = 'fenced';
    const ended = this.#current;
    this.#current = undefined;
    void this.#rejoin(ended);
  }

  async #rejoin(ended: SimRun | undefined): Promise<void> {
    this.#router.setOwner(ALL_SHARDS, undefined);
    this.#gateway.changed();
    await this.#joining;
    await ended?.stop(true);
    if (this.#clock.now() - this.#startedAt > STEADY_MS) this.#failures = 0;
    await this.#attempt(false);
  }

  #connectDatabase(thread: Thread): MemoryNode {
    const database = this.#options.database();
    thread.join({
      stop: (holding) => database.pause({ holding }),
      goOn: () => database.resume(),
      kill: () => database.crash(),
    });
    return database;
  }

  /** There is no host before the first network. */
  #fabric(act: (fabric: World['fabric']) => void): void {
    if (this.#runs > 0) act(this.#options.world.fabric);
  }

  #log(level: string, message: string, fields: object): void {
    const { world, node } = this.#options;
    world.count(`log: ${message}`);
    if (message === FENCED && 'evidence' in fields) world.count(`fenced for: ${fields.evidence}`);
    world.trace.line(() => `${node} ${level} ${message} ${JSON.stringify(fields)}`);
  }
}
