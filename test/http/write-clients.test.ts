// The client ids of writes over HTTP: writes without a key share a few, and none is used by two writes at a time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OwnerCall } from '../../actors/link/calls.ts';
import { JSON_OP, type LinkOp } from '../../actors/link/link-messages.ts';
import type { Answered } from '../../src/gateway/calls/owner-calls.ts';
import { Refusal } from '../../src/http/api/refusals.ts';
import { DocumentRequests } from '../../src/http/documents/document-requests.ts';
import { FileApi, json, patch } from './api-client.ts';

const file = new FileApi();

const OP: LinkOp = [JSON_OP, new TextEncoder().encode('[]')];
const COMMITTED: Answered['answer'] = { type: 'committed', history: 'h', version: 1 };
const refused = (code: 'conflict' | 'unavailable' | 'forbidden'): Answered['answer'] => ({
  type: 'refused',
  code,
  message: '',
  retryAfterMs: 0,
});

/** Requests whose calls wait until they are answered. */
function requests() {
  const calls: { readonly call: OwnerCall & { type: 'write' }; answer(answer: Answered['answer']): void }[] =
    [];
  const documents = new DocumentRequests({
    bytes: 1,
    calls: {
      ask: (_doc, call) =>
        new Promise((resolve) => {
          assert.equal(call.type, 'write');
          if (call.type === 'write')
            calls.push({ call, answer: (answer) => resolve({ answer, content: [] }) });
        }),
    },
  });
  /** The id and the seq of a write that gets this answer. */
  const write = async (user: string, answer: Answered['answer'], key?: string) => {
    const done = documents.write('acme/plan', { user, key, op: OP }).catch((error: unknown) => {
      assert.ok(error instanceof Refusal);
    });
    const made = calls.at(-1);
    assert.ok(made);
    made.answer(answer);
    await done;
    return `${made.call.client} ${made.call.seq}`;
  };
  const start = (user: string) => {
    const done = documents.write('acme/plan', { user, key: undefined, op: OP });
    const made = calls.at(-1);
    assert.ok(made);
    return { client: made.call.client, seq: made.call.seq, answer: made.answer, done };
  };
  return { write, start };
}

const after = (written: string): string => {
  const [client, seq] = written.split(' ');
  return `${client} ${Number(seq) + 1}`;
};

test('DOC-4: a write without a key takes over the id of the write before, with the next seq, after an answer that is final', async () => {
  const { write } = requests();
  const first = await write('ada', COMMITTED);
  const second = await write('ada', COMMITTED);
  assert.equal(second, after(first));
  const third = await write('ada', refused('conflict'));
  assert.equal(third, after(second));
  const fourth = await write('ada', COMMITTED);
  assert.equal(fourth, after(third));
});

test('DOC-4: an id is used by one write at a time, of one user, and not after an answer that leaves the write open', async () => {
  const { write, start } = requests();
  const [a, b] = [start('ada'), start('ada')];
  assert.notEqual(a.client, b.client);
  assert.ok(!(await write('bob', COMMITTED)).startsWith(a.client));
  a.answer(COMMITTED);
  await a.done;
  const other = start('bob');
  assert.ok(other.client !== a.client && other.client !== b.client);
  const left = await write('ada', refused('unavailable'));
  assert.equal(left, `${a.client} ${a.seq + 1}`);
  assert.ok(!(await write('ada', refused('forbidden'))).startsWith(a.client));
  b.answer(COMMITTED);
  await b.done;
  assert.equal(await write('ada', COMMITTED), `${b.client} ${b.seq + 1}`);
});

test('DOC-6: a key gives one id to one user, which no other write has', async () => {
  const { write } = requests();
  const keyed = await write('ada', COMMITTED, 'k');
  assert.match(keyed, / 1$/);
  assert.equal(await write('ada', COMMITTED, 'k'), keyed);
  assert.notEqual(await write('bob', COMMITTED, 'k'), keyed);
  assert.ok(!(await write('ada', COMMITTED)).startsWith(keyed.replace(/ 1$/, '')));
});

test('DOC-4: writes without a key, one after the other, come into the history under one client id', async () => {
  const { api, org } = await file.use();
  const plan = `/v1/docs/${org}/plan`;
  await api.call(`PUT ${plan}`, json({ kind: 'json' }));
  for (let n = 1; n <= 20; n++) {
    const steps =
      n % 5 === 0 ? [{ op: 'test', path: '/n', value: 'other' }] : [{ op: 'add', path: '/n', value: n }];
    const answer = await api.call(`PATCH ${plan}`, patch(steps));
    assert.equal(answer.refused, n % 5 === 0 ? '409 test-failed' : undefined);
  }
  const { ops } = (await api.call(`GET ${plan}/history`)).body as { ops: { client: string }[] };
  assert.equal(ops.length, 16);
  assert.equal(new Set(ops.map(({ client }) => client)).size, 1);
});
