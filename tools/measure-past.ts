// Measures reads of a long history on a node that serves edits meanwhile: the open of the document, pages of its
// history, versions in its middle, its authors, and the acknowledgements of another document's edits. `npm run past`.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import WebSocket from 'ws';
import { doPastJob } from '../actors/compute/past-job.ts';
import { startEmbeddedPostgres } from '../actors/storage/embedded-postgres.ts';
import { createPastStore } from '../actors/storage/past-store-postgres.ts';
import { createControlStore } from '../actors/storage/store-postgres.ts';
import {
  commandLine,
  examples,
  explainMisuse,
  readWords,
  wholeNumber,
} from '../config/command-line/command-line.ts';
import { configFrom } from '../config/load.ts';
import { startNode } from '../src/node.ts';
import { writeLongDocument } from './long-document.ts';

const KINDS = ['rich-text', 'json'] as const;
const EDIT_EVERY_MS = 20;
const PAGES = 20;
const VERSIONS = 10;

const command = commandLine('npm run past --', (text) => process.stdout.write(text))
  .description(
    "Measure reads of a long history, and another document's edits meanwhile, on a node of its own with an embedded PostgreSQL.",
  )
  .option('--edits <N>', 'edits of each document', wholeNumber(1), 1_000_000)
  .option(
    '--behind <N>',
    'last edits whose authors are not kept yet; a node keeps them when there are 250,000',
    wholeNumber(),
    249_999,
  )
  .addHelpText('after', examples('npm run past -- --edits 200000'));
const found = readWords(command, process.argv.slice(2));
const { edits: EDITS, behind: BEHIND } = command.opts();
if (typeof found === 'object') {
  process.exitCode = explainMisuse(found, 'npm run past', (text) => process.stderr.write(text));
} else if (found === 'read') {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-past-'));
  try {
    await write(directory);
    await measure(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function write(directory: string): Promise<void> {
  const postgres = await startEmbeddedPostgres({ directory, settings: {}, log: () => undefined });
  const control = createControlStore({ url: postgres.url });
  await control.migrate();
  await control.close();
  for (const kind of KINDS)
    await writeLongDocument(postgres.url, { org: 'acme', name: kind, kind, edits: EDITS, runLength: 50 });
  if (EDITS > BEHIND) await keepAuthors(postgres.url);
  await postgres.stop();
}

/** As a node leaves them that has served the document. */
async function keepAuthors(url: string): Promise<void> {
  const store = createPastStore({ url }, 2);
  for (const kind of KINDS) {
    const document = await store.document('acme', kind);
    if (document === undefined) throw new Error('the document was not written');
    const version = EDITS - BEHIND;
    const kept = await doPastJob(store, { ...document, document, type: 'keep-authors', version });
    if (!kept.ok) throw new Error(kept.message);
  }
  await store.close();
}

async function measure(directory: string): Promise<void> {
  const config = configFrom({
    listen: { port: 0 },
    storage: { embedded: { directory } },
    http: { requestsPerSecond: 10_000 },
  });
  const node = await startNode(config, { log: pino({ level: 'warn' }) });
  try {
    const editor = await editing(node.url);
    for (const kind of KINDS) await reads(node.url, kind);
    report('acknowledgements of other edits meanwhile', await editor.stop(), 50);
  } finally {
    await node.stop();
  }
}

async function reads(url: string, kind: (typeof KINDS)[number]): Promise<void> {
  const path = `/v1/docs/acme/${kind}`;
  const get = async (rest: string): Promise<number> => {
    const from = performance.now();
    const answer = await fetch(new URL(path + rest, url));
    const bytes = (await answer.arrayBuffer()).byteLength;
    if (!answer.ok) throw new Error(`${rest}: ${answer.status}, ${bytes} bytes`);
    return performance.now() - from;
  };
  const several = async (count: number, rest: (i: number) => string): Promise<number[]> => {
    const times: number[] = [];
    for (let i = 0; i < count; i++) times.push(await get(rest(i)));
    return times;
  };
  report(`${kind}: open`, [await open(url, `acme/${kind}`)], 200);
  const place = (i: number, of: number): number => Math.floor((EDITS * (i + 1)) / (of + 1));
  report(`${kind}: a page of history`, await several(PAGES, (i) => `/history?from=${place(i, PAGES)}`), 100);
  report(
    `${kind}: a version in the middle`,
    await several(VERSIONS, (i) => `?version=${place(i, VERSIONS)}`),
    1_000,
  );
  report(`${kind}: authors, asked for the first time`, [await get('/authors')], 2_000);
  await edit(url, `acme/${kind}`, kind);
  report(`${kind}: authors after one more edit`, [await get('/authors')], 2_000);
}

async function edit(url: string, doc: string, kind: string): Promise<void> {
  const op = kind === 'json' ? [{ op: 'add', path: '/more', value: 1 }] : [{ insert: 'x' }];
  const socket = await connect(url, doc, kind);
  socket.send(JSON.stringify({ type: 'submit', doc, seq: 1, op }));
  await next(socket, 'commit');
  socket.close();
}

async function open(url: string, doc: string): Promise<number> {
  const socket = await hello(url);
  const from = performance.now();
  socket.send(JSON.stringify({ type: 'open', doc }));
  await next(socket, 'opened');
  const took = performance.now() - from;
  socket.close();
  return took;
}

/** Edits a document of its own, until `stop`, which gives the times of the acknowledgements. */
async function editing(url: string): Promise<{ stop(): Promise<number[]> }> {
  const doc = 'acme/other';
  const socket = await connect(url, doc, 'json');
  const sent = new Map<number, number>();
  const times: number[] = [];
  let seq = 0;
  socket.on('message', (frame) => {
    const message = JSON.parse(String(frame));
    if (message.type !== 'commit') return;
    for (const each of message.ops) times.push(performance.now() - (sent.get(each.seq) ?? 0));
  });
  const timer = setInterval(() => {
    seq++;
    sent.set(seq, performance.now());
    const op = [{ op: 'add', path: '/a', value: seq }];
    socket.send(JSON.stringify({ type: 'submit', doc, seq, op }));
  }, EDIT_EVERY_MS);
  return {
    stop: async () => {
      clearInterval(timer);
      socket.close();
      return times;
    },
  };
}

async function hello(url: string): Promise<WebSocket> {
  const socket = new WebSocket(new URL('/v1/socket', url.replace(/^http/, 'ws')), 'troupe.v1.json');
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.send(JSON.stringify({ type: 'hello', client: `measure-${Math.random().toString(36).slice(2)}` }));
  await next(socket, 'welcome');
  return socket;
}

async function connect(url: string, doc: string, kind: string): Promise<WebSocket> {
  const socket = await hello(url);
  socket.send(JSON.stringify({ type: 'open', doc, kind }));
  await next(socket, 'opened');
  return socket;
}

/** Resolves with the next message of this type. Rejects with an error that the node sends. */
function next(socket: WebSocket, type: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const listen = (frame: WebSocket.RawData): void => {
      const message = JSON.parse(String(frame));
      if (message.type !== type && message.type !== 'error' && message.type !== 'reject') return;
      socket.off('message', listen);
      if (message.type === type) resolve();
      else reject(new Error(`${message.code}: ${message.message}`));
    };
    socket.on('message', listen);
  });
}

function report(what: string, times: readonly number[], mostMs: number): void {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.ceil(share * sorted.length) - 1] ?? 0).toFixed(0);
  const line = `${what}: ${times.length} times, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms (wanted: at most ${mostMs} ms)`;
  process.stdout.write(`${line}\n`);
}
