// Why a client is not connected, as far as its WebSocket reports it. Browsers give a page only the close
// code; the `ws` package in Node also gives the system's error and the HTTP status. Pure.

/**
 * `refused`: no process listens there. `status`: the server answered the upgrade with an HTTP status.
 * `unreachable`: the socket never opened, and the WebSocket gives no cause. `timeout`: no `welcome` within 15
 * s. `closed`: the server, or the network, closed the socket. `silent`: a ping had no answer. `bad-frame`:
 * the server sent a frame that is no message. `token`: the application gave no token.
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
  /** The WebSocket close code. Undefined if this client gave the socket up. 1006: no close frame. */
  readonly closeCode: number | undefined;
  /** The HTTP status that answered the upgrade. Undefined if there was none, or if the WebSocket hides it. */
  readonly status: number | undefined;
  /** Text for a person. */
  readonly message: string;
  /** Milliseconds until the next attempt. Undefined if none follows before `connect()` or `setToken()`. */
  readonly retryInMs: number | undefined;
}

/** A failure without the fields that only the connection knows. */
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
 * @param error the socket's `error` event, in the shape of its WebSocket
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
  // If several addresses all failed, Node's error has no message, only the list of errors.
  const { message, error } = event as { message: unknown; error?: unknown };
  if (typeof message === 'string' && message !== '') return message;
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return first instanceof Error && first.message !== '' ? first.message : undefined;
}
