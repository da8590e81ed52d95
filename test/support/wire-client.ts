// A client for tests of the wire contract: sends the messages of a test, keeps the received ones, and waits
// for those that the test expects. It retries nothing and infers nothing.
import type { TestContext } from 'node:test';
import { WebSocket } from 'ws';
import { type Codec, jsonCodec, msgpackCodec } from '../../protocol/codec.ts';

export type Message = Record<string, unknown> & { type: string };

/**
 * Seconds without a message. They are counted one by one, so a machine that stands still counts none
 * meanwhile.
 */
const PATIENCE_S = 60;

export class WireClient {
  readonly socket: WebSocket;
  readonly codec: Codec;
  /** The id in its hello. Undefined if `connect` sent no hello. */
  readonly id: string | undefined;
  /** Every received message that was not taken, in order. */
  readonly received: Message[] = [];
  closed: { code: number; reason: string } | undefined;
  #wake: () => void = () => undefined;

  private constructor(socket: WebSocket, codec: Codec, id: string | undefined) {
    this.socket = socket;
    this.id = id;
    this.codec = codec;
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      this.received.push(codec.decode(isBinary ? data : data.toString('utf8')) as Message);
      this.#wake();
    });
    socket.on('close', (code: number, reason: Buffer) => {
      this.closed = { code, reason: reason.toString() };
      this.#wake();
    });
    socket.on('error', () => undefined);
  }

  /** Connects. With `client` it also says hello and takes the welcome. */
  static async connect(
    t: Pick<TestContext, 'after'>,
    url: string,
    options: { codec?: Codec; protocols?: string[]; client?: string } = {},
  ): Promise<WireClient> {
    const codec = options.codec ?? jsonCodec;
    const socket = new WebSocket(url, options.protocols ?? [codec.subprotocol], { perMessageDeflate: false });
    const client = new WireClient(socket, codec, options.client);
    t.after(() => socket.terminate());
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    if (options.client !== undefined) {
      client.send({ type: 'hello', client: options.client });
      await client.next('welcome');
    }
    return client;
  }

  send(message: object): void {
    this.socket.send(this.codec.encode(message as Parameters<Codec['encode']>[0]));
  }

  /** Opens a document and takes the `opened`. */
  async open(doc: string, kind?: string, more: object = {}): Promise<Message> {
    this.send({ type: 'open', doc, ...(kind === undefined ? {} : { kind }), ...more });
    return this.next('opened', (m) => m.doc === doc);
  }

  /** Submits, and takes the answer: a commit, ack, reject or error. */
  async submit(doc: string, seq: number, op: unknown, base?: number): Promise<Message> {
    this.send({ type: 'submit', doc, seq, ...(base === undefined ? {} : { base }), op });
    return this.answer(doc, seq);
  }

  answer(doc: string, seq: number): Promise<Message> {
    return this.take(
      (m) =>
        m.doc === doc &&
        (m.seq === seq ||
          (m.type === 'commit' &&
            (m.ops as { client: string; seq: number }[]).some(
              (entry) => entry.seq === seq && (this.id === undefined || entry.client === this.id),
            ))),
      `an answer to seq ${seq}`,
    );
  }

  next(type: string, is: (message: Message) => boolean = () => true): Promise<Message> {
    return this.take((m) => m.type === type && is(m), type);
  }

  /** Takes the first message that fits, and waits for it if necessary. */
  async take(is: (message: Message) => boolean, what: string): Promise<Message> {
    for (let seconds = 0; ; ) {
      const at = this.received.findIndex(is);
      const [found] = at < 0 ? [] : this.received.splice(at, 1);
      if (found !== undefined) return found;
      const came = (): string => JSON.stringify(this.received).slice(0, 2000);
      if (this.closed !== undefined) {
        throw new Error(`closed with ${this.closed.code} before ${what}; came: ${came()}`);
      }
      if (seconds >= PATIENCE_S) throw new Error(`no ${what}; came: ${came()}`);
      if (!(await this.#change())) seconds++;
    }
  }

  async untilClosed(): Promise<{ code: number; reason: string }> {
    for (let seconds = 0; this.closed === undefined; ) {
      if (seconds >= PATIENCE_S) throw new Error('the socket stays open');
      if (!(await this.#change())) seconds++;
    }
    return this.closed;
  }

  /** Resolves when the server has handled all earlier messages. */
  async settled(): Promise<void> {
    const id = `settled-${Math.random()}`;
    this.send({ type: 'ping', id });
    await this.next('pong', (m) => m.id === id);
  }

  close(): void {
    this.socket.close();
  }

  /** True if something has changed within a second. */
  #change(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), 1_000);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}

export const CODECS_UNDER_TEST: readonly Codec[] = [jsonCodec, msgpackCodec];
