// The usage of the thread that asks, by the operating system and by Node: its processor time, its heap, and the
// time in which its event loop worked.
import { readlinkSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { openProcessorTime } from './processor-time.ts';

export interface ThreadUsage {
  /** The number by which the operating system knows the thread. Undefined if it does not say. */
  readonly osThread: number | undefined;
  /** Undefined if the system does not tell it for a thread. */
  cpuSeconds(): number | undefined;
  /** Time in which the event loop did not wait for events. Starts at 0, never falls. */
  busySeconds(): number;
  heap(): { readonly used: number; readonly limit: number; readonly external: number };
  close(): void;
}

/** Call it in the thread whose usage is wanted. */
export function threadUsage(): ThreadUsage {
  const processor = openProcessorTime('thread-self');
  return {
    osThread: ownNumber(),
    cpuSeconds: () => processor?.seconds(),
    busySeconds: () => performance.eventLoopUtilization().active / 1000,
    heap: () => {
      const { used_heap_size, heap_size_limit, external_memory } = getHeapStatistics();
      return { used: used_heap_size, limit: heap_size_limit, external: external_memory };
    },
    close: () => processor?.close(),
  };
}

/** Processor time of a thread of this process, s. Undefined if it has ended, or if the system does not tell. */
export function cpuSecondsOf(osThread: number): number | undefined {
  const processor = openProcessorTime(`self/task/${osThread}`);
  const seconds = processor?.seconds();
  processor?.close();
  return seconds;
}

function ownNumber(): number | undefined {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1));
  } catch {
    return undefined;
  }
}
