// The garbage run: malformed, truncated, oversize and wrongly typed frames, broken WebSocket bytes and
// readers that never read, while other clients edit. Owns the sending and the watching: the server must live,
// answer with codes of the catalogue alone and keep within its memory, and no other client may notice. The
// input is made in garbage-frames.ts.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { jsonCodec, msgpackCodec } from '../../protocol/codec.ts';
import { CLOSE_CODES, ERROR_CODES } from '../../protocol/errors.ts';
import { SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK } from '../../protocol/messages.ts';
import { BareClient } from '../clients/bare-client.ts';
import { Bystanders } from '../clients/bystanders.ts';
import { type Random, seededRandom } from '../clients/random-edits.ts';
import { type Summary, summarize } from '../statistics.ts';
import { BAD_WIRE, badMessage, oversize } from './garbage-frames.ts';

export interface GarbageOptions {
  readonly url: string;
  /** Number of frames to throw. */
  readonly frames: number;
  /** Number of sockets that throw at once. */
  readonly throwers: number;
  readonly seed: number;
  /** Returns the resident bytes of the server; undefined if its memory is not watched. */
  readonly memory?: () => Promise<number>;
  readonly onProgress?: (thrown: number) => void;
  /** Aborted: the run ends early, and judges what there was. */
  readonly signal?: AbortSignal;
}

export interface GarbageResult {
  readonly thrown: number;
  /** The server's answers by code, and its closes by code. */
  readonly answers: Readonly<Record<string, number>>;
  readonly closes: Readonly<Record<string, number>>;
  /**
   * Everything that must not happen: unknown codes, `internal`, a lost bystander, a broken promise. Empty if
   * the run passed.
   */
  readonly faults: readonly string[];
  /** Time from edit to commit of the bystanders, milliseconds. */
  readonly bystanders: Summary;
  readonly memory: { readonly before: number; readonly peak: number; readonly after: number } | undefined;
}

/** Growth of resident memory that the frames may cause while they arrive. */
const MOST_GROWTH_BYTES = 512 * 1024 * 1024;
/** Patches of 60 kB, until some 24 MB wait unread: more than outbox and kernel hold together. */
const LARGE = 'large '.repeat(10_000);
const LARGE_PATCHES = 400;
const ASK_ROUNDS = 1_000;
/** Messages on one socket before the thrower waits for the server's answers. */
const BURST = 40;
/** A socket hangs when it answers neither a ping nor with a close for this long. */
const ANSWER_MS = 30_000;
const CLOSES: ReadonlySet<number> = new Set([1002, 1007, 1006, ...Object.values(CLOSE_CODES)]);

export async function garbageRun(options: GarbageOptions): Promise<GarbageResult> {
  const run = new GarbageRun(options);
  return await run.play();
}

class GarbageRun {
  readonly #options: GarbageOptions;
  readonly #random: Random;
  readonly #answers: Record<string, number> = {};
  readonly #closes: Record<string, number> = {};
  readonly #faults: string[] = [];
  readonly #sockets = new Set<WebSocket>();
  #thrown = 0;
  #over = false;

  constructor(options: GarbageOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
  }

  async play(): Promise<GarbageResult> {
    const options = this.#options;
    const before = (await options.memory?.()) ?? 0;
    let peak = before;
    const watch = setInterval(() => {
      void options.memory?.().then((bytes) => {
        peak = Math.max(peak, bytes);
      });
    }, 200);
    const bystanders = new Bystanders(options.url, 'garbage', this.#random);
    try {
      await bystanders.start();
      for (const doc of bystanders.docs) await this.#sleeper(doc);
      const glutton = await this.#glutton();
      await Promise.all(Array.from({ length: options.throwers }, (_, index) => this.#thrower(index)));
      await this.#brokenWire();
      if (!this.#isOver) await this.#mustBeClosed(glutton);
      await bystanders.stop();
      const after = (await options.memory?.()) ?? 0;
      peak = Math.max(peak, after);
      if (peak - before > MOST_GROWTH_BYTES) this.#faults.push(`memory grew by ${peak - before} bytes`);
      this.#faults.push(...(await bystanders.faults()));
      if (this.#thrown === 0) this.#faults.push('no frame was thrown');
      if (bystanders.latencies.length === 0) this.#faults.push('the bystanders made no edit');
      return {
        thrown: this.#thrown,
        answers: this.#answers,
        closes: this.#closes,
        faults: this.#faults,
        bystanders: summarize(bystanders.latencies),
        memory: options.memory === undefined ? undefined : { before, peak, after },
      };
    } finally {
      clearInterval(watch);
      this.#over = true;
      for (const socket of this.#sockets) socket.terminate();
      bystanders.close();
    }
  }

  get #isOver(): boolean {
    return this.#over || this.#options.signal?.aborted === true;
  }

  /** Reconnects after each close, until all frames have been thrown. */
  async #thrower(index: number): Promise<void> {
    for (let round = 0; !this.#isOver && this.#thrown < this.#options.frames; round++) {
      const encoding = (index + round) % 2 === 0 ? 'json' : 'msgpack';
      const socket = await this.#dial(encoding);
      if (this.#random() < 0.9) await this.#greet(socket, encoding, index);
      await this.#burst(socket, encoding, index);
      socket.terminate();
      this.#options.onProgress?.(this.#thrown);
    }
  }

  /** Throws until the socket is closed or the server has answered a ping behind all the frames. */
  async #burst(socket: WebSocket, encoding: 'json' | 'msgpack', index: number): Promise<void> {
    for (let sent = 0; sent < BURST && socket.readyState === WebSocket.OPEN; sent++) {
      const doc = `garbage/doc-${index}`;
      const big = this.#random() < 0.002;
      const payload = big ? oversize(encoding, 2 << 20) : badMessage(this.#random, encoding, doc).payload;
      const wrongType = this.#random() < 0.01;
      this.#thrown += 1;
      socket.send(payload, { binary: wrongType ? encoding === 'json' : encoding === 'msgpack' });
      // Lets answers arrive between the frames.
      if (sent % 8 === 7) await new Promise((resolve) => setImmediate(resolve));
    }
    await this.#answered(socket, `a burst in ${encoding}`);
  }

  async #answered(socket: WebSocket, what: string): Promise<void> {
    if (socket.readyState === WebSocket.CLOSED) return;
    const answer = new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), ANSWER_MS);
      const heard = () => {
        clearTimeout(timer);
        resolve(true);
      };
      socket.once('pong', heard);
      socket.once('close', heard);
      if (socket.readyState === WebSocket.OPEN) socket.ping();
    });
    if (!(await answer)) this.#faults.push(`no answer to ${what}`);
  }

  async #dial(encoding: 'json' | 'msgpack'): Promise<WebSocket> {
    const subprotocol = encoding === 'json' ? SUBPROTOCOL_JSON : SUBPROTOCOL_MSGPACK;
    const socket = new WebSocket(this.#options.url, subprotocol, { perMessageDeflate: false });
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', (code) => {
      this.#sockets.delete(socket);
      this.#closes[code] = (this.#closes[code] ?? 0) + 1;
      if (!CLOSES.has(code)) this.#faults.push(`closed with ${code}`);
    });
    socket.on('message', (data: Buffer, isBinary) => this.#heard(data, isBinary));
    await once(socket, 'open');
    return socket;
  }

  #heard(data: Buffer, isBinary: boolean): void {
    const message = isBinary ? msgpackCodec.decode(data) : jsonCodec.decode(data.toString('utf8'));
    const code =
      message.type === 'error' || message.type === 'reject' ? String(message.code) : String(message.type);
    this.#answers[code] = (this.#answers[code] ?? 0) + 1;
    if (message.type !== 'error' && message.type !== 'reject') return;
    if (!Object.hasOwn(ERROR_CODES, code) || code === 'internal')
      this.#faults.push(`told ${JSON.stringify(message).slice(0, 300)}`);
  }

  async #greet(socket: WebSocket, encoding: 'json' | 'msgpack', index: number): Promise<void> {
    const codec = encoding === 'json' ? jsonCodec : msgpackCodec;
    const kind = (['json', 'rich-text', 'yjs'] as const)[index % 3] ?? 'json';
    socket.send(codec.encode({ type: 'hello', client: `garbage-${index}` }));
    socket.send(codec.encode({ type: 'open', doc: `garbage/doc-${index}`, kind }));
    await this.#answered(socket, 'a hello');
  }

  /**
   * Subscribes and never reads again: the server has to close the socket, and may not buffer without bound.
   */
  async #sleeper(doc: string): Promise<void> {
    const socket = await this.#dial('json');
    socket.send(jsonCodec.encode({ type: 'hello', client: `sleeper-${Math.floor(this.#random() * 1e6)}` }));
    socket.send(jsonCodec.encode({ type: 'open', doc }));
    await once(socket, 'message');
    socket.pause();
  }

  /**
   * Subscribes to a document of large patches and reads nothing; then opens it again and again on another
   * socket.
   */
  async #glutton(): Promise<WebSocket> {
    const { url } = this.#options;
    const doc = `garbage/large-${Math.floor(this.#random() * 1e9)}`;
    const author = new BareClient({
      url,
      client: 'large-author',
      encoding: 'json',
      random: this.#random,
      replicas: false,
    });
    await author.connect();
    const document = author.open(doc, { kind: 'rich-text' });
    await document.opened();
    await document.decided(document.submit([{ insert: LARGE }], 0));
    const socket = await this.#dial('json');
    socket.send(jsonCodec.encode({ type: 'hello', client: 'glutton-01' }));
    socket.send(jsonCodec.encode({ type: 'open', doc }));
    await once(socket, 'message');
    socket.pause();
    for (let sent = 0; sent < LARGE_PATCHES && !this.#isOver; sent++) {
      await document.decided(document.submit([{ insert: LARGE }, { delete: LARGE.length }]));
    }
    author.stop();
    await this.#askAgain(doc);
    return socket;
  }

  /** Opens and closes as fast as it can send, and reads nothing meanwhile. */
  async #askAgain(doc: string): Promise<void> {
    const socket = await this.#dial('msgpack');
    socket.send(msgpackCodec.encode({ type: 'hello', client: 'asker-0001' }));
    await once(socket, 'message');
    socket.pause();
    for (let round = 0; round < ASK_ROUNDS; round++) {
      socket.send(msgpackCodec.encode({ type: 'open', doc }));
      socket.send(msgpackCodec.encode({ type: 'close', doc }));
    }
    socket.resume();
    await this.#answered(socket, 'a flood of opens');
    socket.terminate();
  }

  /** Checks a socket that the server had to give up: once it reads again it finds itself closed. */
  async #mustBeClosed(socket: WebSocket): Promise<void> {
    const closed = new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), ANSWER_MS);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
    socket.resume();
    if (!(await closed)) this.#faults.push('a client that reads nothing was not closed');
  }

  /**
   * Sends each breach of RFC 6455 on a socket of its own; the server must close it or wait for more, and
   * live.
   */
  async #brokenWire(): Promise<void> {
    const { hostname, port, pathname } = new URL(this.#options.url);
    for (const { bytes } of [...BAD_WIRE, ...BAD_WIRE]) {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      socket.write(
        `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
      );
      await firstBytes(socket);
      socket.resume();
      socket.write(bytes);
      this.#thrown += 1;
      await new Promise((resolve) => setImmediate(resolve));
      socket.end();
      socket.destroySoon();
    }
  }
}

async function firstBytes(socket: Socket): Promise<void> {
  await Promise.race([once(socket, 'data'), once(socket, 'close')]);
}
