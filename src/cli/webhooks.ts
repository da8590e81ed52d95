// `troupe webhooks list` and `troupe webhooks retry`: the messages that no receiver has confirmed.
import type { EventStore } from '../../actors/storage/event-store.ts';
import { createEventStore } from '../../actors/storage/store-postgres.ts';
import { EXIT, type ExitCode, StartError } from '../../config/fatal.ts';
import type { Config } from '../../config/schema.ts';
import { withCommandStorage } from './database.ts';
import { json, type Output, plural, table } from './output.ts';

/** Messages that are listed. */
const LISTED = 1_000;

export async function listWebhooks(
  config: Config,
  options: { readonly json: boolean },
  output: Output,
): Promise<ExitCode> {
  const messages = await withEvents(config, (store) => store.waiting(LISTED));
  if (options.json) output.stdout.write(json(messages));
  else if (messages.length === 0) output.stdout.write('No message waits.\n');
  else
    output.stdout.write(
      table([
        ['ENDPOINT', 'DOCUMENT', 'EVENT', 'VERSION', 'ATTEMPTS', 'STATE', 'PROBLEM'],
        ...messages.map(({ endpoint, org, name, type, version, attempts, parkedAt, nextAt, problem }) => [
          endpoint,
          `${org}/${name}`,
          type,
          version,
          attempts,
          parkedAt === null ? `next at ${nextAt}` : `parked at ${parkedAt}`,
          problem ?? '',
        ]),
      ]),
    );
  if (!options.json && messages.length === LISTED) output.stdout.write(`There may be more than ${LISTED}.\n`);
  return EXIT.ok;
}

export async function retryWebhooks(
  config: Config,
  options: { readonly endpoint: string | undefined },
  output: Output,
): Promise<ExitCode> {
  const { endpoint } = options;
  if (endpoint !== undefined && !config.webhooks.endpoints.some(({ name }) => name === endpoint))
    throw new StartError(
      config.webhooks.endpoints.length === 0
        ? 'the configuration has no endpoints'
        : `the configuration has no such endpoint, but ${config.webhooks.endpoints.map(({ name }) => name).join(', ')}`,
      { exitCode: EXIT.usage },
    );
  const count = await withEvents(config, (store) => store.retry(endpoint));
  output.stdout.write(`${plural(count, 'message')} will be sent again.\n`);
  return EXIT.ok;
}

function withEvents<T>(config: Config, work: (store: EventStore) => Promise<T>): Promise<T> {
  return withCommandStorage(config, async (storage) => {
    const store = createEventStore(storage);
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  });
}
