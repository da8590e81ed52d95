// The answer to a message that its document does not take. Only opens, submits and calls have an answer.
import { isFinal } from '../document/actor.ts';
import { refusedCall } from '../link/calls.ts';
import {
  ANSWER,
  CALL,
  OPEN,
  OPEN_FAILED,
  REFUSED,
  SUBMIT,
  type ToGateway,
  type ToOwner,
} from '../link/link-messages.ts';

export function answerRefused(
  message: ToOwner,
  code: 'unavailable' | 'not-open' | 'bad-op',
  text: string,
  retryAfterMs = 0,
): ToGateway | undefined {
  if (message[0] === OPEN)
    return [OPEN_FAILED, message[1], message[2], isFinal(code) ? 'internal' : code, text, retryAfterMs];
  if (message[0] === SUBMIT) return [REFUSED, message[1], message[2], message[3], code, text];
  if (message[0] === CALL) return [ANSWER, message[1], refusedCall(code, text, retryAfterMs), null];
  return undefined;
}
