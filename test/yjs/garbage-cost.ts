// Measures what the deleted content of an open document costs: bytes that a client gets which joins, and memory of the node.
// `node dist/test/yjs/garbage-cost.js [compiled entry point of another node]`.
import WebSocket from 'ws';
import * as Y from 'yjs';
import { JOINING_WIRES } from '../../loadtest/measures/joining-wire.ts';
import { NodeProcess } from '../../loadtest/nodes/node-process.ts';
import { withDataDirectory } from '../../loadtest/nodes/temporary-node.ts';

const EDITS = 20_000;
const WORD = 20;
/** Letters of each word that stay. */
const STAY = 2;
const AT_ONCE = 50;
const DOC = 'measured/garbage';
const WIRE = JOINING_WIRES['y-websocket'];

const [, , main] = process.argv;

await withDataDirectory(async (directory) => {
  const node = await NodeProcess.start({
    storage: { directory },
    detached: true,
    set: ['limits.submitsPerSecond=1000000', 'quotas.user.editsPerSecond=null'],
    ...(main === undefined ? {} : { main }),
  });
  try {
    const origin = `ws://127.0.0.1:${node.port}`;
    const editor = await join(origin);
    const before = await node.residentBytes();
    const doc = new Y.Doc();
    const text = doc.getText('text');
    for (let made = 0; made < EDITS; made += AT_ONCE) {
      const back = editor.updates + AT_ONCE;
      for (let i = 0; i < AT_ONCE; i++) {
        const vector = Y.encodeStateVector(doc);
        if (i % 2 === 0) text.insert(text.length, `${made + i} `.padEnd(WORD, 'x'));
        else text.delete(text.length - WORD, WORD - STAY);
        editor.socket.send(WIRE.update(DOC, Y.encodeStateAsUpdate(doc, vector)));
      }
      while (editor.updates < back) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    // The last snapshot is under way.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const { bytes } = await join(origin);
    const whole = Y.encodeStateAsUpdate(doc).length;
    const kB = (number: number): string => `${(number / 1000).toFixed(0)} kB`;
    process.stdout.write(
      `${EDITS} edits, ${kB(text.length)} of text, ${kB(whole)} in Yjs: a client that joins gets ${kB(bytes)}; ` +
        `memory of the node ${kB(before)} before, ${kB(await node.residentBytes())} after\n`,
    );
  } finally {
    await node.stop();
  }
});

async function join(origin: string) {
  const socket = new WebSocket(WIRE.urlFor(origin, DOC), { perMessageDeflate: false });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const client = { socket, updates: 0, bytes: 0 };
  await new Promise<void>((resolve, reject) => {
    socket.on('message', (data: Buffer) => {
      const heard = WIRE.hear(data);
      if (heard === undefined) return;
      client.bytes += heard.update.length;
      if (heard.isStep2) resolve();
      else client.updates++;
    });
    socket.once('close', (code) => reject(new Error(`closed: ${code}`)));
    for (const frame of WIRE.join(DOC, Uint8Array.of(0))) socket.send(frame);
  });
  return client;
}
