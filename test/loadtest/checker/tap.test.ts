// The recorder hears each socket of the SDK until the SDK has the next one, and no longer.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { Recorder } from '../../../loadtest/checker/records.ts';
import { tap } from '../../../loadtest/checker/tap.ts';
import { jsonCodec } from '../../../protocol/codec.ts';
import { type ServerMessage, SUBPROTOCOL_JSON } from '../../../protocol/messages.ts';

const DOC = 'acme/doc';

test('a socket that the SDK has left ends nothing of the next one, however late it closes', async (t) => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  t.after(() => server.close());
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const recorder = new Recorder('client', { replicas: false, now: () => 0 });
  const { webSocket } = tap(recorder);
  const connect = async () => {
    const near = new webSocket(`ws://127.0.0.1:${address.port}`, [SUBPROTOCOL_JSON]);
    assert.ok(near instanceof WebSocket);
    const [[far]] = await Promise.all([
      once(server, 'connection') as Promise<[WebSocket]>,
      once(near, 'open'),
    ]);
    t.after(() => near.terminate());
    const tell = async (message: ServerMessage): Promise<void> => {
      far.send(jsonCodec.encode(message));
      await once(near, 'message');
    };
    return { near, tell };
  };
  const commit = (version: number): ServerMessage => ({
    type: 'commit',
    doc: DOC,
    version,
    ops: [{ client: 'other', seq: version, op: [{ insert: 'x' }] }],
  });
  const opened: ServerMessage = {
    type: 'opened',
    doc: DOC,
    kind: 'rich-text',
    history: 'h',
    version: 0,
    role: 'owner',
    lastSeq: 0,
    presence: {},
    snapshot: [],
  };

  const first = await connect();
  recorder.sent({ type: 'open', doc: DOC, kind: 'rich-text' });
  await first.tell(opened);
  await first.tell(commit(1));
  const second = await connect();
  recorder.sent({ type: 'open', doc: DOC, kind: 'rich-text' });
  await second.tell(opened);
  await first.tell(commit(2));
  first.near.terminate();
  await once(first.near, 'close');
  await second.tell(commit(1));
  second.near.terminate();
  await once(second.near, 'close');

  const [record] = recorder.records();
  assert.deepEqual(record?.violations, []);
  assert.deepEqual(
    record.streams.map(({ ops }) => ops.length),
    [1, 1],
  );
});
