// The events of one node: it tells what is due, serves its readers, and sends webhooks. It stops in reverse order.
import { systemClock } from '../../actors/clock.ts';
import type { ThreadCounts } from '../../actors/metrics/thread-counts.ts';
import type { PostgresStoreOptions } from '../../actors/storage/store-postgres.ts';
import { createEventStore } from '../../actors/storage/store-postgres.ts';
import type { Config } from '../../config/schema.ts';
import { Feed } from './feed.ts';
import { tellNowAndThen } from './telling.ts';
import { systemResolve } from './webhooks/addresses.ts';
import { sendWebhooks } from './webhooks/webhooks.ts';

export interface EventsOptions {
  readonly config: Pick<Config, 'events' | 'webhooks'>;
  readonly storage: PostgresStoreOptions;
  readonly counts: ThreadCounts;
  readonly log: (level: 'warn' | 'error', message: string, fields: object) => void;
}

export interface Events {
  readonly feed: Feed;
  stop(): Promise<void>;
}

/**
 * Undefined where events are switched off. When it resolves, every endpoint of the configuration is told of the changes
 * from then on. Rejects if PostgreSQL does not answer.
 */
export async function startEvents({
  config,
  storage,
  counts,
  log,
}: EventsOptions): Promise<Events | undefined> {
  const { events, webhooks } = config;
  if (!events.enabled) return undefined;
  const store = createEventStore(storage);
  const clock = systemClock;
  const feed = new Feed(store, clock);
  const endpoints = webhooks.endpoints.map(({ name }) => name);
  try {
    for (const endpoint of endpoints) await store.addEndpoint(endpoint);
  } catch (error) {
    await store.close();
    throw error;
  }
  const stopTelling = tellNowAndThen({
    ...{ store, clock, counts, log, endpoints, keepMs: events.keepMs },
    onTold: feed.look,
  });
  const { secret } = webhooks;
  const stopSending =
    secret === null
      ? async () => undefined
      : sendWebhooks({
          ...{ ...webhooks, secret, store, clock, counts, log },
          random: Math.random,
          resolve: systemResolve,
          time: Date.now,
        });
  return {
    feed,
    stop: async () => {
      stopTelling();
      feed.close();
      await stopSending();
      await store.close();
    },
  };
}
