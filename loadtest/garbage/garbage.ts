// The garbage run: malformed, truncated, oversize and wrongly typed frames, wrong tokens, broken WebSocket bytes and
// readers that never read, while other clients edit. The server must live, answer with codes of the catalogue alone and
// keep within its memory, and no other client may notice (garbage-scene.ts). The input is made in garbage-frames.ts.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { jsonCodec, msgpackCodec } from '../../protocol/codec.ts';
import { ERROR_CODES } from '../../protocol/errors.ts';
import { SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK } from '../../protocol/messages.ts';
import { BareClient } from '../clients/bare-client.ts';
import { pick, type Random } from '../clients/random-edits.ts';
import { BAD_WIRE, badMessage, oversize } from './garbage-frames.ts';
import { type GarbageOptions, type GarbageResult, GarbageScene } from './garbage-scene.ts';
import type { GarbageTokens } from './garbage-tokens.ts';

/** The length of the run. Without `seconds` it ends with the last of the frames. */
export type FrameGarbageOptions = GarbageOptions &
  ({ readonly frames: number } | { readonly seconds: number });

type Encoding = 'json' | 'msgpack';

/** Patches of 60 kB, until some 24 MB wait unread: more than outbox and kernel hold together. */
const LARGE = 'large '.repeat(10_000);
const LARGE_PATCHES = 400;
const ASK_ROUNDS = 1_000;
/** Messages on one socket before the thrower waits for the server's answers. */
const BURST = 40;

export async function garbageRun(options: FrameGarbageOptions): Promise<GarbageResult> {
  const run = new GarbageRun(options);
  return await run.play();
}

class GarbageRun {
  readonly #options: FrameGarbageOptions;
  readonly #scene: GarbageScene;
  readonly #random: Random;
  readonly #tokens: GarbageTokens | undefined;
  readonly #until: number;

  constructor(options: FrameGarbageOptions) {
    this.#options = options;
    this.#scene = new GarbageScene(options);
    this.#random = this.#scene.random;
    this.#tokens = options.tokens;
    this.#until =
      'seconds' in options ? performance.now() + options.seconds * 1_000 : Number.POSITIVE_INFINITY;
  }

  async play(): Promise<GarbageResult> {
    const { throwers } = this.#options;
    return await this.#scene.play(async () => {
      for (const doc of this.#scene.bystanders.docs) await this.#sleeper(doc);
      const glutton = await this.#glutton();
      await Promise.all(Array.from({ length: throwers }, (_, index) => this.#thrower(index)));
      await this.#brokenWire();
      if (!this.#scene.isOver)
        await this.#scene.demandClose(glutton, 'a client that reads nothing was not closed');
    });
  }

  get #isOver(): boolean {
    const { isOver, thrown } = this.#scene;
    return (
      isOver ||
      performance.now() >= this.#until ||
      ('frames' in this.#options && thrown >= this.#options.frames)
    );
  }

  /** Reconnects after each close, until all frames have been thrown. */
  async #thrower(index: number): Promise<void> {
    for (let round = 0; !this.#isOver; round++) {
      const encoding = (index + round) % 2 === 0 ? 'json' : 'msgpack';
      if (this.#tokens !== undefined && round % 4 === 3) {
        await this.#knock(this.#tokens, encoding);
        continue;
      }
      const socket = await this.#dial(encoding);
      if (this.#random() < 0.9) await this.#greet(socket, encoding, index);
      await this.#burst(socket, encoding, index);
      socket.terminate();
    }
  }

  /** Throws until the socket is closed or the server has answered a ping behind all the frames. */
  async #burst(socket: WebSocket, encoding: Encoding, index: number): Promise<void> {
    for (let sent = 0; sent < BURST && socket.readyState === WebSocket.OPEN; sent++) {
      this.#scene.thrown += 1;
      const wrongType = this.#random() < 0.01;
      socket.send(this.#frame(encoding, index), {
        binary: wrongType ? encoding === 'json' : encoding === 'msgpack',
      });
      // Lets answers arrive between the frames.
      if (sent % 8 === 7) await new Promise((resolve) => setImmediate(resolve));
    }
    await this.#scene.demandAnswer(socket, `a burst in ${encoding}`);
  }

  #frame(encoding: Encoding, index: number): string | Uint8Array {
    const dice = this.#random();
    if (dice < 0.002) return oversize(encoding, 2 << 20);
    if (dice > 0.02 || this.#tokens === undefined)
      return badMessage(this.#random, encoding, `garbage/doc-${index}`).payload;
    // A renewal, with a token of this user or another one, or with none that counts.
    const { valid, viewer = valid, foreign = valid, admin = valid, invalid } = this.#tokens;
    const token = pick(this.#random, [valid, valid, viewer, foreign, admin, pick(this.#random, invalid)]);
    return codecOf(encoding).encode({ type: 'hello', client: `garbage-${index}`, token });
  }

  /** Says hello with a token that is not valid, or that has no right in the documents of the bystanders. */
  async #knock({ foreign, admin, invalid }: GarbageTokens, encoding: Encoding): Promise<void> {
    const codec = codecOf(encoding);
    const isWrong = this.#random() < 0.7 || foreign === undefined || admin === undefined;
    const token = isWrong ? pick(this.#random, invalid) : pick(this.#random, [foreign, admin]);
    const seen: string[] = [];
    const socket = await this.#dial(encoding, (answer) => seen.push(answer));
    socket.send(codec.encode({ type: 'hello', client: 'garbage-knocker', token }));
    for (const doc of this.#scene.bystanders.docs) {
      socket.send(codec.encode({ type: 'open', doc, since: 0 }));
      socket.send(codec.encode({ type: 'submit', doc, seq: 1, op: [] }));
    }
    this.#scene.thrown += 1;
    await this.#scene.demandAnswer(socket, 'a hello with another token');
    for (const answer of isWrong ? ['welcome', 'opened', 'commit'] : ['opened', 'commit'])
      if (seen.includes(answer))
        this.#scene.fault(`${answer} for ${isWrong ? 'a wrong' : 'a foreign'} token: ${token}`);
    socket.terminate();
  }

  /** `onAnswer` is called with the type of each message of the server, or the code of an error. */
  async #dial(encoding: Encoding, onAnswer?: (answer: string) => void): Promise<WebSocket> {
    const subprotocol = encoding === 'json' ? SUBPROTOCOL_JSON : SUBPROTOCOL_MSGPACK;
    const socket = await this.#scene.dial(this.#options.url, [subprotocol]);
    socket.on('message', (data: Buffer, isBinary) => {
      const answer = this.#heard(data, isBinary);
      onAnswer?.(answer);
    });
    return socket;
  }

  #heard(data: Buffer, isBinary: boolean): string {
    const message = isBinary ? msgpackCodec.decode(data) : jsonCodec.decode(data.toString('utf8'));
    const isError = message.type === 'error' || message.type === 'reject';
    const answer = isError ? String(message.code) : String(message.type);
    this.#scene.count(answer);
    if (isError && (!Object.hasOwn(ERROR_CODES, answer) || answer === 'internal'))
      this.#scene.fault(`told ${JSON.stringify(message).slice(0, 300)}`);
    return answer;
  }

  /** A hello with a valid token, if the server demands one. */
  #hello(client: string): { type: 'hello'; client: string; token?: string } {
    const token = this.#tokens?.valid;
    return { type: 'hello', client, ...(token === undefined ? {} : { token }) };
  }

  async #greet(socket: WebSocket, encoding: Encoding, index: number): Promise<void> {
    const codec = codecOf(encoding);
    const kind = (['json', 'rich-text', 'yjs'] as const)[index % 3] ?? 'json';
    socket.send(codec.encode(this.#hello(`garbage-${index}`)));
    socket.send(codec.encode({ type: 'open', doc: `garbage/doc-${index}`, kind }));
    await this.#scene.demandAnswer(socket, 'a hello');
  }

  /**
   * Subscribes and never reads again: the server has to close the socket, and may not buffer without bound.
   */
  async #sleeper(doc: string): Promise<void> {
    const socket = await this.#dial('json');
    socket.send(jsonCodec.encode(this.#hello(`sleeper-${Math.floor(this.#random() * 1e6)}`)));
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
      ...(this.#tokens === undefined ? {} : { token: this.#tokens.valid }),
    });
    await author.connect();
    const document = author.open(doc, { kind: 'rich-text' });
    await document.opened();
    await document.decided(document.submit([{ insert: LARGE }], 0));
    const socket = await this.#dial('json');
    socket.send(jsonCodec.encode(this.#hello('glutton-01')));
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
    socket.send(msgpackCodec.encode(this.#hello('asker-0001')));
    await once(socket, 'message');
    socket.pause();
    for (let round = 0; round < ASK_ROUNDS; round++) {
      socket.send(msgpackCodec.encode({ type: 'open', doc }));
      socket.send(msgpackCodec.encode({ type: 'close', doc }));
    }
    socket.resume();
    await this.#scene.demandAnswer(socket, 'a flood of opens');
    socket.terminate();
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
      this.#scene.thrown += 1;
      await new Promise((resolve) => setImmediate(resolve));
      socket.end();
      socket.destroySoon();
    }
  }
}

const codecOf = (encoding: Encoding) => (encoding === 'json' ? jsonCodec : msgpackCodec);

async function firstBytes(socket: Socket): Promise<void> {
  await Promise.race([once(socket, 'data'), once(socket, 'close')]);
}
