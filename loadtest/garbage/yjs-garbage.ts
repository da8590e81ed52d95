// The garbage run for the endpoints of Yjs providers: throwers send frames that are wrong, strange or too many to `/yjs` and
// `/hocuspocus`, while other clients edit there and over `/v1/socket`. The server must live, close with codes of the
// catalogue alone and keep within its memory, and no other client may notice. The frames are made in yjs-frames.ts.
import { WebSocket } from 'ws';
import type { Random } from '../clients/random-edits.ts';
import { type Summary, summarize } from '../statistics.ts';
import { ANSWER_MS, type GarbageOptions, type GarbageResult, GarbageScene, ORG } from './garbage-scene.ts';
import { YjsEditor } from './yjs-editor.ts';
import { type Address, auth, badFrame, oversize, step1 } from './yjs-frames.ts';

export interface YjsGarbageOptions extends Omit<GarbageOptions, 'tokens'> {
  readonly seconds: number;
}

export interface YjsGarbageResult extends GarbageResult {
  /** Time from edit to saved of the Yjs clients, milliseconds. */
  readonly editors: Summary;
}

/** Frames on one socket before the thrower waits for the server. */
const BURST = 40;
const EDIT_MS = 100;

export async function yjsGarbageRun(options: YjsGarbageOptions): Promise<YjsGarbageResult> {
  const run = new YjsGarbageRun(options);
  return await run.play();
}

class YjsGarbageRun {
  readonly #options: YjsGarbageOptions;
  readonly #scene: GarbageScene;
  readonly #random: Random;
  readonly #base: string;
  readonly #until: number;

  constructor(options: YjsGarbageOptions) {
    this.#options = options;
    this.#scene = new GarbageScene(options);
    this.#random = this.#scene.random;
    this.#base = options.url.replace(/\/v1\/socket$/, '');
    this.#until = performance.now() + options.seconds * 1000;
  }

  async play(): Promise<YjsGarbageResult> {
    const doc = `${ORG}/yjs-${Math.floor(this.#random() * 1e9)}`;
    const editors = [
      new YjsEditor('path', `${this.#base}/yjs/${doc}`, undefined),
      new YjsEditor('address', `${this.#base}/hocuspocus`, doc),
    ];
    try {
      const result = await this.#scene.play(() => this.#attack(editors, doc));
      return { ...result, editors: summarize(editors.flatMap(({ latencies }) => latencies)) };
    } finally {
      for (const editor of editors) editor.stop();
    }
  }

  async #attack(editors: readonly YjsEditor[], doc: string): Promise<void> {
    for (const editor of editors) await editor.start();
    const edits = setInterval(() => {
      for (const editor of editors) editor.edit();
    }, EDIT_MS);
    try {
      const { throwers } = this.#options;
      await Promise.all(Array.from({ length: throwers }, (_, index) => this.#thrower(index, doc)));
    } finally {
      clearInterval(edits);
    }
    await this.#settle(editors);
    for (const fault of editors.flatMap(({ faults }) => faults)) this.#scene.fault(fault);
    if (editors.every(({ latencies }) => latencies.length === 0))
      this.#scene.fault('the Yjs clients made no edit');
  }

  get #isOver(): boolean {
    return performance.now() >= this.#until || this.#scene.isOver;
  }

  /** Comes back after each close. One burst in four goes to the document of the Yjs editors, without legal updates. */
  async #thrower(index: number, live: string): Promise<void> {
    for (let round = 0; !this.#isOver; round++) {
      const isLive = round % 4 === 3;
      const doc = isLive ? live : `garbage/yjs-thrown-${index}`;
      const address = (index + round) % 2 === 0 ? undefined : doc;
      const socket = await this.#scene.dial(
        `${this.#base}${address === undefined ? `/yjs/${doc}` : '/hocuspocus'}`,
      );
      if (address !== undefined) socket.send(auth(address));
      if (this.#random() < 0.9) socket.send(step1(address, Uint8Array.of(0)));
      await this.#burst(socket, address, isLive);
      socket.terminate();
    }
  }

  async #burst(socket: WebSocket, address: Address, isLive: boolean): Promise<void> {
    for (let sent = 0; sent < BURST && socket.readyState === WebSocket.OPEN; sent++) {
      this.#scene.thrown += 1;
      socket.send(this.#frame(address, isLive), { binary: this.#random() >= 0.005 });
      // Lets answers arrive between the frames.
      if (sent % 8 === 7) await new Promise((resolve) => setImmediate(resolve));
    }
    await this.#scene.demandAnswer(socket, 'a burst');
  }

  #frame(address: Address, isLive: boolean): Uint8Array {
    if (this.#random() < 0.001) return oversize(address);
    const frame = badFrame(this.#random, address);
    // A legal update would be an edit of this document.
    return isLive ? frame.slice(0, frame.length - 1) : frame;
  }

  /** All edits of the editors must be saved, and be in both documents. */
  async #settle(editors: readonly YjsEditor[]): Promise<void> {
    const texts = (): string[] => editors.map(({ doc }) => doc.getText('t').toString());
    const until = performance.now() + ANSWER_MS;
    const isSettled = (): boolean =>
      editors.every(({ unsaved }) => unsaved === 0) && new Set(texts()).size === 1;
    while (!isSettled() && performance.now() < until) await new Promise((look) => setTimeout(look, 10));
    if (!isSettled()) this.#scene.fault('an edit of a Yjs client was not saved, or did not reach the other');
    const words = new Set(
      texts()[0]
        ?.split(';')
        .filter((word) => /^(path|address)-\d+$/.test(word)),
    );
    const made = editors.reduce((sum, { edits }) => sum + edits, 0);
    if (words.size !== made) this.#scene.fault(`${made} edits were made, and ${words.size} are there`);
  }
}
