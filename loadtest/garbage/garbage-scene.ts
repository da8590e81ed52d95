// The scene of every garbage run: bystanders who edit, the memory of the server, the sockets of the throwers, and the
// list of everything that must not happen. A run adds the garbage that it throws.
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { CLOSE_CODES } from '../../protocol/errors.ts';
import { Bystanders } from '../clients/bystanders.ts';
import { type Random, seededRandom } from '../clients/random-edits.ts';
import { lasted } from '../command-line/command.ts';
import { type Summary, summarize } from '../statistics.ts';
import { type GarbageMemory, memoryOf, wrongMemory } from './garbage-memory.ts';
import type { GarbageTokens } from './garbage-tokens.ts';

export interface GarbageOptions {
  /** `ws://host:port/v1/socket` */
  readonly url: string;
  /** Number of clients that throw at once. */
  readonly throwers: number;
  readonly seed: number;
  /** Tokens for a server that demands them; undefined for one at which everyone is an owner. */
  readonly tokens?: GarbageTokens;
  /** Returns the resident bytes of the server; undefined if its memory is not watched. */
  readonly memory?: () => Promise<number>;
  /** Whether the memory must have stopped growing in the later half of a long run. */
  readonly demandsFlat?: boolean;
  /** Aborted: the run ends early, and judges what there was. */
  readonly signal?: AbortSignal;
}

export interface GarbageResult {
  /** Frames, or requests. */
  readonly thrown: number;
  /** The server's answers by code, and its closes by code. */
  readonly answers: Readonly<Record<string, number>>;
  readonly closes: Readonly<Record<string, number>>;
  /** Everything that must not happen. Empty if the run passed. */
  readonly faults: readonly string[];
  /** Time from edit to commit of the bystanders, milliseconds. */
  readonly bystanders: Summary;
  readonly memory: GarbageMemory | undefined;
}

/** The organisation of all documents of a run. */
export const ORG = 'garbage';
/** A server hangs when it neither answers nor closes for this long. */
export const ANSWER_MS = 30_000;
const MEMORY_MS = 200;
/** Faults that are kept. A server that is wrong once is often wrong each time. */
const MOST_FAULTS = 200;
const CLOSES: ReadonlySet<number> = new Set([1002, 1006, 1007, ...Object.values(CLOSE_CODES)]);

export class GarbageScene {
  readonly random: Random;
  readonly bystanders: Bystanders;
  readonly answers: Record<string, number> = {};
  thrown = 0;
  readonly #options: GarbageOptions;
  readonly #closes: Record<string, number> = {};
  readonly #faults: string[] = [];
  readonly #sockets = new Set<WebSocket>();
  #faultCount = 0;
  #isEnded = false;

  constructor(options: GarbageOptions) {
    const { url, seed, tokens } = options;
    this.#options = options;
    this.random = seededRandom(seed);
    this.bystanders = new Bystanders(url, ORG, this.random, tokens?.bystander);
  }

  /** True once the throwers have to stop. */
  get isOver(): boolean {
    return this.#isEnded || this.#options.signal?.aborted === true;
  }

  fault(text: string): void {
    this.#faultCount += 1;
    if (this.#faults.length < MOST_FAULTS) this.#faults.push(text);
  }

  /** Runs the throwers beside the bystanders, and judges. `attack` resolves when all is thrown. */
  async play(attack: () => Promise<void>): Promise<GarbageResult> {
    const { memory, demandsFlat } = this.#options;
    const began = performance.now();
    const resident: number[] = [(await memory?.()) ?? 0];
    const look = async (): Promise<void> => {
      if (memory !== undefined) resident.push(await memory());
    };
    // A server that has ended has no memory; the run finds that out by itself.
    const watch = setInterval(() => void look().catch(() => undefined), MEMORY_MS);
    const { bystanders } = this;
    try {
      await bystanders.start();
      await attack();
      await this.#stopBystanders();
      await look();
      const used = memoryOf(resident);
      const tookMs = performance.now() - began;
      for (const fault of wrongMemory(used, demandsFlat === true ? tookMs : undefined)) this.fault(fault);
      for (const fault of await bystanders.faults()) this.fault(fault);
      if (this.thrown === 0) this.fault('nothing was thrown');
      if (bystanders.latencies.length === 0) this.fault('the bystanders made no edit');
      const more = this.#faultCount - this.#faults.length;
      return {
        thrown: this.thrown,
        answers: this.answers,
        closes: this.#closes,
        faults: more === 0 ? this.#faults : [...this.#faults, `and ${more} more`],
        bystanders: summarize(bystanders.latencies),
        memory: memory === undefined ? undefined : used,
      };
    } finally {
      clearInterval(watch);
      this.#isEnded = true;
      for (const socket of this.#sockets) socket.terminate();
      bystanders.close();
    }
  }

  /** A bystander that has lost its document waits for ever for the answer to its last edit. */
  async #stopBystanders(): Promise<void> {
    const patience = new AbortController();
    const stopped = this.bystanders.stop().then(() => true);
    const late = lasted(ANSWER_MS, patience.signal).then(() => false);
    const isStopped = await Promise.race([stopped, late]);
    patience.abort();
    if (!isStopped) this.fault('edits of the bystanders have no answer');
  }

  count(answer: string): void {
    this.answers[answer] = (this.answers[answer] ?? 0) + 1;
  }

  /** A WebSocket of the run. It must be closed with a code of the catalogue, if it is closed. */
  async dial(url: string, subprotocols: readonly string[] = []): Promise<WebSocket> {
    const socket = new WebSocket(url, [...subprotocols], { perMessageDeflate: false });
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', (code) => {
      this.#sockets.delete(socket);
      this.#closes[code] = (this.#closes[code] ?? 0) + 1;
      if (!CLOSES.has(code)) this.fault(`closed with ${code}`);
    });
    await once(socket, 'open');
    return socket;
  }

  /** The server must answer a ping that stands behind all frames, or close. */
  async demandAnswer(socket: WebSocket, what: string): Promise<void> {
    if (!(await isHeard(socket, ['pong', 'close'], () => socket.ping()))) this.fault(`no answer to ${what}`);
  }

  /** The server must close the socket. */
  async demandClose(socket: WebSocket, fault: string): Promise<void> {
    if (!(await isHeard(socket, ['close'], () => socket.resume()))) this.fault(fault);
  }
}

/** Whether the socket is closed, or has one of the events in time after `ask`. */
async function isHeard(
  socket: WebSocket,
  events: readonly ('pong' | 'close')[],
  ask: () => void,
): Promise<boolean> {
  if (socket.readyState === WebSocket.CLOSED) return true;
  return await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), ANSWER_MS);
    const heard = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    for (const event of events) socket.once(event, heard);
    if (socket.readyState === WebSocket.OPEN) ask();
  });
}
