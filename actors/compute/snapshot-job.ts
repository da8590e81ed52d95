// The work on large snapshots that is done beside the threads that serve edits. Pure.
import { Packr } from 'msgpackr';
import { mergeAll } from '../../kinds/yjs/updates.ts';
import { parseJson } from '../../protocol/json-text.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** The caller gives the bytes away. */
export type SnapshotJob =
  /** Merges many Yjs updates, oldest first, into one. */
  | { readonly type: 'merge'; readonly updates: readonly Bytes[] }
  /** Writes a JSON text as MessagePack. */
  | { readonly type: 'pack'; readonly json: Bytes };

/** Does the job on another thread. Rejects if it fails, or takes too long. */
export type RunSnapshotJob = (job: SnapshotJob) => Promise<Bytes>;

export function doSnapshotJob(job: SnapshotJob): Uint8Array {
  switch (job.type) {
    case 'merge':
      return mergeAll(job.updates);
    case 'pack':
      return packed(parseJson(Buffer.from(job.json.buffer, 0, job.json.length).toString('utf8')));
    default:
      throw new Error(`unknown job ${String(job satisfies never)}`);
  }
}

/** A Packr of its own for each value: it keeps the buffer that it has grown to. */
export const packed = (value: unknown): Uint8Array =>
  new Packr({ useRecords: false, mapsAsObjects: true, variableMapSize: true }).pack(value);

/** The buffers to transfer. */
export const buffersOf = (job: SnapshotJob): ArrayBuffer[] =>
  job.type === 'merge' ? job.updates.map(({ buffer }) => buffer) : [job.json.buffer];
