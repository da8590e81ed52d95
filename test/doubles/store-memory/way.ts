// The way of one node's statements to the memory database and of their answers back, with the faults of a
// network and of a process: out of reach, slow, connections lost, the process stopped or gone. Knows no
// statements.
import { type EventListener, StoreUnavailable } from '../../../actors/storage/store.ts';

/**
 * The place at which a connection is lost: before the statement reaches the database, or when only its
 * answer is lost.
 */
export type LostConnection = 'before-commit' | 'after-commit';

/** 'no-answers': statements arrive and take effect, but answers do not come back. */
export type Reach = 'all' | 'none' | 'no-answers';

/** The facts about the database that a way needs. */
export interface Server {
  readonly isAvailable: boolean;
  /** Rises when the database restarts. Connections from before are lost. */
  readonly generation: number;
  readonly timeline: number;
  delay(): Promise<void>;
  sleep(ms: number): Promise<void>;
}

/** The connection was lost. The sender does not know whether the statement took effect. */
export class Lost extends Error {
  override name = 'Lost';
}

/** A partition shows as silence. A statement is given up after this long. */
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

  /** Ends the process. Its calls never settle. */
  crash(): void {
    this.#life = { type: 'gone' };
    this.#subscriptions.clear();
  }

  get isGone(): boolean {
    return this.#life.type === 'gone';
  }

  /** True if statements and answers get through at this moment. */
  get isWhole(): boolean {
    return this.#reaches && this.#reach === 'all';
  }

  /**
   * Resolves when statements get through, or when the signal aborts. With `answers`, answers must get
   * through too.
   */
  async reachable(signal: AbortSignal, answers: boolean): Promise<void> {
    while (!(answers ? this.isWhole : this.#reaches) && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  /** Wakes waiting statements, because a condition may have changed. */
  changed(): void {
    for (const subscription of this.#subscriptions) if (!this.isWhole) subscription.missed = true;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
    if (!this.isWhole) return;
    for (const subscription of this.#subscriptions) this.#tellGap(subscription);
  }

  /** Sends a statement, runs it, and brings its answer back. Throws Lost. */
  async exchange<T>(statement: () => T | Promise<T>): Promise<T> {
    const sent = await this.send();
    const result = await statement();
    await this.answer(sent);
    return result;
  }

  /**
   * Does the same as `exchange`, once more after a lost connection. For statements that are harmless when
   * run twice.
   */
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
    if (this.#life.type === 'gone' || (this.#life.type === 'paused' && !this.#life.holding))
      await this.awake();
    await this.#travel();
    if (!this.#reaches) {
      if (this.#server.isAvailable && this.#reach === 'none') await this.#server.sleep(ANSWER_TIMEOUT_MS);
      throw new Lost('the database is out of reach');
    }
    const loss = this.#loss();
    if (loss === 'before-commit') throw new Lost('the connection was lost');
    return { generation: this.#server.generation, loss };
  }

  /** The run of a statement that holds locks. A stopped process that has half sent it does not end it. */
  async execute(): Promise<void> {
    await this.#travel();
    while (this.#life.type === 'paused' && this.#life.holding) await this.#life.resumed;
  }

  async answer({ generation, loss }: Sent): Promise<void> {
    await this.#travel();
    if (this.#life.type !== 'running') await this.awake();
    if (loss !== undefined || generation !== this.#server.generation)
      throw new Lost('the connection was lost');
    if (this.isWhole) return;
    if (this.#server.isAvailable) await this.#server.sleep(ANSWER_TIMEOUT_MS);
    throw new Lost('no answer');
  }

  /** Resolves once the process runs. A stopped process notices nothing. */
  async awake(): Promise<void> {
    while (this.#life.type === 'paused') await this.#life.resumed;
    // Each call gets a promise of its own, because a shared one would keep all its waiters in memory.
    if (this.#life.type === 'gone') await new Promise<never>(() => undefined);
  }

  subscribe(listener: EventListener): () => void {
    const subscription: Subscription = { listener, tail: Promise.resolve(), missed: false };
    this.#subscriptions.add(subscription);
    return () => {
      this.#subscriptions.delete(subscription);
    };
  }

  /** Undefined stands for an event that was too long. */
  publish(event: string | undefined): void {
    for (const subscription of this.#subscriptions) {
      if (!this.isWhole) subscription.missed = true;
      else {
        this.#tell(subscription, ({ onEvent, onGap }) => (event === undefined ? onGap() : onEvent(event)));
      }
    }
  }

  /** Connections are lost, and are made again if the database can be reached. */
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
