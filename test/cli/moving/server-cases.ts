// Tests of the store of any other server: its documents come in and go back, and an export makes a store that was not there.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { FileNode } from '../../gateway/wire/contract.ts';
import type { TestNode } from '../../support/node.ts';
import { type OtherServer, textOf, troupe, updateOf } from './stores.ts';

type StartServer = (t: TestContext) => Promise<OtherServer>;

const LIMIT = { timeout: 120_000 };

const file = new FileNode();
let organisations = 0;

/** The node that the tests of a file share, and an organisation that no other test has. */
export const shared = (): { readonly node: TestNode; readonly org: string } => ({
  node: file.node,
  org: `acme-${++organisations}`,
});

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
    const { node, org } = shared();
    const server = await start(t);
    const plan = `${org}/plan`;
    const run = (...args: string[]) => troupe([...args, '--node', node.url]);
    const other = `${org}-b/x`;
    const names = [plan, `${org}/Notes.2026`, other];
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

    await server.type(plan, 'It grows there. ');
    const third = await run('import', server.form, server.place);
    assert.match(third.out, /^3 documents .* 0 new, 1 with something new, 2 the same; 0 left out\.\n$/);
    assert.equal((await read(node, plan)).text, `This is ${plan}. It grows there. `);

    // The node and the other server both go on.
    const here = updateOf('And here. ');
    assert.equal((await call(node, 'PATCH', plan, { op: base64(here) })).status, 200);
    await server.type(plan, 'And there. ');
    const back = await run('export', server.form, server.place, org, other);
    assert.deepEqual([back.code, back.err], [0, '']);
    assert.match(
      back.out,
      /^3 documents exported .* 0 new, 1 with something new, 2 the same; 0 left out\.\n$/,
    );
    const both = await server.read(plan);
    for (const part of [`This is ${plan}. `, 'It grows there. ', 'And here. ', 'And there. '])
      assert.ok(both.includes(part), `${part} in ${both}`);
    const again = await run('export', server.form, server.place, org, other);
    assert.match(again.out, /^3 documents .* 0 new, 0 with something new, 3 the same; 0 left out\.\n$/);
  });
}

export function makesStore(start: StartServer): void {
  test(
    `${start.name}: an export makes a store that was not there, with names of its own`,
    LIMIT,
    async (t) => {
      const { node, org } = shared();
      const server = await start(t);
      for (const name of [`${org}/plan`, `${org}/plan-b`, `${org}/other`])
        assert.equal(
          (await call(node, 'PUT', name, { kind: 'yjs', content: base64(updateOf(name)) })).status,
          201,
        );
      assert.equal((await call(node, 'PUT', `${org}/planned`, { kind: 'json', content: {} })).status, 201);
      const { code, out } = await troupe([
        ...['export', server.form, server.place, `${org}/plan*`, `${org}/plan`],
        ...['--without-org', '--rename', '^plan-(.)$=version-$1', '--node', node.url],
      ]);
      assert.equal(code, 1);
      const [leftOut, exported = ''] = out.split('\n');
      assert.equal(leftOut, `left out: "${org}/planned": it is of the kind json`);
      assert.match(exported, /^2 documents exported .* 2 new, /);
      assert.equal(await server.read('plan'), `${org}/plan`);
      assert.equal(await server.read('version-b'), `${org}/plan-b`);
    },
  );
}
