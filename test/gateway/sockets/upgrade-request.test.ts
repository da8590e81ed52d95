// The answer to an upgrade that is refused.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { refuse } from '../../../src/gateway/sockets/upgrade-request.ts';

type Refusal = Parameters<typeof refuse> extends [unknown, unknown, ...infer Rest] ? Rest : never;

const answered = (method: string, ...refusal: Refusal): Promise<string> => {
  const stream = new PassThrough();
  refuse({ method }, stream, ...refusal);
  return text(stream);
};

test('HTTP-1 SOCK-1 a refused upgrade has a code, and with 429 and 503 the time after which it may come again', async () => {
  const away = await answered('GET', 503, 'unavailable', 'Service Unavailable');
  assert.match(away, /^HTTP\/1\.1 503 Service Unavailable\r\n.*\r\nretry-after: 1\r\n/s);
  assert.match(away, /\r\ncache-control: no-store\r\n/);
  const { code, retryable } = JSON.parse(away.slice(away.indexOf('\r\n\r\n')));
  assert.deepEqual([code, retryable], ['unavailable', true]);
  const often = await answered('GET', 429, 'rate-limited', 'too many', 2_100);
  assert.match(often, /\r\nretry-after: 3\r\n/);
  assert.doesNotMatch(await answered('GET', 404, 'not-found', 'Not Found'), /retry-after/);
});
