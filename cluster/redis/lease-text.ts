// A lease as text, as it is stored in Redis. Pure. Leases of other versions are read too: additional keys are
// ignored, and a text without a required key is no lease.
import type { Lease } from '../liveness/lease-store.ts';

/** Undefined if the text is not a lease. */
export function readLease(text: string): Lease | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isLease(value) ? value : undefined;
}

const STATES: readonly unknown[] = ['joining', 'live', 'draining'] satisfies Lease['state'][];

function isLease(value: unknown): value is Lease {
  if (!isMap(value)) return false;
  const { run, node, address, session, state, weight, workers, timeline } = value;
  return (
    typeof run === 'string' &&
    typeof node === 'string' &&
    typeof address === 'string' &&
    Number.isSafeInteger(session) &&
    STATES.includes(state) &&
    typeof weight === 'number' &&
    Number.isSafeInteger(timeline) &&
    Array.isArray(workers) &&
    workers.every(
      (worker: unknown) =>
        isMap(worker) && Number.isSafeInteger(worker.slot) && Number.isSafeInteger(worker.session),
    )
  );
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
