// The work on large snapshots that is done beside the threads that serve edits. Pure.
import { Packr } from 'msgpackr';
import { diffsOf, packUpdates } from '../../kinds/yjs/diff.ts';
import { mergeAll } from '../../kinds/yjs/updates.ts';
import { parseJson } from '../../protocol/json-text.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** The caller gives the bytes away. */
export type SnapshotJob =
  /** Merges many Yjs updates, oldest first, into one. */
  | { readonly type: 'merge'; readonly updates: readonly Bytes[] }
  /** Cuts what peers with these state vectors lack out of a Yjs update. The result is packed by `packUpdates`. */
  | { readonly type: 'diff'; readonly update: Bytes; readonly vectors: readonly Bytes[] }
  /** Writes a JSON text as MessagePack. */
  | { readonly type: 'pack'; readonly json: Bytes };

/** Does the job on another thread. Rejects if it fails, or takes too long. */
export type RunSnapshotJob = (job: SnapshotJob) => Promise<Bytes>;

export function doSnapshotJob(job: SnapshotJob): Uint8Array {
  switch (job.type) {
    case 'merge':
      return mergeAll(job.updates);
    case 'diff':
      return packUpdates(diffsOf(job.update, job.vectors));
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
export function buffersOf(job: SnapshotJob): ArrayBuffer[] {
  switch (job.type) {
    case 'merge':
      return job.updates.map(({ buffer }) => buffer);
    case 'diff':
      return [job.update.buffer, ...job.vectors.map(({ buffer }) => buffer)];
    case 'pack':
      return [job.json.buffer];
    default:
      throw new Error(`unknown job ${String(job satisfies never)}`);
  }
}
