// Asks the operator's service for a role over HTTP.
import { fetchedText } from '../bounded-fetch.ts';
import type { RoleQuestion } from './role-callback.ts';

export interface CallbackServiceOptions {
  readonly url: string;
  /** Sent as `Authorization: Bearer`, so that the service knows the node. */
  readonly secret: string | null;
  readonly timeoutMs: number;
}

const MOST_BYTES = 4 * 1024;

/** Rejects if the service does not answer with status 200 and JSON. */
export function callbackService({ url, secret, timeoutMs }: CallbackServiceOptions) {
  return async (question: RoleQuestion): Promise<unknown> => {
    const text = await fetchedText(url, {
      method: 'POST',
      timeoutMs,
      mostBytes: MOST_BYTES,
      headers: {
        accept: 'application/json',
        'content-type': 'application/json',
        ...(secret === null ? {} : { authorization: `Bearer ${secret}` }),
      },
      body: JSON.stringify(question),
    });
    try {
      return JSON.parse(text);
    } catch {
      throw new Error('the answer is not JSON');
    }
  };
}
