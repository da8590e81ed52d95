// One connection to an HTTP server, over which any bytes can be sent. It reads the answers as RFC 9112 frames them, and
// judges nothing but that.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** `closed`: without a further answer. `silent`: nothing came in time. `nonsense`: bytes that are no answer. */
export type Heard = RawAnswer | 'closed' | 'silent' | 'nonsense';

const MOST_HEAD_BYTES = 64 * 1024;
const HEAD_END = '\r\n\r\n';

export class HttpConnection {
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  #isClosed = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
      this.#wake();
    });
    const close = (): void => {
      this.#isClosed = true;
      this.#wake();
    };
    socket.on('end', close);
    socket.on('close', close);
  }

  static async dial(url: URL): Promise<HttpConnection> {
    const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
    await once(socket, 'connect');
    return new HttpConnection(socket);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Bytes behind the last answer that was read. */
  get restBytes(): number {
    return this.#bytes.length;
  }

  write(bytes: Uint8Array): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes);
  }

  /** Says that nothing more comes; answers can still be read. */
  end(): void {
    this.#socket.end();
  }

  /** Reads nothing from now on. */
  pause(): void {
    this.#socket.pause();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** The next answer to a request with this method. Of an answer that goes on, only what has come. */
  async answer(method: string, patienceMs: number): Promise<Heard> {
    const until = performance.now() + patienceMs;
    for (;;) {
      const taken = this.#take(method);
      if (taken !== undefined) return taken;
      if (this.#isClosed) return this.#bytes.length === 0 ? 'closed' : 'nonsense';
      const leftMs = until - performance.now();
      if (leftMs <= 0) return 'silent';
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Undefined: more bytes are needed. */
  #take(method: string): RawAnswer | 'nonsense' | undefined {
    const headEnd = this.#bytes.indexOf(HEAD_END);
    if (headEnd < 0) return this.#bytes.length > MOST_HEAD_BYTES ? 'nonsense' : undefined;
    const head = headOf(this.#bytes.subarray(0, headEnd).toString('latin1'));
    if (head === undefined) return 'nonsense';
    const start = headEnd + HEAD_END.length;
    if (head.status === 100) {
      this.#bytes = this.#bytes.subarray(start);
      return this.#take(method);
    }
    const body = this.#bodyOf(method, head, start);
    if (body === undefined || body === 'nonsense') return body;
    this.#bytes = this.#bytes.subarray(body.end);
    return { ...head, body: body.content };
  }

  #bodyOf(
    method: string,
    { status, headers }: Omit<RawAnswer, 'body'>,
    start: number,
  ): { readonly content: Buffer; readonly end: number } | 'nonsense' | undefined {
    if (method === 'HEAD' || status === 204 || status === 304)
      return { content: Buffer.alloc(0), end: start };
    if (headers.get('content-type')?.startsWith('text/event-stream') === true)
      return { content: this.#bytes.subarray(start), end: this.#bytes.length };
    if (headers.get('transfer-encoding') === 'chunked') return chunkedFrom(this.#bytes, start);
    const length = headers.get('content-length');
    if (length === undefined) {
      if (!this.#isClosed) return undefined;
      return { content: this.#bytes.subarray(start), end: this.#bytes.length };
    }
    if (!/^\d+$/.test(length)) return 'nonsense';
    const end = start + Number(length);
    return end > this.#bytes.length ? undefined : { content: this.#bytes.subarray(start, end), end };
  }
}

function headOf(text: string): Omit<RawAnswer, 'body'> | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1];
  if (status === undefined) return undefined;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return undefined;
    headers.set(name.toLowerCase(), value);
  }
  return { status: Number(status), headers };
}

function chunkedFrom(
  bytes: Buffer,
  start: number,
): { readonly content: Buffer; readonly end: number } | 'nonsense' | undefined {
  const chunks: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = bytes.subarray(at, lineEnd).toString('latin1');
    if (!/^[0-9a-f]+$/i.test(size)) return 'nonsense';
    const from = lineEnd + 2;
    const end = from + Number.parseInt(size, 16);
    if (bytes.length < end + 2) return undefined;
    if (bytes.toString('latin1', end, end + 2) !== '\r\n') return 'nonsense';
    if (end === from) return { content: Buffer.concat(chunks), end: end + 2 };
    chunks.push(bytes.subarray(from, end));
    at = end + 2;
  }
}
