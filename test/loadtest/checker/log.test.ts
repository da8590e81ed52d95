// Reading the log of a document over a socket.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import { check } from '../../../loadtest/checker/checker.ts';
import { readLogs } from '../../../loadtest/checker/log.ts';
import { msgpackCodec } from '../../../protocol/codec.ts';

test('a snapshot is compared at its own version, though commits follow it at once', async (t) => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  t.after(() => server.close());
  server.on('connection', answerAll);
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/socket`;
  const logs = await readLogs({ url, random: Math.random }, [DOC]);
  assert.deepEqual(
    logs.map(({ rows, snapshots }) => [rows.length, snapshots]),
    [[2, [{ version: 1, content: { a: 1 } }]]],
  );
  assert.deepEqual(check(logs, []), []);
});

const DOC = 'acme/plan';
const OPS = [1, 2].map((seq) => ({
  client: 'somebody',
  seq,
  op: [{ op: 'add', path: `/${'ab'[seq - 1]}`, value: seq }],
}));

/** Two versions: a snapshot of the first, and the second right behind it in the same packet. */
function answerAll(socket: WebSocket): void {
  const opened = {
    type: 'opened',
    doc: DOC,
    kind: 'json',
    history: 'h',
    role: 'owner',
    lastSeq: 0,
    presence: {},
  };
  const answers: Record<string, (message: Record<string, unknown>) => object[]> = {
    hello: ({ client }) => [
      { type: 'welcome', client, node: 'n', time: 0, limits: { pingMs: 60_000, inflight: 8 } },
    ],
    open: ({ since }) =>
      since === undefined
        ? [
            { ...opened, version: 1, snapshot: { a: 1 } },
            { type: 'commit', doc: DOC, version: 2, ops: OPS.slice(1) },
          ]
        : [{ ...opened, version: 2, since: 0, ops: OPS }],
    close: () => [{ type: 'closed', doc: DOC }],
  };
  socket.on('message', (data: Buffer) => {
    const message = msgpackCodec.decode(data);
    const frames = answers[String(message.type)]?.(message) ?? [];
    for (const frame of frames) socket.send(msgpackCodec.encode(frame as never));
  });
}
