// The events that operators' commands and nodes exchange through the database, and how a node handles them.
// Each event is a hint and may be lost: pins are read again regularly, and a command that drains a node repeats
// its event until the node answers.
import type { ControlStore } from '../actors/storage/store.ts';

export type OperatorEvent =
  /** The table of pins has changed. */
  | { readonly type: 'pins' }
  /**
   * That run has to hand over its shards and send its clients away. A repeated event only causes another
   * answer.
   */
  | { readonly type: 'drain'; readonly run: string }
  /** All nodes are asked for their figures. */
  | { readonly type: 'status' }
  /** The answer of each node to `status`. */
  | ({ readonly type: 'figures'; readonly run: string } & NodeFigures & MovingShards)
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

/** The figures of a node at the moment. */
export interface NodeFigures {
  /** Sockets that are open. */
  readonly clients: number;
  /** Documents in memory. */
  readonly documents: number;
  /** Edits that its workers commit, averaged over the last seconds. */
  readonly editsPerSecond: number;
  readonly uptimeMs: number;
}

export interface MovingShards {
  /** Shards of the node that are placed elsewhere, by the node on which they are placed. */
  readonly moving: Readonly<Record<string, number>>;
}

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
  if (value.type === 'pins' || value.type === 'status') return { type: value.type };
  if (value.type === 'release')
    return 'doc' in value && typeof value.doc === 'string' ? { type: 'release', doc: value.doc } : undefined;
  if (!('run' in value) || typeof value.run !== 'string') return undefined;
  const { run } = value;
  if (value.type === 'drain') return { type: 'drain', run };
  if (value.type === 'figures') return figuresOf(run, value);
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

function figuresOf(run: string, value: object): OperatorEvent | undefined {
  const { clients, documents, editsPerSecond, uptimeMs, moving } = value as Record<string, unknown>;
  if (typeof clients !== 'number' || typeof documents !== 'number') return undefined;
  if (typeof editsPerSecond !== 'number' || typeof uptimeMs !== 'number') return undefined;
  if (typeof moving !== 'object' || moving === null) return undefined;
  const counts = Object.entries(moving).filter((entry): entry is [string, number] =>
    Number.isInteger(entry[1]),
  );
  return {
    type: 'figures',
    run,
    ...{ clients, documents, editsPerSecond, uptimeMs },
    moving: Object.fromEntries(counts),
  };
}

/** A payload of NOTIFY is bounded, and the names of so many nodes fit. */
const MOST_TARGETS = 50;

/** Answers `status`. If the answer is lost, the command asks again. */
export function answerStatus(
  store: Pick<ControlStore, 'notify'>,
  run: string,
  figures: NodeFigures,
  moving: ReadonlyMap<string, number>,
): void {
  const targets = Object.fromEntries([...moving].slice(0, MOST_TARGETS));
  store
    .notify(encodeOperatorEvent({ type: 'figures', run, ...figures, moving: targets }))
    .catch(() => undefined);
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

export interface OperatorEventsOptions {
  readonly store: Pick<ControlStore, 'notify'>;
  /** This node's run. */
  readonly run: string;
  readonly pinBoard: { read(): Promise<void> };
  /** Undefined until the node has joined its cluster. */
  readonly workers: () => { releaseQuarantined(doc: string): boolean } | undefined;
  /** Called when an operator wants the node to leave; returns the progress. May be called again. */
  readonly onLeaveAsked?: () => LeaveProgress;
  /** The figures for an operator who asks for the state of the cluster. */
  readonly figures?: () => NodeFigures;
  /** As `MovingShards`. */
  readonly moving: () => ReadonlyMap<string, number>;
}

/** The handling of operators' events by a node of a cluster. */
export class OperatorEvents {
  readonly #options: OperatorEventsOptions;

  constructor(options: OperatorEventsOptions) {
    this.#options = options;
  }

  /** False if the text is no operator's event. */
  handle(text: string): boolean {
    const { store, run, pinBoard, onLeaveAsked, figures, moving } = this.#options;
    const workers = this.#options.workers();
    const event = operatorEvent(text);
    if (event === undefined) return false;
    if (event.type === 'pins') void pinBoard.read();
    else if (event.type === 'status' && figures !== undefined) answerStatus(store, run, figures(), moving());
    else if (event.type === 'release' && workers !== undefined) answerRelease(store, run, workers, event.doc);
    else if (event.type === 'drain' && event.run === run && onLeaveAsked !== undefined) {
      const answer = encodeOperatorEvent({ type: 'leaving', run, ...onLeaveAsked() });
      // If the answer is lost, the operator's command asks again.
      store.notify(answer).catch(() => undefined);
    }
    return true;
  }
}
