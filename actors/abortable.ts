// Waiting for an answer that may never come: who waits can be called away.

/**
 * Settles as `answer` does, unless `signal` aborts first: then rejects with its reason. What comes of `answer`
 * after that is let fall: who asked closes what it may still open.
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
