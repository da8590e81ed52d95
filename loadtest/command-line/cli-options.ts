// The errors of this folder's commands that are no defects. Each is told in one line.

/**
 * Thrown for errors that the person at the keyboard can correct; its message is all that they need to see.
 */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** Thrown for failures that are no defect, such as a server that does not answer. Told in one line. */
export class RunFailure extends Error {
  override name = 'RunFailure';
}

/** Thrown when a signal has ended a command early. */
export class Interrupted extends Error {
  override name = 'Interrupted';

  constructor() {
    super('interrupted');
  }
}
