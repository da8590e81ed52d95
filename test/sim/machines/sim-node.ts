// One simulated machine: the processes that run on it one after the other, and its way to the database.

import type { OwnerCall } from '../../../actors/link/calls.ts';
import type { LinkOp } from '../../../actors/link/link-messages.ts';
import type { Random } from '../../../loadtest/clients/random-edits.ts';
import type { Codec } from '../../../protocol/codec.ts';
import type { Answered } from '../../../src/gateway/calls/owner-calls.ts';
import type { LostConnection, MemoryNode, Reach } from '../../doubles/store-memory.ts';
import type { ClientEnd, Connection } from '../clients/connection.ts';
import type { Sub } from '../clients/sim-users.ts';
import { between, type World } from '../world.ts';
import { SimProcess } from './sim-process.ts';
import type { Thread } from './thread.ts';

export class SimNode {
  readonly name: string;
  readonly #world: World;
  readonly #slots: number;
  readonly #slower: number;
  readonly #random: Random;
  readonly #databases = new Set<MemoryNode>();
  #process: SimProcess | undefined;
  #lives = 0;
  #leaving = false;
  #reach: Reach = 'all';
  #slow: readonly [number, number] | undefined;
  #lossRate = 0;
  wallOffsetMs = 0;

  constructor(world: World, name: string, slots: number, slower: number) {
    this.#world = world;
    this.name = name;
    this.#slots = slots;
    this.#slower = slower;
    this.#random = world.random(`node ${name}`);
  }

  get isUp(): boolean {
    return this.#process !== undefined;
  }

  /** True if the node is part of the cluster and not about to leave. */
  get isMember(): boolean {
    return this.#process?.isMember === true && !this.#leaving;
  }

  /** See `SimProcess.isRevoked`. Undefined: no process runs. */
  isRevoked(sub: Sub): boolean | undefined {
    return this.#process?.isRevoked(sub);
  }

  get isRouted(): boolean {
    return this.#process?.isRouted === true;
  }

  status(): unknown {
    return this.#process?.status();
  }

  start(): void {
    if (this.#process !== undefined) return;
    this.#leaving = false;
    this.#process = new SimProcess({
      world: this.#world,
      node: this.name,
      port: 7000,
      slots: this.#slots,
      life: ++this.#lives,
      wallOffsetMs: () => this.wallOffsetMs,
      database: () => this.#connect(),
    });
  }

  kill(): void {
    this.#process?.kill(this.#random);
    this.#process = undefined;
    this.#databases.clear();
  }

  /** See `SimProcess.ask`. */
  ask(doc: string, call: OwnerCall, op: LinkOp | null, then: (answered: Answered) => void): void {
    this.#process?.ask(doc, call, op, then);
  }

  /** Stops the process as SIGSTOP does. */
  stop(holding: boolean): void {
    this.#process?.stop(holding);
  }

  goOn(): void {
    this.#process?.goOn();
  }

  /** Stalls the main thread while the other threads go on. The returned function ends the stall. */
  stall(): () => void {
    return stalled(this.#process?.main);
  }

  /** Stalls one worker in the same way. Undefined: any worker. */
  stallWorker(slot: number | undefined): () => void {
    return stalled(this.#process?.worker(slot ?? this.#anySlot()));
  }

  crashWorker(slot: number | undefined): void {
    this.#process?.crashWorker(slot ?? this.#anySlot());
  }

  /** The documents that are out of service on this node. */
  quarantined(): readonly string[] {
    return this.#process?.quarantined() ?? [];
  }

  /** Ends the process as SIGTERM does, and starts it after its end. */
  restart(drainMs: number, downMs: number, killMs: number): void {
    const process = this.#process;
    if (process === undefined || this.#leaving) return;
    this.#leaving = true;
    let ended = false;
    const over = (): void => {
      if (ended || this.#process !== process) return;
      ended = true;
      this.kill();
      this.#world.scheduler.after(downMs, () => this.start());
    };
    process.leave(drainMs).then(over, over);
    // The operator does not wait for ever.
    this.#world.scheduler.after(killMs, over);
  }

  setReach(reach: Reach): void {
    this.#reach = reach;
    for (const database of this.#databases) database.setReach(reach);
  }

  /** Sets the time of each way to the database and back, ms. */
  setSlow(delay: readonly [number, number] | undefined): void {
    this.#slow = delay;
  }

  /** Sets the share of statements that lose their connection. */
  setLossRate(rate: number): void {
    this.#lossRate = rate;
  }

  /** Dials the node. Undefined: no process listens there. */
  dial(codec: Codec, end: ClientEnd): Connection | undefined {
    const process = this.#process;
    return process?.isOpen === true ? process.connect(codec, end) : undefined;
  }

  /** Dials the node as a client of y-websocket does. */
  dialYjs(doc: string, end: ClientEnd): Connection | undefined {
    const process = this.#process;
    return process?.isOpen === true ? process.connectYjs(doc, end) : undefined;
  }

  #anySlot(): number {
    return Math.floor(this.#random() * this.#slots);
  }

  #connect(): MemoryNode {
    const { scheduler, delays } = this.#world;
    const database = this.#world.database.node();
    database.setReach(this.#reach);
    database.setDelay(() =>
      scheduler.sleep(this.#slower * between(this.#random, this.#slow ?? delays.database)),
    );
    database.setLoss(() => this.#loss());
    this.#databases.add(database);
    return database;
  }

  #loss(): LostConnection | undefined {
    if (this.#lossRate === 0 || this.#random() >= this.#lossRate) return undefined;
    return this.#random() < 0.5 ? 'before-commit' : 'after-commit';
  }
}

function stalled(thread: Thread | undefined): () => void {
  thread?.stop();
  return () => thread?.goOn();
}
