// The key `gateway.nodePrivate`: with `off` a node does its work without the private parts of Node.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { jsonCodec } from '../../../protocol/codec.ts';
import { WholeFrames } from '../../../src/gateway/node-private/whole-frames.ts';
import { startTestNode } from '../../support/node.ts';
import { WireClient } from '../../support/wire-client.ts';

test('with `off` no private part of Node is touched, and an edit reaches its reader', async (t) => {
  assert.deepEqual(await uses(t, 'off'), { bindings: 0, taps: 0 });
});

test('with `auto` the private parts that this Node has are used', async (t) => {
  const { bindings, taps } = await uses(t, 'auto');
  assert.ok(bindings > 0);
  assert.ok(taps >= 2);
});

/** How often a node with two clients asks for a binding of Node, and puts itself before ws. */
async function uses(t: TestContext, nodePrivate: 'auto' | 'off') {
  const owner: { binding?: ((name: string) => unknown) | undefined } & NodeJS.Process = process;
  const binding = owner.binding;
  const asked: string[] = [];
  owner.binding = (name) => {
    asked.push(name);
    return binding?.call(process, name);
  };
  t.after(() => {
    owner.binding = binding;
  });
  const tapped = t.mock.method(WholeFrames.prototype, 'tap');
  const node = await startTestNode(t, { config: { gateway: { nodePrivate } } });
  const [writer, reader] = [await connect(t, node.socketUrl), await connect(t, node.socketUrl)];
  const doc = 'acme/private';
  await writer.open(doc, 'json');
  await reader.open(doc, 'json');
  await writer.submit(doc, 1, [{ op: 'add', path: '/a', value: 1 }]);
  await reader.next('commit');
  return { bindings: asked.length, taps: tapped.mock.callCount() };
}

let clients = 0;
const connect = (t: TestContext, url: string): Promise<WireClient> =>
  WireClient.connect(t, url, { codec: jsonCodec, client: `client-${++clients}`.padEnd(12, '_') });
