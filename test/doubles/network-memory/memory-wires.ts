// Dials and listens in memory: each attempt travels there and back with delays, under a deadline.

import {
  dials,
  type PeerAddress,
  type PeerIdentity,
  type PeerTarget,
  type ProbeResult,
} from '../../../cluster/peer/network.ts';
import type { DialResult, WirePair, Wires } from '../../../cluster/peer/wire.ts';
import type { Host, Space } from './memory-space.ts';

export class MemoryWires implements Wires {
  readonly #host: Host;
  readonly #space: Space;
  readonly #attempts = new Set<() => void>();

  constructor(host: Host, space: Space) {
    this.#host = host;
    this.#space = space;
  }

  get identity(): PeerIdentity {
    return this.#host.identity;
  }

  listen(onPair: (pair: WirePair) => void): Promise<PeerAddress> {
    this.#host.accept = onPair;
    return Promise.resolve(this.#host.address);
  }

  dial(target: PeerTarget, timeoutMs: number, done: (result: DialResult) => void): () => void {
    const late: DialResult = { type: 'unreachable', reason: 'no answer in time' };
    return this.#attempt<DialResult>(
      target,
      timeoutMs,
      { late, refused: { type: 'refused' } },
      done,
      (there, answer) => {
        const { identity } = this.#host;
        const wrong = there.identity.cluster !== identity.cluster ? 'cluster' : undefined;
        const refusal = wrong ?? (dials(identity.run, there.identity.run) ? undefined : 'direction');
        if (refusal !== undefined) {
          answer({ type: 'unreachable', reason: `refused: ${refusal}` });
          return;
        }
        if (there.identity.run !== target.run) {
          answer({ type: 'replaced' });
          return;
        }
        const link = this.#space.join(this.#host, there);
        const heartbeat = this.#space.join(this.#host, there);
        there.accept?.({ remote: identity, link: link.far, heartbeat: heartbeat.far });
        const pair = { remote: there.identity, link: link.near, heartbeat: heartbeat.near };
        answer({ type: 'up', pair }, () => {
          link.near.destroy();
          heartbeat.near.destroy();
        });
      },
    );
  }

  probe(target: PeerTarget, timeoutMs: number, done: (result: ProbeResult) => void): () => void {
    return this.#attempt<ProbeResult>(
      target,
      timeoutMs,
      { late: 'no-answer', refused: 'refused' },
      done,
      (there, answer) => {
        const { cluster, run } = there.identity;
        if (cluster !== this.#host.identity.cluster) answer('no-answer');
        else answer(run === target.run ? 'connected' : 'replaced');
      },
    );
  }

  close(): Promise<void> {
    this.#host.accept = undefined;
    for (const cancel of [...this.#attempts]) cancel();
    return Promise.resolve();
  }

  /**
   * Travels to the target, runs `arrive` in its process, and travels back. `undo` runs if the dialler no
   * longer waits for the answer.
   */
  #attempt<Result>(
    target: PeerTarget,
    timeoutMs: number,
    { late, refused }: { readonly late: Result; readonly refused: Result },
    done: (result: Result) => void,
    arrive: (there: Host, answer: (result: Result, undo?: () => void) => void) => void,
  ): () => void {
    const space = this.#space;
    const host = this.#host;
    let over = false;
    let undone: (() => void) | undefined;
    const cancel = (): void => {
      if (over) return;
      over = true;
      cancelDeadline();
      this.#attempts.delete(cancel);
      undone?.();
    };
    const cancelDeadline = host.clock.after(timeoutMs, () => {
      cancel();
      done(late);
    });
    this.#attempts.add(cancel);
    const finish = (result: Result): void => {
      if (over) return;
      undone = undefined;
      cancel();
      done(result);
    };
    const there = space.at(target.address);
    if (there === undefined || space.isCut(host, there)) return cancel;
    const back = (result: Result): void => {
      if (space.isCut(there, host)) return;
      space.clock.after(space.delayMs(there, host), () => host.run(() => finish(result)));
    };
    space.clock.after(space.delayMs(host, there), () => {
      if (over) return;
      // The operating system refuses, even for a process that is stopped.
      if (there.accept === undefined || space.refuses(host, there)) back(refused);
      else
        there.run(() => {
          if (over) return;
          arrive(there, (result, undo) => {
            undone = undo;
            back(result);
          });
        });
    });
    return cancel;
  }
}
