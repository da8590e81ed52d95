// A page of another origin in a real browser neither reads nor writes a document of this node. The node's own
// page does.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { FileNode } from '../../gateway/wire/contract.ts';
import { launchChromium } from '../../support/chromium.ts';

/**
 * A page opens a document and writes to it. Returns the types of the messages that it gets, in order, or how
 * its socket was closed.
 */
const edit = (page: Page, url: string): Promise<string[]> =>
  page.evaluate(
    (socketUrl) =>
      new Promise<string[]>((resolve) => {
        const got: string[] = [];
        const socket = new WebSocket(socketUrl, 'troupe.v1.json');
        socket.onopen = () => {
          socket.send(
            JSON.stringify({ type: 'hello', client: `page-${Math.random().toString(36).slice(2)}` }),
          );
          socket.send('{"type":"open","doc":"demo/tasks","kind":"json"}');
          socket.send(
            '{"type":"submit","doc":"demo/tasks","seq":1,"op":[{"op":"add","path":"/a","value":1}]}',
          );
        };
        socket.onmessage = ({ data }) => {
          const { type } = JSON.parse(String(data)) as { type: string };
          got.push(type);
          if (type === 'commit') {
            resolve(got);
            socket.close();
          }
        };
        socket.onclose = ({ code }) => resolve([...got, `closed ${code}`]);
      }),
    url,
  );

const read = (page: Page, url: string): Promise<string> =>
  page.evaluate(
    (address) =>
      fetch(address).then(
        async (response) => `${response.status} ${await response.text()}`,
        (error: unknown) => `failed: ${String(error)}`,
      ),
    url,
  );

const shared = new FileNode();

test('ORIGIN-1 a page of another origin cannot edit, and the page of the node can', async (file) => {
  const chromium = await launchChromium(file);
  const { node } = shared;
  const elsewhere = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>elsewhere</title>');
  }).listen(0, '127.0.0.1');
  file.after(() => elsewhere.close());
  await once(elsewhere, 'listening');
  const address = elsewhere.address();
  assert.ok(typeof address === 'object' && address !== null);

  // The browser reports refused requests on its console.
  const foreign = await chromium.window(file, { expectedErrors: /./ });
  await foreign.goto(`http://localhost:${address.port}/`);
  for (const host of ['127.0.0.1', 'localhost']) {
    assert.deepEqual(await edit(foreign, `ws://${host}:${node.port}/v1/socket`), ['closed 1006']);
    assert.match(await read(foreign, `http://${host}:${node.port}/readyz`), /^failed/);
  }

  const own = await chromium.window(file);
  for (const [page, socket] of [
    ['127.0.0.1', '127.0.0.1'],
    ['localhost', '127.0.0.1'],
    ['localhost', 'localhost'],
  ]) {
    await own.goto(`http://${page}:${node.port}/`);
    const types = await edit(own, `ws://${socket}:${node.port}/v1/socket`);
    assert.deepEqual(types.slice(0, 2), ['welcome', 'opened']);
  }
  assert.match(await read(own, `http://localhost:${node.port}/readyz`), /^200/);
});
