// The wish to stop, as signals tell it: the first one is the wish. One more is insistence, unless it comes so soon
// that it is the same one twice. For every program that has something to end before it ends.

export type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

export interface StopSignalsOptions {
  /** Told once. */
  readonly onWish: (signal: Signal) => void;
  /** Not waiting any longer is wished. `code`: what a shell says of a program that the signal has ended. */
  readonly onInsist: (signal: Signal, code: number) => void;
  /** Default: those of the process. */
  readonly signals?: {
    on(signal: Signal, listener: (signal: Signal) => void): unknown;
    off(signal: Signal, listener: (signal: Signal) => void): unknown;
  };
  readonly now?: () => number;
}

/** npm forwards the signal that the terminal has already sent: two within this long are one wish. */
const SAME_WISH_MS = 1_000;

const NUMBERS: Readonly<Record<Signal, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

/** Listens until what it returns is called: from then on a signal ends the process, as it does by default. */
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
