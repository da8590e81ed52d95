// The presence of one document, as readers that speak a protocol of Yjs know it: states by the numbers of Yjs clients, each
// with a clock. It keeps what its readers have been told, the numbers that are gone included, so that it can tell a client
// that speaks of itself from one that repeats what it was told. It sends nothing.
//
// A Yjs client brings its number and its clock with each state, and both are passed on, because tabs of one browser tell
// them each other too. A client of the contract gets a number that its id gives, and clocks by this node's time: they are
// greater than those of another node that told of it before.
import { createHash } from 'node:crypto';
import { markOf, stateText } from '../../actors/link/presence-text.ts';
import type { AwarenessState } from './wire/awareness.ts';

interface Known {
  /** The client of the contract. */
  readonly client: string;
  readonly clock: number;
  /** JSON text. Null if the client is gone. */
  readonly text: string | null;
  /** The clock is made here. */
  readonly isPlain: boolean;
}

/** Numbers of clients that are gone which are kept. Past it the one that has been gone for longest is forgotten. */
const MOST_GONE = 1024;

export class ChannelAwareness {
  readonly #time: () => number;
  /** By number. */
  readonly #known = new Map<number, Known>();
  /** The number of each client of the contract that is here. */
  readonly #numbers = new Map<string, number>();
  /** In the order in which they went. */
  readonly #gone = new Set<number>();
  #lastClock = 0;
  /** Clients of the contract that are here. */
  #plain = 0;
  /** A timer runs after which they are told again. */
  isRenewed = false;

  /** `time`: ms since 1970. */
  constructor(time: () => number) {
    this.#time = time;
  }

  /** True if there are states that have to be told again and again, because their clients do not. */
  get hasPlain(): boolean {
    return this.#plain > 0;
  }

  /** Takes changes: client, text or null, client, … Returns what readers have to be told. */
  take(changes: readonly (string | null)[]): readonly AwarenessState[] {
    const told: AwarenessState[] = [];
    for (let at = 0; at < changes.length; at += 2) {
      const client = changes[at] ?? '';
      const text = changes[at + 1] ?? null;
      if (text === null) this.#leave(client, told);
      else this.#set(client, text, told);
    }
    return told;
  }

  /** The states of all clients that are here. */
  all(): readonly AwarenessState[] {
    return [...this.#numbers.values()].flatMap((yjsClient) => this.#stateOf(yjsClient) ?? []);
  }

  /** The present states of the clients among these changes, which are as those of `take`. */
  of(changes: readonly (string | null)[]): readonly AwarenessState[] {
    const clients = new Set(changes.filter((_, at) => at % 2 === 0));
    return [...this.#known].flatMap(([yjsClient, { client }]) =>
      clients.has(client) ? (this.#stateOf(yjsClient) ?? []) : [],
    );
  }

  /** The states of clients of the contract, with new clocks. A reader forgets a state that it has not been told for 30 s. */
  renewed(): readonly AwarenessState[] {
    const told: AwarenessState[] = [];
    for (const [client, yjsClient] of this.#numbers) {
      const known = this.#known.get(yjsClient);
      if (known?.isPlain !== true) continue;
      this.#known.set(yjsClient, { ...known, clock: this.#clock() });
      const state = this.#stateOf(yjsClient);
      if (state !== undefined && known.client === client) told.push(state);
    }
    return told;
  }

  /** True if this is not news: the state of this number is as new, whoever has it, or the number is gone since. */
  knows(yjsClient: number, clock: number): boolean {
    const known = this.#known.get(yjsClient);
    return known !== undefined && known.clock >= clock;
  }

  #set(client: string, text: string, told: AwarenessState[]): void {
    const mark = markOf(text);
    const yjsClient = mark?.yjsClient ?? numberOf(client);
    const known = this.#known.get(yjsClient);
    // Another client has the number, with a newer state: this one is about to go.
    if (mark !== undefined && known !== undefined && known.text !== null && known.client !== client)
      if (known.clock > mark.clock) return;
    if (this.#numbers.get(client) !== yjsClient) this.#leave(client, told);
    if (known !== undefined && known.client !== client && this.#numbers.get(known.client) === yjsClient)
      this.#forget(known.client);
    const isPlain = mark === undefined;
    if (isPlain && !this.#numbers.has(client)) this.#plain++;
    this.#gone.delete(yjsClient);
    this.#numbers.set(client, yjsClient);
    this.#known.set(yjsClient, {
      client,
      clock: mark?.clock ?? this.#clock(),
      text: stateText(text),
      isPlain,
    });
    const state = this.#stateOf(yjsClient);
    if (state !== undefined) told.push(state);
  }

  #leave(client: string, told: AwarenessState[]): void {
    const yjsClient = this.#numbers.get(client);
    const known = yjsClient === undefined ? undefined : this.#known.get(yjsClient);
    if (yjsClient === undefined || known === undefined) return;
    this.#forget(client);
    // A reader takes the end of a state also with the clock that the state had.
    this.#known.set(yjsClient, { ...known, text: null, clock: known.isPlain ? this.#clock() : known.clock });
    this.#gone.add(yjsClient);
    const [oldest] = this.#gone;
    if (this.#gone.size > MOST_GONE && oldest !== undefined) {
      this.#gone.delete(oldest);
      this.#known.delete(oldest);
    }
    const state = this.#stateOf(yjsClient);
    if (state !== undefined) told.push(state);
  }

  #forget(client: string): void {
    const yjsClient = this.#numbers.get(client);
    if (yjsClient === undefined) return;
    this.#numbers.delete(client);
    if (this.#known.get(yjsClient)?.isPlain === true) this.#plain--;
  }

  #stateOf(yjsClient: number): AwarenessState | undefined {
    const known = this.#known.get(yjsClient);
    return known && { yjsClient, clock: known.clock, text: known.text };
  }

  #clock(): number {
    this.#lastClock = Math.max(this.#lastClock + 1, this.#time());
    return this.#lastClock;
  }
}

/** The number of a client of the contract: the same on every node. */
const numberOf = (client: string): number => createHash('sha256').update(client).digest().readUInt32BE(0);
