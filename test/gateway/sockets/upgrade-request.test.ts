// The answer to an upgrade that is refused.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { refuse } from '../../../src/gateway/sockets/upgrade-request.ts';

test('HTTP-1 SOCK-1 a refused upgrade has a code, and with 429 and 503 the time after which it may come again', async () => {
  const answered = (
    ...refusal: Parameters<typeof refuse> extends [unknown, ...infer Rest] ? Rest : never
  ) => {
    const stream = new PassThrough();
    refuse(stream, ...refusal);
    return text(stream);
  };
  const away = await answered(503, 'Service Unavailable', 'unavailable');
  assert.match(away, /^HTTP\/1\.1 503 Service Unavailable\r\n.*\r\nRetry-After: 1\r\n/s);
  assert.match(away, /\r\nCache-Control: no-store\r\n/);
  const { code, retryable } = JSON.parse(away.slice(away.indexOf('\r\n\r\n')));
  assert.deepEqual([code, retryable], ['unavailable', true]);
  const often = await answered(429, 'Too Many Requests', 'rate-limited', 'too many', 2_100);
  assert.match(often, /\r\nRetry-After: 3\r\n/);
  assert.doesNotMatch(await answered(404, 'Not Found', 'not-found'), /Retry-After/);
});
