// Waits for an answer that may never come, until a signal ends the wait.

/**
 * Settles as `answer` does, unless `signal` aborts first; then it rejects with the signal's reason. A later
 * answer is ignored, so the caller closes anything that it may still open.
 */
export function unlessAborted<T>(signal: AbortSignal, answer: PromiseLike<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    answer.then(
      (value) => {
        signal.removeEventListener('abort', abort);
        resolve(value);
      },
      (error: unknown) => {
        signal.removeEventListener('abort', abort);
        reject(error);
      },
    );
  });
}
