// The time limit of the database's answer does not run while the thread that asked is held up.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { within } from '../../actors/storage/postgres/connection/connect.ts';

const hold = (ms: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
};

test('an answer that came while the thread was held up is in time', async () => {
  const answer = new Promise<string>((resolve) => setImmediate(() => resolve('here')));
  const asked = within(1, 'a question', answer);
  hold(200);
  assert.equal(await asked, 'here');
});

test('no answer is a time-out all the same, also where the thread was held up once', async () => {
  const asked = within(1, 'a question', new Promise(() => undefined));
  hold(200);
  await assert.rejects(asked, { name: 'AnswerTimeout', message: 'a question: no answer within 1 ms' });
});
