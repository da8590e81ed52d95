// Measures how many Yjs clients that join one large document at once get what they lack, and how long edits of others take
// meanwhile. The clients speak y-websocket's protocol with a node of its own; they keep no document, because twenty of
// them would occupy this process. It judges nothing.
import { createEncoder, toUint8Array, writeVarUint, writeVarUint8Array } from 'lib0/encoding';
import WebSocket from 'ws';
import * as Y from 'yjs';
import { BareClient } from '../clients/bare-client.ts';
import { NodeProcess } from '../nodes/node-process.ts';
import { withDataDirectory } from '../nodes/temporary-node.ts';

export interface JoiningOptions {
  readonly clients: number;
  /** Bytes of the document. */
  readonly bytes: number;
  readonly signal: AbortSignal;
}

/** Times in ms, not in order. */
export interface JoiningTimes {
  /** From the first step of each client to its second step. */
  readonly synced: readonly number[];
  /** From submit to commit of edits of another document, and of the large one. */
  readonly elsewhere: readonly number[];
  readonly inside: readonly number[];
  /** Bytes that all clients got. */
  readonly received: number;
}

export interface Joining {
  /** Clients that have nothing. */
  readonly empty: JoiningTimes;
  /** Clients that have the first 60 to 95 % of the document, each another part. */
  readonly away: JoiningTimes;
}

const LARGE = 'measured/large';
const OTHER = 'measured/other';
/** Letters of a struct, authors of the document, and most bytes of an update. */
const LETTERS = 40;
const AUTHORS = 5;
const UPDATE_BYTES = 2 * 1024 * 1024;
const EDIT_EVERY_MS = 20;

export async function joining({ clients, bytes, signal }: JoiningOptions): Promise<Joining> {
  return await withDataDirectory(async (directory) => {
    const documentBytes = Math.max(1024 * 1024, 2 * bytes);
    const node = await NodeProcess.start({
      storage: { directory },
      detached: true,
      set: [`limits.documentBytes=${documentBytes}`, `limits.receiveBytes=${2 * documentBytes}`],
    });
    try {
      const url = `ws://127.0.0.1:${node.port}/yjs/${LARGE}`;
      const vectors = await write(url, bytes);
      const vectorOf = (share: number): Uint8Array =>
        Y.encodeStateVector(
          new Map([...vectors].map(([client, clock]) => [client, Math.floor(clock * share)])),
        );
      const joins = (shareOf: (at: number) => number): Promise<JoiningTimes> =>
        meanwhile(
          node.socketUrl,
          Array.from({ length: clients }, (_, at) => ({ url, vector: vectorOf(shareOf(at)) })),
        );
      signal.throwIfAborted();
      const empty = await joins(() => 0);
      signal.throwIfAborted();
      const away = await joins((at) => 0.6 + (0.35 * at) / clients);
      return { empty, away };
    } finally {
      await node.stop();
    }
  });
}

/** Writes the document and returns the clocks of its authors. */
async function write(url: string, bytes: number): Promise<Map<number, number>> {
  const writer = await connect(url);
  await told(writer, STEP_2, () => writer.send(frame(STEP_1, NOTHING)));
  const docs = Array.from({ length: AUTHORS }, () => new Y.Doc());
  let written = 0;
  for (let turn = 0; written < bytes; turn++) {
    const doc = docs[turn % AUTHORS] ?? new Y.Doc();
    const before = Y.encodeStateVector(doc);
    doc.transact(() => {
      const text = doc.getText('text');
      for (let size = 0; size < UPDATE_BYTES - 4096; size += LETTERS + 20)
        text.insert(0, `${Math.random().toString(36).slice(2)} `.repeat(LETTERS / 10).slice(0, LETTERS));
    });
    const update = Y.encodeStateAsUpdate(doc, before);
    written += update.length;
    // It comes back once it is durable.
    await told(writer, UPDATE, () => writer.send(frame(UPDATE, update)));
  }
  writer.close();
  return new Map(docs.map((doc) => [doc.clientID, Y.getState(doc.store, doc.clientID)]));
}

/** Does `act`, and resolves with the next message of the type. */
function told(socket: WebSocket, type: number, act: () => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const closed = (code: number, reason: Buffer): void =>
      reject(new Error(`closed: ${code} ${reason.toString()}`));
    const listen = (data: Buffer): void => {
      if (data[0] !== SYNC || data[1] !== type) return;
      socket.off('message', listen);
      socket.off('close', closed);
      resolve(data);
    };
    socket.on('message', listen);
    socket.on('close', closed);
    act();
  });
}

async function meanwhile(
  socketUrl: string,
  peers: readonly { readonly url: string; readonly vector: Uint8Array }[],
): Promise<JoiningTimes> {
  const inside = await edit(socketUrl, LARGE);
  const elsewhere = await edit(socketUrl, OTHER);
  const sockets = await Promise.all(peers.map(({ url }) => connect(url)));
  let received = 0;
  const synced = await Promise.all(
    sockets.map(async (socket, at) => {
      const from = performance.now();
      socket.on('message', (data: Buffer) => {
        received += data.length;
      });
      await told(socket, STEP_2, () => socket.send(frame(STEP_1, peers[at]?.vector ?? NOTHING)));
      return performance.now() - from;
    }),
  );
  const times = { synced, inside: await inside(), elsewhere: await elsewhere(), received };
  for (const socket of sockets) socket.close();
  return times;
}

/** Edits a document of kind yjs until the returned function is called, which returns the times of the commits. */
async function edit(url: string, name: string): Promise<() => Promise<number[]>> {
  const client = new BareClient({
    url,
    client: `editor-${Math.random().toString(36).slice(2)}`,
    encoding: 'msgpack',
    replicas: false,
    random: Math.random,
  });
  await client.connect();
  const document = client.open(name, { kind: 'yjs' });
  await document.opened();
  const doc = new Y.Doc();
  const times: Promise<number>[] = [];
  const timer = setInterval(() => {
    const before = Y.encodeStateVector(doc);
    doc.getText('edits').insert(0, 'x');
    const from = performance.now();
    const seq = document.submit(Y.encodeStateAsUpdate(doc, before));
    times.push(
      document.decided(seq).then(({ fate }) => {
        if (fate.type !== 'ok') throw new Error(`an edit was ${fate.type}`);
        return performance.now() - from;
      }),
    );
  }, EDIT_EVERY_MS);
  return async () => {
    clearInterval(timer);
    const found = await Promise.all(times);
    client.stop();
    return found;
  };
}

async function connect(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return socket;
}

/** The state vector of a client that has nothing. */
const NOTHING = Uint8Array.of(0);
/** Types of y-websocket's messages. */
const SYNC = 0;
const STEP_1 = 0;
const STEP_2 = 1;
const UPDATE = 2;

function frame(type: number, bytes: Uint8Array): Uint8Array {
  const encoder = createEncoder();
  writeVarUint(encoder, SYNC);
  writeVarUint(encoder, type);
  writeVarUint8Array(encoder, bytes);
  return toUint8Array(encoder);
}
