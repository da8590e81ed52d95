// Error answers that are written to a connection by hand: Node has left the connection to us, or has made no request of its
// bytes. All of them are made here, because nothing else knows for them that an answer to HEAD has no body.
import { STATUS_CODES } from 'node:http';
import { ERROR_CODES, type ErrorCode } from '../protocol/errors.ts';

export interface BareError {
  /** The method of the request; undefined if it is not known. */
  readonly method: string | undefined;
  readonly status: number;
  readonly code: ErrorCode;
  readonly message: string;
  /** Further lines of the head, each with its end. */
  readonly headers?: string;
}

/** The whole answer. The connection has to be closed after it. */
export function bareAnswer({ method, status, code, message, headers = '' }: BareError): string {
  const body = JSON.stringify({ code, message, retryable: ERROR_CODES[code] });
  const head =
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\n${headers}` +
    'content-type: application/json; charset=utf-8\r\n' +
    `cache-control: no-store\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
  return method === 'HEAD' ? head : head + body;
}
