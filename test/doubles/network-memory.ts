// The PeerNetwork in memory, for simulations. A fabric joins hosts, and can delay, cut one way, break, pause
// and kill on demand. It is deterministic, given the same clock and randomness. It authenticates nobody.
import type { Timers } from '../../actors/clock.ts';
import {
  PEER_LIMITS,
  type PeerAddress,
  type PeerIdentity,
  type PeerLimits,
  type PeerLog,
  type PeerNetwork,
} from '../../cluster/peer/network.ts';
import { Peers } from '../../cluster/peer/peers.ts';
import { type Delay, Host, Space, way } from './network-memory/memory-space.ts';
import { MemoryWires } from './network-memory/memory-wires.ts';

export interface FabricOptions {
  readonly clock: Timers;
  /** In [0, 1). */
  readonly random: () => number;
  /**
   * Delay of one way, drawn for each frame. Frames of one connection stay in order; frames of different
   * connections do not.
   */
  readonly delay: Delay;
}

export interface MemoryNetworkOptions {
  readonly identity: PeerIdentity;
  readonly address: PeerAddress;
  readonly log: PeerLog;
  readonly limits?: Partial<PeerLimits>;
}

/**
 * Faults name nodes, not runs, so a cut outlives a restart. While a direction is cut, frames and ends wait,
 * as with TCP. A node that is killed refuses; a node that is cut off first and then killed is merely silent.
 */
export class MemoryFabric {
  readonly #space: Space;

  constructor({ clock, random, delay }: FabricOptions) {
    this.#space = new Space(clock, random, delay);
  }

  /** Starts a new life of the node. An earlier life must have been killed or closed. */
  network({ identity, address, log, limits }: MemoryNetworkOptions): PeerNetwork {
    const host = new Host(identity, address, this.#space.clock);
    this.#space.hosts.set(identity.node, host);
    const all = { ...PEER_LIMITS, ...limits };
    const wires = new MemoryWires(host, this.#space);
    return new Peers({ wires, clock: host.clock, random: this.#space.random, limits: all, log });
  }

  /**
   * The clock of the node's current life: its timers wait while it is paused, and never run once it is
   * killed.
   */
  clockOf(node: string): Timers {
    return this.#host(node).clock;
  }

  /** Cuts one direction. The way back stays open. */
  cut(from: string, to: string): void {
    this.#space.cuts.add(way(from, to));
  }

  heal(from: string, to: string): void {
    this.#space.cuts.delete(way(from, to));
    for (const connection of this.#space.between(from, to)) connection.pump();
  }

  /** Refuses dials between the two at once, both ways, as if nobody listened. Open connections stay. */
  refuse(a: string, b: string): void {
    this.#space.refusals.add(way(a, b)).add(way(b, a));
  }

  admit(a: string, b: string): void {
    this.#space.refusals.delete(way(a, b));
    this.#space.refusals.delete(way(b, a));
  }

  healAll(): void {
    this.#space.cuts.clear();
    this.#space.refusals.clear();
    for (const connection of [...this.#space.connections]) connection.pump();
  }

  /** Applies to frames sent from now on. Undefined restores the fabric's delay. */
  setDelay(from: string, to: string, delay: Delay | undefined): void {
    if (delay === undefined) this.#space.delays.delete(way(from, to));
    else this.#space.delays.set(way(from, to), delay);
  }

  /** Breaks all connections between the two. Both ends notice, and some frames on their way are lost. */
  drop(a: string, b: string): void {
    for (const connection of this.#space.between(a, b)) connection.breakOff();
  }

  /** Like SIGSTOP: nothing runs there, and arriving frames wait. */
  pause(node: string): void {
    this.#host(node).paused = true;
  }

  resume(node: string): void {
    this.#host(node).resume();
  }

  /** Like kill -9: the node never runs again, and its connections end at the other nodes. */
  kill(node: string): void {
    const host = this.#host(node);
    host.alive = false;
    host.accept = undefined;
    for (const connection of this.#space.connections) if (connection.touches(host)) connection.breakOff();
  }

  #host(node: string): Host {
    const host = this.#space.hosts.get(node);
    if (host === undefined) throw new Error(`no node ${node}`);
    return host;
  }
}
