// Sends messages to the receivers of the configuration. Every node does; each message is taken by one node at a time, for
// longer than a request may take, so that another node sends it if this one dies. Messages of one document go one after the
// other. A receiver that does not confirm gets the message again, later and later, until it is parked.
import type { Clock } from '../../../actors/clock.ts';
import { METRICS } from '../../../actors/metrics/metrics.ts';
import type { ThreadCounts } from '../../../actors/metrics/thread-counts.ts';
import type { EventStore, WebhookMessage } from '../../../actors/storage/event-store.ts';
import { byOne } from '../feed.ts';
import { bodyOf, type PostOptions, post } from './post.ts';

export interface Endpoint {
  readonly name: string;
  readonly url: string;
  /** `org/doc`, or `org/prefix*`. Undefined: all documents. */
  readonly match?: readonly string[];
}

export interface WebhooksOptions extends Omit<PostOptions, 'secret' | 'signal'> {
  readonly endpoints: readonly Endpoint[];
  readonly secret: string;
  readonly retryForMs: number;
  readonly store: EventStore;
  readonly clock: Clock;
  readonly random: () => number;
  readonly counts: ThreadCounts;
  readonly log: (level: 'warn' | 'error', message: string, fields: object) => void;
}

/** How often an endpoint looks for new events and due messages. */
const LOOK_MS = 250;
/** Requests of one endpoint and node at a time. */
const AT_ONCE = 8;
/** Beyond the time of a request, until another node takes its message. */
const LEASE_SPARE_MS = 5_000;
const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_MOST_MS = 10 * 60_000;
/** Statements that make messages, in one look. */
const QUEUE_ROUNDS = 20;

/**
 * Sends until the returned function is called. It gives up the requests that are under way, whose messages are sent again
 * by another node or by the next start, and resolves when none is left.
 */
export function sendWebhooks(options: WebhooksOptions): () => Promise<void> {
  const stopping = new AbortController();
  const receivers = options.endpoints.map((endpoint) => new Receiver(endpoint, options, stopping.signal));
  const stops = receivers.map((receiver) => options.clock.every(LOOK_MS, () => receiver.look()));
  return async () => {
    for (const stop of stops) stop();
    stopping.abort();
    await Promise.all(receivers.map((receiver) => receiver.settled()));
  };
}

class Receiver {
  readonly #endpoint: Endpoint;
  readonly #options: WebhooksOptions;
  readonly #likes: readonly string[];
  readonly #underWay = new Set<Promise<void>>();
  readonly #stopping: AbortSignal;
  #looking: Promise<void> | undefined;
  #hasFailed = false;

  constructor(endpoint: Endpoint, options: WebhooksOptions, stopping: AbortSignal) {
    this.#endpoint = endpoint;
    this.#options = options;
    this.#stopping = stopping;
    this.#likes = (endpoint.match ?? ['*']).map(likeOf);
  }

  look(): void {
    if (this.#stopping.aborted || this.#looking !== undefined || this.#underWay.size >= AT_ONCE) return;
    this.#looking = this.#look()
      .then(
        () => {
          this.#hasFailed = false;
        },
        (err: unknown) => {
          const { log } = this.#options;
          if (!this.#hasFailed)
            log('warn', 'messages of a webhook could not be read', { endpoint: this.#endpoint.name, err });
          this.#hasFailed = true;
        },
      )
      .finally(() => {
        this.#looking = undefined;
      });
  }

  async settled(): Promise<void> {
    await this.#looking;
    await Promise.all(this.#underWay);
  }

  async #look(): Promise<void> {
    const { store, timeoutMs } = this.#options;
    const { name } = this.#endpoint;
    for (let round = 0; round < QUEUE_ROUNDS && (await store.queue(name, this.#likes)); round++);
    if (this.#stopping.aborted) return;
    const messages = await store.take(name, AT_ONCE - this.#underWay.size, timeoutMs + LEASE_SPARE_MS);
    for (const message of messages) {
      const sending = this.#send(message).catch((err: unknown) => {
        // It is sent again when its time with this node is over.
        this.#options.log('warn', 'the outcome of a webhook could not be kept', { endpoint: name, err });
      });
      this.#underWay.add(sending);
      void sending.finally(() => {
        this.#underWay.delete(sending);
        // The next message of the document need not wait.
        this.look();
      });
    }
  }

  async #send(message: WebhookMessage): Promise<void> {
    const { store, secret, counts, random, retryForMs } = this.#options;
    const { name, url } = this.#endpoint;
    const { type, org, name: document, doc, since, version, by, at } = message;
    const users = type === 'changed' ? await store.usersOf(doc, since, version) : byOne(by);
    const body = bodyOf({ type, doc: `${org}/${document}`, version, users, at });
    try {
      const options = { ...this.#options, secret, signal: this.#stopping };
      await post(new URL(url), `${name}-${message.event}`, body, options);
    } catch (error) {
      const problem = (error instanceof Error ? error.message : String(error)).slice(0, 200);
      counts.countAs(METRICS.webhooks, 'failed');
      const most = Math.min(BACKOFF_MOST_MS, BACKOFF_FIRST_MS * 2 ** Math.min(message.attempts - 1, 20));
      const againMs = most * (0.5 + random() / 2);
      const isParked = await store.failed(name, message, { problem, againMs, retryForMs });
      if (isParked) {
        counts.countAs(METRICS.webhooks, 'parked');
        this.#options.log('error', 'a webhook is parked: its receiver has not confirmed it in time', {
          endpoint: name,
          event: message.event,
          problem,
        });
      }
      return;
    }
    counts.countAs(METRICS.webhooks, 'delivered');
    await store.delivered(name, message);
  }
}

/** A pattern of documents as a pattern of LIKE. */
function likeOf(match: string): string {
  const escaped = match.replace(/[\\%_]/g, '\\$&');
  return escaped.endsWith('*') ? `${escaped.slice(0, -1)}%` : escaped;
}
