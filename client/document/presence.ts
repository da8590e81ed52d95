// Presence of one document: others' states as the server sends them, and this client's own state, sent no
// faster than the server takes it. Owns neither the subscription nor the meaning of the states.
import { equal } from '../../kinds/json/value.ts';
import type { Json, PresenceOut } from '../../protocol/messages.ts';
import type { Presence, PresenceEvents } from '../api.ts';
import type { SendResult } from '../connection/connection.ts';
import { Emitter } from '../emitter.ts';
import { TroupeError } from '../errors.ts';
import type { Platform, Timer } from '../platform.ts';

export interface PresenceHost {
  readonly platform: Platform;
  readonly doc: string;
  /** Whether presence may be sent now: subscribed, and the role allows it. */
  allowed(): boolean;
  presenceBytes(): number;
  /** 0 if a presence may be sent now, or the milliseconds until one may. */
  takePresence(): number;
  send(message: PresenceOut): SendResult;
  /** The value to send for the state that the application set; undefined if there is nothing to send. */
  outgoing(own: Json): Json;
}

/** Marks the errors that answer presence, which is best effort. */
const REQUEST_ID = 'presence';
const utf8 = new TextEncoder();

export class PresenceChannel implements Presence {
  readonly #host: PresenceHost;
  readonly #events = new Emitter<PresenceEvents>();
  /** Never altered: each change makes a new map. */
  #states: ReadonlyMap<string, Json> = new Map();
  #own: Json = null;
  /** Whether the value to send differs from the value sent last. */
  #due = false;
  /** Whether a state was sent on this subscription, so that `null` removes something. */
  #shown = false;
  #timer: Timer | undefined;

  constructor(host: PresenceHost) {
    this.#host = host;
  }

  get states(): ReadonlyMap<string, Json> {
    return this.#states;
  }
  get own(): Json {
    return this.#own;
  }

  on<Name extends keyof PresenceEvents>(
    name: Name,
    listener: (event: PresenceEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener);
  }

  set(data: Json): void {
    const bytes = utf8.encode(JSON.stringify(data)).length;
    const most = this.#host.presenceBytes();
    if (bytes > most)
      throw new TroupeError('too-large', `presence of ${bytes} bytes is above the limit of ${most}`);
    this.#own = data;
    this.touch();
  }

  /** Notes that the value to send has changed. */
  touch(): void {
    this.#due = true;
    this.flush();
  }

  /** The document is subscribed: takes the others' states, and sends the own state again. */
  opened(others: Record<string, unknown>): void {
    const changed = new Map<string, Json>();
    for (const client of this.#states.keys()) changed.set(client, null);
    for (const [client, data] of Object.entries(others)) changed.set(client, data as Json);
    this.#merge(changed);
    this.#due = true;
    this.flush();
  }

  received(states: Record<string, unknown>): void {
    this.#merge(new Map(Object.entries(states) as [string, Json][]));
  }

  /** The subscription is gone: no presence can be sent. */
  down(): void {
    this.#clearTimer();
    this.#shown = false;
    this.#merge(new Map([...this.#states.keys()].map((client) => [client, null])));
  }

  flush(): void {
    if (!this.#due || this.#timer !== undefined || !this.#host.allowed()) return;
    const data = this.#host.outgoing(this.#own);
    if (data === null && !this.#shown) {
      this.#due = false;
      return;
    }
    const wait = this.#host.takePresence();
    if (wait > 0) {
      this.#timer = this.#host.platform.setTimer(() => {
        this.#timer = undefined;
        this.flush();
      }, wait);
      return;
    }
    if (this.#host.send({ type: 'presence', doc: this.#host.doc, data, id: REQUEST_ID }) !== 'sent') return;
    this.#due = false;
    this.#shown = data !== null;
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#host.platform.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  #merge(told: ReadonlyMap<string, Json>): void {
    const states = new Map(this.#states);
    const changed = new Map<string, Json>();
    for (const [client, data] of told) {
      if (equal(states.get(client) ?? null, data ?? null)) continue;
      changed.set(client, data ?? null);
      if (data === null || data === undefined) states.delete(client);
      else states.set(client, data);
    }
    if (changed.size === 0) return;
    this.#states = states;
    this.#events.emit('change', changed);
  }
}
