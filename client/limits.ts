// The limits that the SDK respects: the contract's defaults until a server sends its own, and a guard against
// numbers that no server should send.
import type { Limits } from '../protocol/limits.ts';

/** In force before the first `welcome`. */
export const INITIAL_LIMITS: Limits = {
  frameBytes: 1_048_576,
  opBytes: 262_144,
  receiveBytes: 67_108_864,
  documentBytes: 16_777_216,
  openDocuments: 100,
  opensPerSecond: 100,
  submitsPerSecond: 50,
  presencesPerSecond: 10,
  presenceBytes: 4_096,
  inflight: 64,
  depth: 100,
  workMs: 50,
  historyMs: 86_400_000,
  historyOps: 1_000,
  clientMemoryMs: 86_400_000,
  pingMs: 20_000,
  idleMs: 60_000,
};

/** Timers beyond this many milliseconds fire at once in browsers and in Node. */
export const LONGEST_TIMER_MS = 2_147_483_647;
const SHORTEST_PING_MS = 100;

/**
 * The limits of a `welcome`. A limit that is missing or no positive number keeps its value in `otherwise`.
 */
export function readLimits(told: unknown, otherwise: Limits): Limits {
  const limits: Record<string, number> = { ...otherwise };
  if (typeof told === 'object' && told !== null) {
    for (const [name, value] of Object.entries(told)) {
      if (
        Object.hasOwn(otherwise, name) &&
        typeof value === 'number' &&
        value > 0 &&
        Number.isFinite(value)
      ) {
        limits[name] = value;
      }
    }
  }
  const pingMs = limits.pingMs ?? otherwise.pingMs;
  return {
    ...otherwise,
    ...limits,
    pingMs: Math.min(Math.max(pingMs, SHORTEST_PING_MS), LONGEST_TIMER_MS),
  };
}

/** Room in a frame for the fields around a patch: names, seq, base. */
const ENVELOPE_BYTES = 1_024;

/** The largest patch that fits both limits, in encoded bytes. */
export function mostPatchBytes({ opBytes, frameBytes }: Limits): number {
  return Math.min(opBytes, Math.max(frameBytes - ENVELOPE_BYTES, frameBytes / 2));
}
