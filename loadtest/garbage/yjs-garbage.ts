// The garbage run for the endpoints of Yjs providers: throwers send frames that are wrong, strange or too many to `/yjs` and
// `/hocuspocus`, while other clients edit there and over `/v1/socket`. The server must live, close with codes of the
// catalogue alone and keep within its memory, and no other client may notice. The frames are made in yjs-frames.ts.
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { CLOSE_CODES } from '../../protocol/errors.ts';
import { Bystanders } from '../clients/bystanders.ts';
import { type Random, seededRandom } from '../clients/random-edits.ts';
import { type Summary, summarize } from '../statistics.ts';
import { YjsEditor } from './yjs-editor.ts';
import { type Address, auth, badFrame, oversize, step1 } from './yjs-frames.ts';

export interface YjsGarbageOptions {
  /** `ws://host:port/v1/socket` */
  readonly url: string;
  readonly seconds: number;
  /** Sockets that throw at once. */
  readonly throwers: number;
  readonly seed: number;
  /** Returns the resident bytes of the server; undefined if its memory is not watched. */
  readonly memory?: () => Promise<number>;
  /** Aborted: the run ends early, and judges what there was. */
  readonly signal?: AbortSignal;
}

export interface YjsGarbageResult {
  readonly thrown: number;
  readonly closes: Readonly<Record<string, number>>;
  /** Everything that must not happen. Empty if the run passed. */
  readonly faults: readonly string[];
  /** Time from edit to commit of the clients of the contract, and from edit to saved of the Yjs clients, ms. */
  readonly bystanders: Summary;
  readonly editors: Summary;
  readonly memory: { readonly before: number; readonly peak: number; readonly after: number } | undefined;
}

/** Growth of resident memory that the frames may cause while they arrive. */
const MOST_GROWTH_BYTES = 512 * 1024 * 1024;
/** Frames on one socket before the thrower waits for the server. */
const BURST = 40;
/** A socket hangs when it answers neither a ping nor with a close for this long. */
const ANSWER_MS = 30_000;
const EDIT_MS = 100;
const MEMORY_MS = 500;
const CLOSES: ReadonlySet<number> = new Set([1002, 1006, 1007, ...Object.values(CLOSE_CODES)]);

export async function yjsGarbageRun(options: YjsGarbageOptions): Promise<YjsGarbageResult> {
  const run = new YjsGarbageRun(options);
  return await run.play();
}

class YjsGarbageRun {
  readonly #options: YjsGarbageOptions;
  readonly #random: Random;
  readonly #base: string;
  readonly #closes: Record<string, number> = {};
  readonly #faults: string[] = [];
  readonly #sockets = new Set<WebSocket>();
  readonly #until: number;
  #thrown = 0;

  constructor(options: YjsGarbageOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#base = options.url.replace(/\/v1\/socket$/, '');
    this.#until = performance.now() + options.seconds * 1000;
  }

  async play(): Promise<YjsGarbageResult> {
    const { url, throwers, memory } = this.#options;
    const before = (await memory?.()) ?? 0;
    let peak = before;
    const watch = setInterval(() => {
      void memory?.().then((bytes) => {
        peak = Math.max(peak, bytes);
      });
    }, MEMORY_MS);
    const bystanders = new Bystanders(url, 'garbage', this.#random);
    const doc = `garbage/yjs-${Math.floor(this.#random() * 1e9)}`;
    const editors = [
      new YjsEditor('path', `${this.#base}/yjs/${doc}`, undefined),
      new YjsEditor('address', `${this.#base}/hocuspocus`, doc),
    ];
    let edits: NodeJS.Timeout | undefined;
    try {
      await bystanders.start();
      for (const editor of editors) await editor.start();
      edits = setInterval(() => {
        for (const editor of editors) editor.edit();
      }, EDIT_MS);
      await Promise.all(Array.from({ length: throwers }, (_, index) => this.#thrower(index, doc)));
      clearInterval(edits);
      await bystanders.stop();
      await this.#settle(editors);
      const after = (await memory?.()) ?? 0;
      peak = Math.max(peak, after);
      if (peak - before > MOST_GROWTH_BYTES) this.#faults.push(`memory grew by ${peak - before} bytes`);
      this.#faults.push(...(await bystanders.faults()), ...editors.flatMap(({ faults }) => faults));
      if (this.#thrown === 0) this.#faults.push('no frame was thrown');
      const latencies = editors.flatMap((editor) => editor.latencies);
      if (bystanders.latencies.length === 0 || latencies.length === 0)
        this.#faults.push('the bystanders made no edit');
      return {
        thrown: this.#thrown,
        closes: this.#closes,
        faults: this.#faults,
        bystanders: summarize(bystanders.latencies),
        editors: summarize(latencies),
        memory: memory === undefined ? undefined : { before, peak, after },
      };
    } finally {
      clearInterval(watch);
      clearInterval(edits);
      for (const socket of this.#sockets) socket.terminate();
      for (const editor of editors) editor.stop();
      bystanders.close();
    }
  }

  get #isOver(): boolean {
    return performance.now() >= this.#until || this.#options.signal?.aborted === true;
  }

  /** Comes back after each close. One burst in four goes to the document of the Yjs editors, without legal updates. */
  async #thrower(index: number, live: string): Promise<void> {
    for (let round = 0; !this.#isOver; round++) {
      const isLive = round % 4 === 3;
      const doc = isLive ? live : `garbage/yjs-thrown-${index}`;
      const address = (index + round) % 2 === 0 ? undefined : doc;
      const socket = await this.#dial(address === undefined ? `/yjs/${doc}` : '/hocuspocus');
      if (address !== undefined) socket.send(auth(address));
      if (this.#random() < 0.9) socket.send(step1(address, Uint8Array.of(0)));
      await this.#burst(socket, address, isLive);
      socket.terminate();
    }
  }

  async #burst(socket: WebSocket, address: Address, isLive: boolean): Promise<void> {
    for (let sent = 0; sent < BURST && socket.readyState === WebSocket.OPEN; sent++) {
      this.#thrown += 1;
      socket.send(this.#frame(address, isLive), { binary: this.#random() >= 0.005 });
      // Lets answers arrive between the frames.
      if (sent % 8 === 7) await new Promise((resolve) => setImmediate(resolve));
    }
    if (!(await this.#isAnswered(socket))) this.#faults.push('no answer to a burst');
  }

  #frame(address: Address, isLive: boolean): Uint8Array {
    if (this.#random() < 0.001) return oversize(address);
    const frame = badFrame(this.#random, address);
    // A legal update would be an edit of this document.
    return isLive ? frame.slice(0, frame.length - 1) : frame;
  }

  async #isAnswered(socket: WebSocket): Promise<boolean> {
    if (socket.readyState === WebSocket.CLOSED) return true;
    return await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), ANSWER_MS);
      const heard = (): void => {
        clearTimeout(timer);
        resolve(true);
      };
      socket.once('pong', heard);
      socket.once('close', heard);
      if (socket.readyState === WebSocket.OPEN) socket.ping();
    });
  }

  async #dial(path: string): Promise<WebSocket> {
    const socket = new WebSocket(`${this.#base}${path}`, { perMessageDeflate: false });
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', (code) => {
      this.#sockets.delete(socket);
      this.#closes[code] = (this.#closes[code] ?? 0) + 1;
      if (!CLOSES.has(code)) this.#faults.push(`closed with ${code}`);
    });
    await once(socket, 'open');
    return socket;
  }

  /** All edits of the editors must be saved, and be in both documents. */
  async #settle(editors: readonly YjsEditor[]): Promise<void> {
    const texts = (): string[] => editors.map(({ doc }) => doc.getText('t').toString());
    const until = performance.now() + ANSWER_MS;
    const isSettled = (): boolean =>
      editors.every(({ unsaved }) => unsaved === 0) && new Set(texts()).size === 1;
    while (!isSettled() && performance.now() < until) await new Promise((look) => setTimeout(look, 10));
    if (!isSettled()) this.#faults.push('an edit of a Yjs client was not saved, or did not reach the other');
    const words = new Set(
      texts()[0]
        ?.split(';')
        .filter((word) => /^(path|address)-\d+$/.test(word)),
    );
    const made = editors.reduce((sum, { edits }) => sum + edits, 0);
    if (words.size !== made) this.#faults.push(`${made} edits were made, and ${words.size} are there`);
  }
}
