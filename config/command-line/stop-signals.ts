// Turns signals into the request to stop: the first signal is the request. A further signal means not to wait
// any longer, unless it comes so soon that it is the same request twice. For every program that has work to
// finish before it ends.

export type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

export interface StopSignalsOptions {
  /** Called once. */
  readonly onWish: (signal: Signal) => void;
  /**
   * Called when the program should not wait any longer. `code`: the exit code that a shell reports for a
   * program ended by the signal.
   */
  readonly onInsist: (signal: Signal, code: number) => void;
  /** Default: the signals of the process. */
  readonly signals?: {
    on(signal: Signal, listener: (signal: Signal) => void): unknown;
    off(signal: Signal, listener: (signal: Signal) => void): unknown;
  };
  readonly now?: () => number;
}

/**
 * npm forwards a signal that the terminal has sent already, so two signals within this time are one request.
 */
const SAME_WISH_MS = 1_000;

const NUMBERS: Readonly<Record<Signal, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

/** Listens until the returned function is called. From then on a signal ends the process, as by default. */
export function onStopSignals({
  onWish,
  onInsist,
  signals = process,
  now = () => performance.now(),
}: StopSignalsOptions): () => void {
  let firstAt: number | undefined;
  const onSignal = (signal: Signal): void => {
    if (firstAt === undefined) {
      firstAt = now();
      onWish(signal);
    } else if (now() - firstAt > SAME_WISH_MS) {
      onInsist(signal, 128 + NUMBERS[signal]);
    }
  };
  const names = Object.keys(NUMBERS) as Signal[];
  for (const name of names) signals.on(name, onSignal);
  return () => {
    for (const name of names) signals.off(name, onSignal);
  };
}
