// What operators' commands and nodes tell each other over the database's events. Each is a hint that may be
// lost: pins are read again all the time, and who asks a node to drain asks until it answers.

import type { ControlStore } from '../actors/storage/store.ts';

export type OperatorEvent =
  /** The table of pins has changed. */
  | { readonly type: 'pins' }
  /** That run is to hand its shards over and send its clients away. Asked again it only answers. */
  | { readonly type: 'drain'; readonly run: string }
  /** This document is in service again, if it was quarantined, and its failures are forgotten. */
  | { readonly type: 'release'; readonly doc: string }
  /** The answer of each node. */
  | {
      readonly type: 'released';
      readonly run: string;
      readonly doc: string;
      readonly wasQuarantined: boolean;
    }
  /** The answer to `drain`. */
  | ({ readonly type: 'leaving'; readonly run: string } & LeaveProgress);

export interface LeaveProgress {
  /** Connected now. */
  readonly clients: number;
  /** Nothing more will be handed over, and nobody more sent away. */
  readonly isDone: boolean;
}

export const encodeOperatorEvent = (event: OperatorEvent): string => JSON.stringify(event);

/** undefined: not one of these. */
export function operatorEvent(text: string): OperatorEvent | undefined {
  if (!text.startsWith('{')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('type' in value)) return undefined;
  if (value.type === 'pins') return { type: 'pins' };
  if (value.type === 'release')
    return 'doc' in value && typeof value.doc === 'string' ? { type: 'release', doc: value.doc } : undefined;
  if (!('run' in value) || typeof value.run !== 'string') return undefined;
  const { run } = value;
  if (value.type === 'drain') return { type: 'drain', run };
  if (value.type === 'released') {
    if (!('doc' in value) || !('wasQuarantined' in value)) return undefined;
    const { doc, wasQuarantined } = value;
    if (typeof doc !== 'string' || typeof wasQuarantined !== 'boolean') return undefined;
    return { type: 'released', run, doc, wasQuarantined };
  }
  if (value.type !== 'leaving' || !('clients' in value) || !('isDone' in value)) return undefined;
  const { clients, isDone } = value;
  if (typeof clients !== 'number' || typeof isDone !== 'boolean') return undefined;
  return { type: 'leaving', run, clients, isDone };
}

/** A node's part in a release. A lost answer is asked for again. */
export function answerRelease(
  store: Pick<ControlStore, 'notify'>,
  run: string,
  workers: { releaseQuarantined(doc: string): boolean },
  doc: string,
): void {
  const wasQuarantined = workers.releaseQuarantined(doc);
  store.notify(encodeOperatorEvent({ type: 'released', run, doc, wasQuarantined })).catch(() => undefined);
}
