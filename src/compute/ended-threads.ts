// Which errors of a Piscina pool tell of a thread that has ended by itself.

const LATE_ANSWER = 'Unexpected message from Worker';

/**
 * Passes on the errors of a pool, without those of late answers: a thread has answered when its job had just been given up. It is
 * ended with its job, as it has to be. The text of such an error has the answer in it, which is a part of a document.
 */
export const withoutLateAnswers =
  (onEnded: (error: unknown) => void) =>
  (error: unknown): void => {
    if (!(error instanceof Error && error.message.startsWith(LATE_ANSWER))) onEnded(error);
  };
