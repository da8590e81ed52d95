// The parts of a request for an upgrade that sockets.ts decides by, and the answer to one that is refused.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Codec, jsonCodec, msgpackCodec } from '../../../protocol/codec.ts';
import type { ErrorCode } from '../../../protocol/errors.ts';
import { bareAnswer } from '../../bare-answer.ts';

/** The path of the request, without its query. */
export const pathOf = ({ url = '' }: IncomingMessage): string => url.split('?', 1)[0] ?? '';

/** The token of the query. Providers of Yjs have no other place for one. */
export function tokenIn({ url = '' }: IncomingMessage): string | undefined {
  const start = url.indexOf('?');
  return start < 0 ? undefined : (new URLSearchParams(url.slice(start)).get('token') ?? undefined);
}

/** The token of the header `Authorization`. */
export const bearerOf = (headers: IncomingMessage['headers']): string | undefined =>
  /^Bearer +([\x21-\x7e]+) *$/i.exec(headers.authorization ?? '')?.[1];

/** The first of the offered subprotocols that the node supports. */
export function offeredCodec(offered: readonly string[]): Codec | undefined {
  for (const name of offered) {
    for (const codec of [jsonCodec, msgpackCodec]) if (codec.subprotocol === name) return codec;
  }
  return undefined;
}

/** Told with 429 and 503 if no other time is known. HTTP counts in whole seconds. */
const LEAST_RETRY_AFTER_S = 1;

export function refuse(
  { method }: Pick<IncomingMessage, 'method'>,
  stream: Duplex,
  status: number,
  code: ErrorCode,
  message: string,
  retryAfterMs = 0,
): void {
  const waitS = Math.max(LEAST_RETRY_AFTER_S, Math.ceil(retryAfterMs / 1_000));
  const retryAfter = status === 429 || status === 503 ? `retry-after: ${waitS}\r\n` : '';
  const headers = `${retryAfter}sec-websocket-version: 13\r\n`;
  stream.once('error', () => undefined);
  stream.end(bareAnswer({ method, status, code, message, headers }));
}
