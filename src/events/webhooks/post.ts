// One signed request to a receiver: by POST, without redirects, within a time, and with a bounded answer.
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Webhook } from 'standardwebhooks';
import type { ToldEvent } from '../feed.ts';
import { addressOf, type Resolve } from './addresses.ts';

export interface PostOptions {
  /** `whsec_` and base64, or the text itself. */
  readonly secret: string;
  readonly timeoutMs: number;
  readonly allowPrivate: boolean;
  readonly resolve: Resolve;
  /** ms since 1970. */
  readonly time: () => number;
  /** Aborted when the node stops: the request is given up. */
  readonly signal: AbortSignal;
}

/** Bytes of an answer that are read: its content means nothing. */
const ANSWER_BYTES = 64 * 1024;

/** The body of a message, as receivers get it. */
export const bodyOf = ({ type, doc, version, users, at }: Omit<ToldEvent, 'id'>): string =>
  JSON.stringify({ type: `document.${type}`, doc, version, users, at });

/** Resolves when the receiver has answered with a status from 200 to 299, and rejects with the reason otherwise. */
export async function post(url: URL, id: string, body: string, options: PostOptions): Promise<void> {
  const { timeoutMs, signal } = options;
  signal.throwIfAborted();
  const end = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    end.signal.addEventListener('abort', () => reject(end.signal.reason), { once: true });
  });
  const timer = setTimeout(() => end.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  const stop = (): void => end.abort(new Error('the node stops'));
  signal.addEventListener('abort', stop, { once: true });
  try {
    await Promise.race([send(url, id, body, options, end.signal), aborted]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

async function send(
  url: URL,
  id: string,
  body: string,
  { secret, allowPrivate, resolve, time }: PostOptions,
  signal: AbortSignal,
): Promise<void> {
  const address = await addressOf(url.hostname, resolve, allowPrivate);
  signal.throwIfAborted();
  const at = new Date(time());
  const signer = new Webhook(secret, secret.startsWith('whsec_') ? {} : { format: 'raw' });
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'user-agent': 'Troupe',
    'webhook-id': id,
    'webhook-timestamp': `${Math.floor(at.getTime() / 1000)}`,
    'webhook-signature': signer.sign(id, at, body),
  };
  await new Promise<void>((done, reject) => {
    const begin = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = begin(url, {
      method: 'POST',
      headers,
      signal,
      // A connection of its own: the address was checked for this request.
      agent: false,
      lookup: (_host, { all }, answer) => {
        if (all === true) answer(null, [address]);
        else answer(null, address.address, address.family);
      },
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const { statusCode = 0 } = response;
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > ANSWER_BYTES) response.destroy(new Error('the answer is too long'));
      });
      response.on('error', reject);
      response.on('end', () => {
        if (statusCode >= 200 && statusCode < 300) done();
        else reject(new Error(`status ${statusCode}`));
      });
    });
    request.end(body);
  });
}
