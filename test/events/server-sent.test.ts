// Server-sent events of a real node: what readers get, where they go on, and what they may see.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { FileNode } from '../gateway/wire/contract.ts';
import { Api, json, patch } from '../http/api-client.ts';
import { roleService, SERVICE_SECRET } from '../http/role-service.ts';
import { startTestNode, type TestNode } from '../support/node.ts';
import { TOKEN_SECRET, tokenOf } from '../support/tokens.ts';
import { untilSeen } from '../support/until.ts';
import { WireClient } from '../support/wire-client.ts';

const LIMIT = { timeout: 120_000 };
const EVENTS = { debounceMs: 100 };

/** The node of the tests with these settings alone. Each has organisations of its own. */
const file = new FileNode({ events: EVENTS });

interface Told {
  readonly id: number;
  readonly type: string;
  readonly doc: string;
  readonly version: number;
  readonly users: readonly string[];
}

interface Reader {
  readonly told: Told[];
  /** The last id, also one without an event. */
  lastId: string;
  isOver: boolean;
  leave(): void;
}

async function read(
  t: TestContext,
  node: TestNode,
  path: string,
  { last, token }: { readonly last?: string; readonly token?: string } = {},
): Promise<Reader> {
  const leaving = new AbortController();
  t.after(() => leaving.abort());
  const response = await fetch(new URL(`/v1/events/${path}`, node.url), {
    signal: leaving.signal,
    headers: {
      ...(last === undefined ? {} : { 'last-event-id': last }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
  });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  assert.equal(response.headers.get('cache-control'), 'no-store');
  const reader: Reader = { told: [], lastId: '', isOver: false, leave: () => leaving.abort() };
  const { body } = response;
  assert.ok(body !== null);
  const taking = async (): Promise<void> => {
    let text = '';
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        take(reader, text.slice(0, end));
        text = text.slice(end + 2);
      }
    }
  };
  taking()
    .catch(() => undefined)
    .finally(() => {
      reader.isOver = true;
    });
  await untilSeen('where the reader is', () => reader.lastId !== '');
  return reader;
}

function take(reader: Reader, block: string): void {
  const fields = new Map(
    block.split('\n').map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]),
  );
  const [id, type, data] = [fields.get('id'), fields.get('event'), fields.get('data')];
  if (id !== undefined) reader.lastId = id;
  if (type !== undefined) reader.told.push({ id: Number(id), type, ...JSON.parse(data ?? '{}') });
}

const facts = ({ told }: Reader) => told.map(({ type, doc, version }) => [type, doc, version]);
const add = (value: number) => [{ op: 'add', path: '/x', value }];

test(
  'EVENT-1 EVENT-3 readers of an organisation and of a document are told, and go on after their last event',
  LIMIT,
  async (t) => {
    const { node } = file;
    const all = await read(t, node, 'acme');
    const one = await read(t, node, 'acme/plan');
    const other = await read(t, node, 'globex');
    const client = await WireClient.connect(t, node.socketUrl, { client: 'client-aa' });
    for (const doc of ['acme/plan', 'acme/notes', 'globex/plan']) {
      await client.open(doc, 'json');
      assert.equal((await client.submit(doc, 1, add(1))).type, 'commit');
      await untilSeen(`${doc} is told`, () =>
        [...all.told, ...other.told].some((event) => event.doc === doc && event.version === 1),
      );
    }
    assert.deepEqual(facts(one), [
      ['created', 'acme/plan', 0],
      ['changed', 'acme/plan', 1],
    ]);
    assert.deepEqual(facts(all), [
      ['created', 'acme/plan', 0],
      ['changed', 'acme/plan', 1],
      ['created', 'acme/notes', 0],
      ['changed', 'acme/notes', 1],
    ]);
    assert.deepEqual(facts(other).length, 2);
    assert.deepEqual(all.told.at(-1)?.users, ['anonymous']);
    all.leave();
    await untilSeen('it has left', () => all.isOver);
    assert.equal((await client.submit('acme/plan', 2, add(2))).type, 'commit');
    await untilSeen('the change is told', () => one.told.length === 3);
    const again = await read(t, node, 'acme', { last: all.lastId });
    await untilSeen('what it has missed', () => again.told.length === 1);
    assert.equal((await client.submit('acme/plan', 3, add(3))).type, 'commit');
    await untilSeen('what comes then', () => again.told.length === 2);
    assert.deepEqual(facts(again), [
      ['changed', 'acme/plan', 2],
      ['changed', 'acme/plan', 3],
    ]);
  },
);

test(
  'EVENT-3 a reader that comes back while documents change misses nothing and gets nothing twice',
  LIMIT,
  async (t) => {
    const { node } = file;
    // That reader goes on, and its id with it.
    const { lastId: start } = await read(t, node, 'initech');
    const client = await WireClient.connect(t, node.socketUrl, { client: 'client-aa' });
    const docs = ['initech/a', 'initech/b', 'initech/c'];
    for (const doc of docs) await client.open(doc, 'json');
    const steady = await read(t, node, 'initech', { last: start });
    const told: Told[] = [];
    let last = start;
    for (let seq = 1; seq <= 12; seq++) {
      const reader = await read(t, node, 'initech', { last });
      for (const doc of docs) assert.equal((await client.submit(doc, seq, add(seq))).type, 'commit');
      await untilSeen('something is told', () => reader.told.length > 0);
      reader.leave();
      await untilSeen('it has left', () => reader.isOver);
      told.push(...reader.told);
      last = reader.lastId;
    }
    const rest = await read(t, node, 'initech', { last });
    for (const doc of docs)
      await untilSeen(`${doc} at 12`, () =>
        [...told, ...rest.told].some((event) => event.doc === doc && event.version === 12),
      );
    await untilSeen(
      () => `the steady reader has all: ${JSON.stringify([told, rest.told, steady.told])}`,
      () => steady.told.length === told.length + rest.told.length,
    );
    assert.deepEqual([...told, ...rest.told], steady.told);
  },
);

test(
  'EVENT-3 EVENT-4 ids that are none, that are gone and that are not there yet are refused, readers are bounded, and HEAD takes no place of one',
  LIMIT,
  async (t) => {
    const node = await startTestNode(t, { config: { events: { ...EVENTS, readers: 1 } } });
    const status = async (path: string, last?: string) => {
      const response = await fetch(new URL(`/v1/events/${path}`, node.url), {
        headers: last === undefined ? {} : { 'last-event-id': last },
      });
      await response.body?.cancel();
      return [response.status, response.status === 503 ? response.headers.has('retry-after') : undefined];
    };
    assert.deepEqual(await status('acme', 'x'), [400, undefined]);
    assert.deepEqual(await status('acme', '-1'), [400, undefined]);
    assert.deepEqual(await status('acme', '7'), [410, undefined]);
    assert.deepEqual(await status('Acme'), [400, undefined]);
    assert.deepEqual(await status('acme/a b'), [400, undefined]);
    for (const path of ['acme', 'acme/plan', 'acme']) {
      const answer = await fetch(new URL(`/v1/events/${path}`, node.url), { method: 'HEAD' });
      assert.equal(answer.status, 200, path);
      assert.equal(answer.headers.get('content-type'), 'text/event-stream; charset=utf-8');
      assert.equal(answer.headers.get('cache-control'), 'no-store');
      assert.equal(await answer.text(), '');
    }
    const reader = await read(t, node, 'acme');
    assert.deepEqual(await status('acme'), [503, true]);
    reader.leave();
    await untilSeen('there is room again', async () => (await status('acme'))[0] === 200);
  },
);

test(
  'EVENT-3 a reader is told of the documents in which it has a right, and ended with its token',
  LIMIT,
  async (t) => {
    const auth = { mode: 'jwt', jwt: { secret: TOKEN_SECRET, toleranceMs: 0 } };
    const node = await startTestNode(t, { config: { auth, events: EVENTS } });
    const owner = await tokenOf('ada', { 'acme/*': 'owner' });
    const some = await tokenOf('bob', { 'acme/plan*': 'viewer' });
    const none = await tokenOf('eve', { 'globex/*': 'owner' });
    const refused = async (path: string, token?: string) => {
      const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const response = await fetch(new URL(`/v1/events/${path}`, node.url), { headers });
      await response.body?.cancel();
      return response.status;
    };
    assert.equal(await refused('acme'), 401);
    assert.equal(await refused('acme/plan', none), 404);
    assert.equal(await refused('acme/other', some), 404);
    const [all, part, foreign] = [
      await read(t, node, 'acme', { token: owner }),
      await read(t, node, 'acme', { token: some }),
      await read(t, node, 'acme', { token: none }),
    ];
    const short = await read(t, node, 'acme', {
      token: await tokenOf('cyd', { 'acme/*': 'viewer' }, { exp: Math.floor(Date.now() / 1_000) + 2 }),
    });
    const client = await WireClient.connect(t, node.socketUrl);
    client.send({ type: 'hello', client: 'client-aa', token: owner });
    await client.next('welcome');
    for (const doc of ['acme/other', 'acme/plan-1']) {
      await client.open(doc, 'json');
      assert.equal((await client.submit(doc, 1, add(1))).type, 'commit');
    }
    await untilSeen('all are told', () => all.told.length === 4);
    await untilSeen('those of its right', () => part.told.length === 2);
    assert.deepEqual(new Set(part.told.map(({ doc }) => doc)), new Set(['acme/plan-1']));
    assert.deepEqual(all.told.find(({ type }) => type === 'changed')?.users, ['ada']);
    await untilSeen('its token has ended', () => short.isOver);
    assert.deepEqual([all.isOver, part.isOver], [false, false]);
    assert.deepEqual(foreign.told, []);
  },
);

test(
  'EVENT-3 AUTH-8 AUTH-10 where a service decides about roles, a reader is told of its documents alone, in order, also when the service changes its mind or is away',
  LIMIT,
  async (t) => {
    const service = await roleService(t);
    const callback = { url: service.url, secret: SERVICE_SECRET, cacheMs: 0 };
    const auth = { mode: 'jwt', jwt: { secret: TOKEN_SECRET }, callback };
    const node = await startTestNode(t, { config: { auth, events: EVENTS } });
    const nobody = await Api.of(node.url);
    const owner = nobody.as(await tokenOf('own'));
    const admin = nobody.as(await tokenOf('root', {}, { admin: true }));
    const change = (doc: string) => owner.call(`PATCH /v1/docs/${doc}`, patch(add(1)));
    for (const doc of ['acme/plan', 'acme/secret']) service.roles.set(`own ${doc}`, 'owner');
    service.roles.set('ada acme/plan', 'viewer');
    const [ada, eve] = [
      await tokenOf('ada', { 'acme/*': 'viewer' }),
      await tokenOf('eve', { 'acme/*': 'owner' }),
    ];
    const all = await read(t, node, 'acme', { token: await tokenOf('own', { 'acme/*': 'viewer' }) });
    const [some, none] = [
      await read(t, node, 'acme', { token: ada }),
      await read(t, node, 'acme', { token: eve }),
    ];
    const one = await read(t, node, 'acme/plan', { token: ada });
    for (const doc of ['acme/secret', 'acme/plan']) {
      assert.equal((await owner.call(`PUT /v1/docs/${doc}`, json({ kind: 'json' }))).status, 201);
      assert.equal((await change(doc)).status, 200);
    }
    await untilSeen('all are told', () => all.told.length === 4);
    for (const reader of [some, one]) await untilSeen('those of its role', () => reader.told.length === 2);
    const told = ({ told }: Reader) => told.map(({ type, doc }) => `${type} ${doc}`);
    assert.deepEqual(told(some), ['created acme/plan', 'changed acme/plan']);
    assert.deepEqual(
      all.told.map(({ id }) => id),
      all.told.map(({ id }) => id).sort((left, right) => left - right),
    );
    // Events that were missed are judged in the same way.
    const again = await read(t, node, 'acme', { token: ada, last: '0' });
    await untilSeen('what was missed', () => again.told.length === 2);
    assert.deepEqual(again.told, some.told);

    service.roles.delete('ada acme/plan');
    assert.equal((await admin.call('POST /v1/recheck', json({ org: 'acme' }, 'POST'))).status, 200);
    await untilSeen('the end of the stream of the document', () => one.isOver);
    assert.equal((await change('acme/plan')).status, 200);
    await untilSeen('the owner is told', () => all.told.length === 5);
    assert.deepEqual([some.told.length, none.told.length, some.isOver], [2, 0, false]);

    // A role that cannot be decided ends the stream before the event, and the reader goes on there.
    const client = await WireClient.connect(t, node.socketUrl);
    client.send({ type: 'hello', client: 'client-aa', token: await tokenOf('own') });
    await client.next('welcome');
    await client.open('acme/plan');
    service.stop();
    assert.equal((await client.submit('acme/plan', 1, add(2))).type, 'commit');
    await untilSeen('the streams have ended', () => all.isOver && some.isOver);
    assert.deepEqual([all.told.length, some.told.length], [5, 2]);
    assert.equal(all.lastId, String(all.told.at(-1)?.id));
  },
);

test(
  'EVENT-1 EVENT-4 a document that is made, deleted, brought back and erased over HTTP is told each time',
  LIMIT,
  async (t) => {
    const { node } = file;
    const reader = await read(t, node, 'hooli/plan');
    const call = async (method: string, path: string, body?: object) => {
      const response = await fetch(new URL(`/v1/docs/hooli/plan${path}`, node.url), {
        method,
        ...(body === undefined
          ? {}
          : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      });
      await response.body?.cancel();
      assert.ok(response.ok, `${method} ${path}: ${response.status}`);
    };
    const told = (count: number) =>
      untilSeen(
        () => JSON.stringify(reader.told),
        () => reader.told.length === count,
      );
    await call('PUT', '', { kind: 'json', content: { x: 1 } });
    await told(2);
    await call('DELETE', '');
    await told(3);
    await call('POST', '/undelete');
    await told(4);
    await call('DELETE', '?erase=true');
    await told(5);
    assert.deepEqual(facts(reader), [
      ['created', 'hooli/plan', 0],
      ['changed', 'hooli/plan', 1],
      ['deleted', 'hooli/plan', 1],
      ['created', 'hooli/plan', 1],
      ['deleted', 'hooli/plan', 1],
    ]);
    assert.deepEqual(
      reader.told.map(({ users }) => users),
      reader.told.map(() => ['anonymous']),
    );
    const late = await read(t, node, 'hooli/plan', { last: '0' });
    await untilSeen('the deletions alone are kept', () => late.told.length > 0);
    assert.deepEqual(new Set(late.told.map(({ type }) => type)), new Set(['deleted']));
  },
);
