// One slot of the pool of workers: the mode of its worker, and the questions about shards that its worker has
// not answered yet. It starts and ends no thread.
import type { MessagePort, TransferListItem } from 'node:worker_threads';
import { assertMove, type Moves } from '../../actors/modes.ts';
import { type Epoch, type SessionId, StoreUnavailable } from '../../actors/storage/store.ts';
import type { FromWorker, ToWorker, WorkerEnd } from '../../actors/worker.ts';
import type { Epochs } from './slot-host.ts';

type Mode = 'starting' | 'live' | 'ended' | 'stopped';

const MOVES: Moves<Mode> = {
  ended: ['starting', 'stopped'],
  starting: ['live', 'ended', 'stopped'],
  live: ['ended', 'stopped'],
  // A pool that is being stopped may be killed.
  stopped: ['stopped'],
};

interface Asked {
  readonly resolve: (epochs: Epochs) => void;
  readonly reject: (error: Error) => void;
}

export class WorkerSlot {
  readonly number: number;
  #current: Mode = 'ended';
  readonly #asked = new Map<number, Asked>();
  #lastToken = 0;
  #control: MessagePort | undefined;
  /** Ends the thread at once. */
  abort: AbortController | undefined;
  session: SessionId | undefined;
  thread: number | undefined;
  /** Resolves when the worker's task has ended. */
  ended: Promise<void> = Promise.resolve();
  retry: NodeJS.Timeout | undefined;
  /** Failed starts and short lives in a row. */
  failures = 0;
  everLive = false;

  constructor(number: number) {
    this.number = number;
  }

  get mode(): Mode {
    return this.#current;
  }

  /** Throws at a move that is not legal. */
  setMode(mode: Mode): void {
    assertMove('a worker', MOVES, this.#current, mode);
    this.#current = mode;
  }

  /** A worker is about to start. It is told and asked over this port. */
  starting(control: MessagePort, abort: AbortController): void {
    this.setMode('starting');
    this.session = undefined;
    this.#control = control;
    this.abort = abort;
  }

  stopped(): void {
    this.setMode('stopped');
    clearTimeout(this.retry);
  }

  /** Tells a worker that starts or serves. */
  tell(message: ToWorker, transfer: readonly TransferListItem[] = []): void {
    this.#control?.postMessage(message, transfer);
  }

  /** Rejects with StoreUnavailable if the worker does not serve, refuses, or ends meanwhile. */
  ask(message: (token: number) => ToWorker): Promise<Epochs> {
    if (this.mode !== 'live')
      return Promise.reject(new StoreUnavailable(`worker ${this.number} is not there`));
    return new Promise((resolve, reject) => {
      const token = ++this.#lastToken;
      this.#asked.set(token, { resolve, reject });
      this.tell(message(token));
    });
  }

  answered(message: Extract<FromWorker, { type: 'claimed' | 'released' | 'failed' }>): void {
    const asked = this.#asked.get(message.token);
    this.#asked.delete(message.token);
    if (message.type === 'failed') asked?.reject(new StoreUnavailable(message.error));
    else asked?.resolve(pairs(message.epochs));
  }

  /** The worker has ended: it answers nothing more. */
  rejectAll(): void {
    for (const { reject } of this.#asked.values()) reject(new StoreUnavailable('the worker has ended'));
    this.#asked.clear();
  }
}

function pairs(flat: readonly number[]): Epochs {
  const epochs = new Map<number, Epoch>();
  for (let i = 0; i < flat.length; i += 2) epochs.set(flat[i] ?? 0, flat[i + 1] ?? 0);
  return epochs;
}

/** A worker that was not told to stop, and stopped all the same, has failed. */
export const endedBy = (end: WorkerEnd | undefined): 'error' | 'fenced' | 'gap' =>
  end === 'fenced' || end === 'gap' ? end : 'error';
