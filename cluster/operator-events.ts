// The events that operators' commands and nodes exchange through the database. Each event is a hint and may
// be lost: pins are read again regularly, and a command that drains a node repeats its event until the node
// answers.

import type { ControlStore } from '../actors/storage/store.ts';

export type OperatorEvent =
  /** The table of pins has changed. */
  | { readonly type: 'pins' }
  /**
   * That run has to hand over its shards and send its clients away. A repeated event only causes another
   * answer.
   */
  | { readonly type: 'drain'; readonly run: string }
  /** This document returns to service if it was quarantined, and its failures are forgotten. */
  | { readonly type: 'release'; readonly doc: string }
  /** The answer of each node to `release`. */
  | {
      readonly type: 'released';
      readonly run: string;
      readonly doc: string;
      readonly wasQuarantined: boolean;
    }
  /** The answer to `drain`. */
  | ({ readonly type: 'leaving'; readonly run: string } & LeaveProgress);

export interface LeaveProgress {
  /** Clients connected now. */
  readonly clients: number;
  /** True once the node will hand over no more shards and send no more clients away. */
  readonly isDone: boolean;
}

export const encodeOperatorEvent = (event: OperatorEvent): string => JSON.stringify(event);

/** Undefined if the text is no operator's event. */
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

/** Releases the document on this node and answers. If the answer is lost, the command asks again. */
export function answerRelease(
  store: Pick<ControlStore, 'notify'>,
  run: string,
  workers: { releaseQuarantined(doc: string): boolean },
  doc: string,
): void {
  const wasQuarantined = workers.releaseQuarantined(doc);
  store.notify(encodeOperatorEvent({ type: 'released', run, doc, wasQuarantined })).catch(() => undefined);
}
