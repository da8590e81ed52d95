// A pair of link transports in one thread, which can be paused, and which report when both are idle.
import type { Transport } from '../../actors/link/link.ts';

export interface LoopbackEnd extends Transport {
  /** Batches for this end wait from now on. */
  pause(): void;
  resume(): void;
  /** Resolves when neither end has had anything to do for some turns of the event loop. */
  idle(): Promise<void>;
}

const QUIET_TURNS = 8;

export function loopback(): { near: LoopbackEnd; far: LoopbackEnd } {
  let busy = 0;
  const idle = async (): Promise<void> => {
    for (let quiet = 0, seen = busy; quiet < QUIET_TURNS; quiet++) {
      await new Promise((turn) => setImmediate(turn));
      if (seen !== busy) quiet = 0;
      seen = busy;
    }
  };
  const end = (): LoopbackEnd & { deliver(batch: Uint8Array): void } => {
    let listener: ((batch: Uint8Array) => void) | undefined;
    let paused = false;
    let closed = false;
    let waiting: Uint8Array[] = [];
    return {
      post: () => undefined,
      onBatch: (heard) => {
        listener = heard;
      },
      close: () => {
        closed = true;
      },
      pause: () => {
        paused = true;
      },
      resume() {
        paused = false;
        const all = waiting;
        waiting = [];
        for (const batch of all) this.deliver(batch);
      },
      idle,
      deliver(batch) {
        busy++;
        if (closed) return;
        if (paused) waiting.push(batch);
        else setImmediate(() => listener?.(batch));
      },
    };
  };
  const near = end();
  const far = end();
  near.post = (batch) => far.deliver(batch);
  far.post = (batch) => near.deliver(batch);
  return { near, far };
}
