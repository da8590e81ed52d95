// How statements of one node reach the memory database and their answers come back, with a network's and a
// process's faults: out of reach, slow, connections lost, the process stopped or gone. Knows no statements.
import { type EventListener, StoreUnavailable } from '../store.ts';

/** Where a connection is lost: the statement has not reached the database, or only its answer is lost. */
export type LostConnection = 'before-commit' | 'after-commit';

/** 'no-answers': statements arrive and take effect, answers do not come back. */
export type Reach = 'all' | 'none' | 'no-answers';

/** What a way needs to know of the database. */
export interface Server {
  readonly isAvailable: boolean;
  /** Rises when it restarts: connections from before are lost. */
  readonly generation: number;
  readonly timeline: number;
  delay(): Promise<void>;
  sleep(ms: number): Promise<void>;
}

/** The connection was lost; what became of the statement is unknown to whoever sent it. */
export class Lost extends Error {
  override name = 'Lost';
}

/** A partition shows as silence: this long, then the statement is given up. */
const ANSWER_TIMEOUT_MS = 10_000;

interface Sent {
  readonly generation: number;
  readonly loss: LostConnection | undefined;
}

interface Subscription {
  readonly listener: EventListener;
  tail: Promise<void>;
  missed: boolean;
}

type Life =
  | { readonly type: 'running' }
  | { readonly type: 'paused'; readonly holding: boolean; readonly resumed: Promise<void>; resume(): void }
  | { readonly type: 'gone' };

export class Way {
  readonly #server: Server;
  readonly #subscriptions = new Set<Subscription>();
  readonly #waiting = new Set<() => void>();
  #reach: Reach = 'all';
  #life: Life = { type: 'running' };
  #delay: (() => Promise<void>) | undefined;
  #loss: () => LostConnection | undefined = () => undefined;
  #lowestTimeline = 0;

  constructor(server: Server) {
    this.#server = server;
  }

  setReach(reach: Reach): void {
    this.#reach = reach;
    this.changed();
  }

  setDelay(delay: (() => Promise<void>) | undefined): void {
    this.#delay = delay;
  }

  setLoss(decide: () => LostConnection | undefined): void {
    this.#loss = decide;
  }

  refuseBelow(timeline: number): void {
    this.#lowestTimeline = Math.max(this.#lowestTimeline, timeline);
    this.changed();
  }

  pause(holding: boolean): void {
    if (this.#life.type !== 'running') return;
    let resume = (): void => undefined;
    const resumed = new Promise<void>((resolve) => {
      resume = resolve;
    });
    this.#life = { type: 'paused', holding, resumed, resume };
  }

  resume(): void {
    const life = this.#life;
    if (life.type !== 'paused') return;
    this.#life = { type: 'running' };
    life.resume();
  }

  /** No call of it settles any more. */
  crash(): void {
    this.#life = { type: 'gone' };
    this.#subscriptions.clear();
  }

  get isGone(): boolean {
    return this.#life.type === 'gone';
  }

  /** Both ways, at this moment. */
  get isWhole(): boolean {
    return this.#reaches && this.#reach === 'all';
  }

  /** Resolves when statements get through, or the signal says to give up. `answers`: also what comes back. */
  async reachable(signal: AbortSignal, answers: boolean): Promise<void> {
    while (!(answers ? this.isWhole : this.#reaches) && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  /** Something that statements wait for may have come about. */
  changed(): void {
    for (const subscription of this.#subscriptions) if (!this.isWhole) subscription.missed = true;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
    if (!this.isWhole) return;
    for (const subscription of this.#subscriptions) this.#tellGap(subscription);
  }

  /** A statement: there, done, and back. Throws Lost. */
  async exchange<T>(statement: () => T | Promise<T>): Promise<T> {
    const sent = await this.send();
    const result = await statement();
    await this.answer(sent);
    return result;
  }

  /** As exchange, once more after a lost connection: for statements that are harmless when run twice. */
  async call<T>(name: string, statement: () => T | Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.exchange(statement);
      } catch (error) {
        if (!(error instanceof Lost)) throw error;
        if (attempt === 2) throw new StoreUnavailable(`${name}: ${error.message}`);
      }
    }
  }

  async send(): Promise<Sent> {
    if (this.#life.type !== 'paused' || !this.#life.holding) await this.awake();
    await this.#travel();
    if (!this.#reaches) {
      if (this.#server.isAvailable && this.#reach === 'none') await this.#server.sleep(ANSWER_TIMEOUT_MS);
      throw new Lost('the database is out of reach');
    }
    const loss = this.#loss();
    if (loss === 'before-commit') throw new Lost('the connection was lost');
    return { generation: this.#server.generation, loss };
  }

  /** A statement that holds locks runs; half sent by a stopped process it does not end. */
  async execute(): Promise<void> {
    await this.#travel();
    while (this.#life.type === 'paused' && this.#life.holding) await this.#life.resumed;
  }

  async answer({ generation, loss }: Sent): Promise<void> {
    await this.#travel();
    await this.awake();
    if (loss !== undefined || generation !== this.#server.generation)
      throw new Lost('the connection was lost');
    if (this.isWhole) return;
    if (this.#server.isAvailable) await this.#server.sleep(ANSWER_TIMEOUT_MS);
    throw new Lost('no answer');
  }

  /** Resolves while the process runs: one that is stopped notices nothing. */
  async awake(): Promise<void> {
    while (this.#life.type === 'paused') await this.#life.resumed;
    // One of its own: a promise that lives on would keep whoever waits for it.
    if (this.#life.type === 'gone') await new Promise<never>(() => undefined);
  }

  subscribe(listener: EventListener): () => void {
    const subscription: Subscription = { listener, tail: Promise.resolve(), missed: false };
    this.#subscriptions.add(subscription);
    return () => {
      this.#subscriptions.delete(subscription);
    };
  }

  /** undefined: an event that was too long. */
  publish(event: string | undefined): void {
    for (const subscription of this.#subscriptions) {
      if (!this.isWhole) subscription.missed = true;
      else {
        this.#tell(subscription, ({ onEvent, onGap }) => (event === undefined ? onGap() : onEvent(event)));
      }
    }
  }

  /** Connections are lost, and made again if the database can be reached. */
  reconnect(): void {
    for (const subscription of this.#subscriptions) subscription.missed = true;
    this.changed();
  }

  #tellGap(subscription: Subscription): void {
    if (!subscription.missed) return;
    subscription.missed = false;
    this.#tell(subscription, ({ onGap }) => onGap());
  }

  #tell(subscription: Subscription, tell: (listener: EventListener) => void): void {
    const { listener } = subscription;
    subscription.tail = subscription.tail.then(async () => {
      await this.#travel();
      await this.awake();
      if (!this.#subscriptions.has(subscription)) return;
      if (this.isWhole) {
        tell({
          onEvent: (event) => listener.onEvent(event),
          onGap: () => listener.onGap(),
        });
      } else subscription.missed = true;
    });
  }

  get #reaches(): boolean {
    return (
      this.#server.isAvailable && this.#reach !== 'none' && this.#server.timeline >= this.#lowestTimeline
    );
  }

  #travel(): Promise<void> {
    return this.#delay ? this.#delay() : this.#server.delay();
  }
}
