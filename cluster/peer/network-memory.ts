// The PeerNetwork in memory, for simulations: a fabric joins hosts, and can be told to delay, cut one way,
// break, pause and kill. With the same clock and randomness the same happens. It authenticates nobody.
import type { Clock } from './clock.ts';
import { type Delay, Host, Space, way } from './memory-space.ts';
import { MemoryWires } from './memory-wires.ts';
import {
  PEER_LIMITS,
  type PeerAddress,
  type PeerIdentity,
  type PeerLimits,
  type PeerLog,
  type PeerNetwork,
} from './network.ts';
import { Peers } from './peers.ts';

export interface FabricOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** One way, for each frame; within a connection order is kept, across connections it is not. */
  readonly delay: Delay;
}

export interface MemoryNetworkOptions {
  readonly identity: PeerIdentity;
  readonly address: PeerAddress;
  readonly log: PeerLog;
  readonly limits?: Partial<PeerLimits>;
}

/**
 * Faults name nodes, not runs: a cut outlives a restart. While a direction is cut what is sent waits, as with
 * TCP, ends included. A node that is killed refuses; one that is cut off first and then killed is merely silent.
 */
export class MemoryFabric {
  private readonly space: Space;

  constructor({ clock, random, delay }: FabricOptions) {
    this.space = new Space(clock, random, delay);
  }

  /** A new life of the node; an older one must have been killed or closed. */
  network({ identity, address, log, limits }: MemoryNetworkOptions): PeerNetwork {
    const host = new Host(identity, address, this.space.clock);
    this.space.hosts.set(identity.node, host);
    const all = { ...PEER_LIMITS, ...limits };
    const wires = new MemoryWires(host, this.space);
    return new Peers({ wires, clock: host.clock, random: this.space.random, limits: all, log });
  }

  /** Time for the node's current life: its timers wait while it is paused, and never run once it is killed. */
  clockOf(node: string): Clock {
    return this.host(node).clock;
  }

  /** Nothing gets from one to the other; the way back stays open. */
  cut(from: string, to: string): void {
    this.space.cuts.add(way(from, to));
  }

  heal(from: string, to: string): void {
    this.space.cuts.delete(way(from, to));
    for (const connection of this.space.between(from, to)) connection.pump();
  }

  /** Who dials from one to the other is told at once that nobody listens, both ways. Open connections stand. */
  refuse(a: string, b: string): void {
    this.space.refusals.add(way(a, b)).add(way(b, a));
  }

  admit(a: string, b: string): void {
    this.space.refusals.delete(way(a, b));
    this.space.refusals.delete(way(b, a));
  }

  healAll(): void {
    this.space.cuts.clear();
    this.space.refusals.clear();
    for (const connection of [...this.space.connections]) connection.pump();
  }

  /** For frames sent from now on; undefined: the fabric's. */
  setDelay(from: string, to: string, delay: Delay | undefined): void {
    if (delay === undefined) this.space.delays.delete(way(from, to));
    else this.space.delays.set(way(from, to), delay);
  }

  /** Breaks all connections between the two: both ends hear of it, and lose a part of what was on its way. */
  drop(a: string, b: string): void {
    for (const connection of this.space.between(a, b)) connection.breakOff();
  }

  /** As SIGSTOP: nothing runs there, what arrives waits. */
  pause(node: string): void {
    this.host(node).paused = true;
  }

  resume(node: string): void {
    this.host(node).resume();
  }

  /** As kill -9: it never does anything again, the others' connections with it end. */
  kill(node: string): void {
    const host = this.host(node);
    host.alive = false;
    host.accept = undefined;
    for (const connection of this.space.connections) if (connection.touches(host)) connection.breakOff();
  }

  private host(node: string): Host {
    const host = this.space.hosts.get(node);
    if (host === undefined) throw new Error(`no node ${node}`);
    return host;
  }
}
