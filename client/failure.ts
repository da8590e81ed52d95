// Why a client is not connected, as far as its WebSocket tells. Browsers tell a page nothing but the close
// code; the `ws` package in Node also tells the system's error and the HTTP status.

/**
 * `refused`: nobody listens there. `status`: the server answered the upgrade with an HTTP status. `unreachable`:
 * the socket never opened, and the WebSocket does not tell more. `timeout`: no `welcome` within 15 s.
 * `closed`: the server, or the network, closed the socket. `silent`: a ping had no answer.
 * `bad-frame`: the server sent what is no message. `token`: the application's token could not be had.
 */
export type FailureReason =
  | 'refused'
  | 'status'
  | 'unreachable'
  | 'timeout'
  | 'closed'
  | 'silent'
  | 'bad-frame'
  | 'token';

/** An attempt to connect that failed, or a connection that was lost. */
export interface ConnectionFailure {
  readonly url: string;
  readonly reason: FailureReason;
  /** The WebSocket close code; undefined where the socket was given up from here. 1006: no close frame. */
  readonly closeCode: number | undefined;
  /** The HTTP status that answered the upgrade; undefined where none did, or the WebSocket hides it. */
  readonly status: number | undefined;
  /** For a person. */
  readonly message: string;
  /** The next attempt begins after so many milliseconds; undefined: none does until `connect()` or `setToken()`. */
  readonly retryInMs: number | undefined;
}

/** A failure without what only the connection knows. */
export type FailureCause = Omit<ConnectionFailure, 'url' | 'retryInMs'>;

export const cause = (reason: FailureReason, message: string, closeCode?: number): FailureCause => ({
  reason,
  closeCode,
  status: undefined,
  message,
});

/**
 * The cause behind a socket's close.
 * @param opened whether it had been open
 * @param error of its `error` event, in whatever shape the WebSocket has it
 */
export function causeOfClose(closeCode: number | undefined, opened: boolean, error: unknown): FailureCause {
  if (opened)
    return cause('closed', `the connection was closed with code ${closeCode ?? 'unknown'}`, closeCode);
  const message = messageOf(error);
  const status = /^Unexpected server response: (\d{3})$/.exec(message ?? '')?.[1];
  if (status !== undefined)
    return {
      ...cause('status', `the server answered with HTTP status ${status}`, closeCode),
      status: Number(status),
    };
  if (message?.includes('ECONNREFUSED') === true) return cause('refused', message, closeCode);
  return cause('unreachable', message ?? 'the server cannot be reached', closeCode);
}

function messageOf(event: unknown): string | undefined {
  if (typeof event !== 'object' || event === null || !('message' in event)) return undefined;
  // Of several addresses that all failed Node tells no message, but the errors.
  const { message, error } = event as { message: unknown; error?: unknown };
  if (typeof message === 'string' && message !== '') return message;
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return first instanceof Error && first.message !== '' ? first.message : undefined;
}
