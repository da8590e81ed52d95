// Writes rich-text documents in other forms, beside the thread of all sockets, which a large one would hold up. Small
// documents are written at once.
import { type JobOutcome, type JobPoolOptions, startJobPool } from '../../../compute/job-pool.ts';
import type { FormatTask } from './format-worker.ts';
import { type Format, formattedBytes } from './formats.ts';

export interface FormatPool {
  /**
   * `content`: the JSON text of the snapshot, in pieces. Rejects if `signal` is aborted. A document that takes too long, or
   * too much memory, is `too-large`, and one that finds too many waiting is `overloaded`.
   */
  write(content: readonly Uint8Array[], format: Format, signal: AbortSignal): Promise<JobOutcome>;
  /** Gives up the documents under way. */
  stop(): Promise<void>;
}

/** A document of these bytes is written on the thread of the sockets. */
const AT_ONCE_BYTES = 2 * 1024;

export function startFormatPool(
  options: Pick<JobPoolOptions, 'timeoutMs' | 'waiting' | 'onEnded'>,
): FormatPool {
  const pool = startJobPool<FormatTask>({
    ...options,
    module: new URL('./format-worker.js', import.meta.url),
    threads: 1,
    tooMany: 'too many documents wait to be written in this format',
  });
  return {
    async write(content, format, signal) {
      const bytes = content.reduce((sum, piece) => sum + piece.length, 0);
      if (bytes <= AT_ONCE_BYTES) return { ok: true, bytes: formattedBytes(content, format) };
      return await pool.run(() => {
        const whole = new Uint8Array(bytes);
        let at = 0;
        for (const piece of content) {
          whole.set(piece, at);
          at += piece.length;
        }
        return { task: { content: whole, format }, transfer: [whole.buffer] };
      }, signal);
    },
    stop: () => pool.stop(),
  };
}
