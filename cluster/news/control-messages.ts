// The control messages that nodes exchange over their peer connections, beside the streams: their shapes, and
// the check of received values. A message of an unknown shape is dropped, because a newer node may send more.
import type { Quarantined } from '../../actors/quarantine.ts';
import type { SessionId } from '../../actors/storage/store.ts';
import type { Lease, MapEntry } from '../liveness/lease-store.ts';

export type ControlMessage =
  /** The sender's state. Sent whenever it changes and as soon as a connection is up. */
  | { readonly type: 'state'; readonly lease: Lease }
  /** Owners of shards that the sender knows for certain: it owns them, or has just handed them over. */
  | { readonly type: 'map'; readonly entries: readonly MapEntry[] }
  /**
   * Sent to the new owner: these shards have been handed to your session. The receiver adopts them and
   * announces them to all nodes.
   */
  | { readonly type: 'handed'; readonly session: SessionId; readonly shards: readonly number[] }
  /** This run has been fenced, and its shards are free. */
  | { readonly type: 'fenced'; readonly run: string }
  | { readonly type: 'suspicion'; readonly run: string; readonly suspects: boolean }
  /**
   * Whether the sender reaches the database. Sent whenever that changes and as soon as a connection is up.
   */
  | { readonly type: 'database'; readonly reached: boolean }
  /** A worker of the sender has died while handling this document, or the handling has thrown. */
  | { readonly type: 'death'; readonly doc: string }
  /**
   * This document is quarantined at the sender. Sent when the quarantine begins and as soon as a connection
   * is up.
   */
  | ({ readonly type: 'quarantined' } & Quarantined)
  /** The number of clients connected to the sender, without those that it has asked to go elsewhere. */
  | { readonly type: 'clients'; readonly count: number }
  /** Rights of users have changed. The receiver reads the changes in the database. */
  | { readonly type: 'rights' }
  /**
   * The URL where clients reach the sender. Sent as soon as a connection is up, if the node has such a URL.
   */
  | { readonly type: 'url'; readonly url: string };

/** Times are sent as whole milliseconds. */
export const quarantinedMessage = ({ doc, forMs, round }: Quarantined): ControlMessage => ({
  type: 'quarantined',
  doc,
  forMs: Math.ceil(forMs),
  round,
});

/** Undefined if the value is not a control message. */
export function controlMessage(value: unknown): ControlMessage | undefined {
  if (!isRecord(value)) return undefined;
  switch (value.type) {
    case 'state': {
      const lease = leaseOf(value.lease);
      return lease && { type: 'state', lease };
    }
    case 'map':
      return isEntries(value.entries) ? { type: 'map', entries: value.entries } : undefined;
    case 'handed':
      return isId(value.session) && isIds(value.shards)
        ? { type: 'handed', session: value.session, shards: value.shards }
        : undefined;
    case 'fenced':
      return typeof value.run === 'string' ? { type: 'fenced', run: value.run } : undefined;
    case 'suspicion':
      return typeof value.run === 'string' && typeof value.suspects === 'boolean'
        ? { type: 'suspicion', run: value.run, suspects: value.suspects }
        : undefined;
    case 'database':
      return typeof value.reached === 'boolean' ? { type: 'database', reached: value.reached } : undefined;
    case 'death':
      return typeof value.doc === 'string' ? { type: 'death', doc: value.doc } : undefined;
    case 'quarantined':
      return typeof value.doc === 'string' && isId(value.forMs) && isId(value.round)
        ? { type: 'quarantined', doc: value.doc, forMs: value.forMs, round: value.round }
        : undefined;
    case 'rights':
      return { type: 'rights' };
    case 'clients':
      return isId(value.count) ? { type: 'clients', count: value.count } : undefined;
    case 'url':
      return typeof value.url === 'string' && CLIENT_URL.test(value.url)
        ? { type: 'url', url: value.url }
        : undefined;
    default:
      return undefined;
  }
}

/** As `controlMessage`, for a message that Redis brings as JSON. */
export function controlMessageOfText(text: string): ControlMessage | undefined {
  try {
    return controlMessage(JSON.parse(text));
  } catch {
    return undefined;
  }
}

const CLIENT_URL = /^wss?:\/\/[^\s/?#@]{1,300}$/;

const STATES: ReadonlySet<unknown> = new Set<Lease['state']>(['joining', 'live', 'draining']);

function leaseOf(value: unknown): Lease | undefined {
  if (!isRecord(value)) return undefined;
  const { run, node, address, session, state, weight, workers, timeline } = value;
  if (typeof run !== 'string' || typeof node !== 'string' || typeof address !== 'string') return undefined;
  if (!isId(session) || !STATES.has(state) || typeof weight !== 'number' || typeof timeline !== 'number')
    return undefined;
  if (!Array.isArray(workers) || !workers.every(isWorker)) return undefined;
  return { run, node, address, session, state: state as Lease['state'], weight, workers, timeline };
}

const isWorker = (value: unknown): value is { slot: number; session: number } =>
  isRecord(value) && isId(value.slot) && isId(value.session);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;
const isId = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isIds = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(isId);
const isEntries = (value: unknown): value is readonly MapEntry[] =>
  Array.isArray(value) && value.every((entry) => isIds(entry) && entry.length === 3);
