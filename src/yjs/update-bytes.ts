// The largest update that a Yjs client may send.
import type { Config } from '../../config/schema.ts';

type Keys = {
  readonly yjs: Pick<Config['yjs'], 'updateBytes'>;
  readonly limits: Pick<Config['limits'], 'opBytes' | 'receiveBytes'>;
  readonly actors: Pick<Config['actors'], 'mailboxBytes'>;
  readonly gateway: Pick<Config['gateway'], 'outboxBytes'>;
};

/** Bytes of a frame around its update. */
const ENVELOPE_BYTES = 1024;

/**
 * `yjs.updateBytes`, as far as an update of that size fits into a mailbox and, in base64, into a frame and into what may
 * wait for a reader. It is never below what every client may send.
 */
export function largestUpdate({ yjs, limits, actors, gateway }: Keys): number {
  const frame = Math.min(gateway.outboxBytes, limits.receiveBytes) - ENVELOPE_BYTES;
  const fitting = Math.min(yjs.updateBytes, actors.mailboxBytes, Math.floor((frame * 3) / 4));
  return Math.max(limits.opBytes, fitting);
}
