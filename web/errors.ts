// Error messages for people: the failure and its effect on their edits. Codes are those of the wire contract;
// the server's own message is added if it says more.
import { TroupeError } from '../client/index.ts';
import type { ErrorCode } from '../protocol/errors.ts';

const MESSAGES: Partial<Record<ErrorCode, string>> = {
  forbidden: 'You are not allowed to do that in this document.',
  unauthenticated: 'Your session has ended. Sign in again to go on.',
  'not-found': 'This document does not exist.',
  'wrong-kind': 'This document is of a kind that this page does not know.',
  'bad-name': 'That is not the name of a document.',
  'bad-op': 'An edit could not be applied and was taken back.',
  conflict: 'An edit no longer fitted what others have written and was taken back.',
  'test-failed': 'The document had changed meanwhile; an edit was taken back.',
  'too-large': 'That is too large for this document.',
  'rate-limited': 'Too many edits at once. They are kept and sent a little later.',
  overloaded: 'The server is busy. Your edits are kept and sent again.',
  unavailable: 'The server cannot store edits right now. They are kept and sent again.',
  'version-too-old': 'This window was away too long to catch up by itself. Reload it.',
};

/** One or two sentences for a person about an edit that the server did not take. */
export function describeRejection(error: TroupeError): string {
  return error.code === 'forbidden'
    ? 'You may only read this document now. An edit of yours had not been stored, and was taken back.'
    : describe(error);
}

/** One or two sentences for a person. */
export function describe(error: unknown): string {
  if (!(error instanceof TroupeError))
    return `Something went wrong: ${error instanceof Error ? error.message : String(error)}`;
  return MESSAGES[error.code] ?? `Something went wrong: ${error.message}`;
}
