// Tests of the store of any other server: its documents come in and go back, and an export makes a store that was not there.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startTestNode, type TestNode } from '../../support/node.ts';
import { type OtherServer, textOf, troupe, updateOf } from './stores.ts';

type StartServer = (t: TestContext) => Promise<OtherServer>;

const LIMIT = { timeout: 120_000 };

export async function call(
  node: TestNode,
  method: string,
  doc: string,
  body?: object,
  token = '',
): Promise<Response> {
  return await fetch(new URL(`v1/docs/${doc}`, node.url), {
    method,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

export async function read(
  node: TestNode,
  doc: string,
  token = '',
): Promise<{ text: string; version: number }> {
  const response = await call(node, 'GET', doc, undefined, token);
  assert.equal(response.status, 200, doc);
  const { content, version } = (await response.json()) as { content: string; version: number };
  return { text: textOf(Buffer.from(content, 'base64')), version };
}

const base64 = (update: Uint8Array): string => Buffer.from(update).toString('base64');

export function goesBothWays(start: StartServer): void {
  test(`${start.name}: documents come in, grow on both sides, and go back`, LIMIT, async (t) => {
    const [node, server] = [await startTestNode(t), await start(t)];
    const run = (...args: string[]) => troupe([...args, '--node', node.url]);
    const names = ['acme/plan', 'acme/Notes.2026', 'beta/x'];
    for (const name of names) await server.type(name, `This is ${name}. `);

    const first = await run('import', server.form, server.place);
    assert.deepEqual([first.code, first.err], [0, '']);
    assert.match(
      first.out,
      /^3 documents imported \(\d.\d MB\): 3 new, 0 with .* 0 the same; 0 left out\.\n$/,
    );
    for (const name of names)
      assert.deepEqual(await read(node, name), { text: `This is ${name}. `, version: 1 });

    const second = await run('import', server.form, server.place);
    assert.match(second.out, /^3 documents .* 0 new, 0 with something new, 3 the same; 0 left out\.\n$/);
    for (const name of names) assert.equal((await read(node, name)).version, 1);

    await server.type('acme/plan', 'It grows there. ');
    const third = await run('import', server.form, server.place);
    assert.match(third.out, /^3 documents .* 0 new, 1 with something new, 2 the same; 0 left out\.\n$/);
    assert.equal((await read(node, 'acme/plan')).text, 'This is acme/plan. It grows there. ');

    // The node and the other server both go on.
    const here = updateOf('And here. ');
    assert.equal((await call(node, 'PATCH', 'acme/plan', { op: base64(here) })).status, 200);
    await server.type('acme/plan', 'And there. ');
    const back = await run('export', server.form, server.place, 'acme', 'beta/x');
    assert.deepEqual([back.code, back.err], [0, '']);
    assert.match(
      back.out,
      /^3 documents exported .* 0 new, 1 with something new, 2 the same; 0 left out\.\n$/,
    );
    const both = await server.read('acme/plan');
    for (const part of ['This is acme/plan. ', 'It grows there. ', 'And here. ', 'And there. '])
      assert.ok(both.includes(part), `${part} in ${both}`);
    const again = await run('export', server.form, server.place, 'acme', 'beta/x');
    assert.match(again.out, /^3 documents .* 0 new, 0 with something new, 3 the same; 0 left out\.\n$/);
  });
}

export function makesStore(start: StartServer): void {
  test(
    `${start.name}: an export makes a store that was not there, with names of its own`,
    LIMIT,
    async (t) => {
      const [node, server] = [await startTestNode(t), await start(t)];
      for (const name of ['acme/plan', 'acme/plan-b', 'acme/other'])
        assert.equal(
          (await call(node, 'PUT', name, { kind: 'yjs', content: base64(updateOf(name)) })).status,
          201,
        );
      assert.equal((await call(node, 'PUT', 'acme/planned', { kind: 'json', content: {} })).status, 201);
      const { code, out } = await troupe([
        ...['export', server.form, server.place, 'acme/plan*', 'acme/plan'],
        ...['--without-org', '--rename', '^plan-(.)$=version-$1', '--node', node.url],
      ]);
      assert.equal(code, 1);
      assert.match(
        out,
        /^left out: "acme\/planned": it is of the kind json\n2 documents exported .* 2 new, /,
      );
      assert.equal(await server.read('plan'), 'acme/plan');
      assert.equal(await server.read('version-b'), 'acme/plan-b');
    },
  );
}
