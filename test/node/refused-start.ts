// A node that does not start, in the process of the test. The tests of the command line have the end of its process.
import assert from 'node:assert/strict';
import pino from 'pino';
import { StartError } from '../../config/fatal.ts';
import { loadConfig } from '../../config/load.ts';
import { explain } from '../../src/cli/failure.ts';
import { startNode } from '../../src/node.ts';

/**
 * Starts a node with this database and these settings (`key=value`), which has to fail. Returns the error that `troupe serve`
 * shows, and ends with its exit code.
 */
export async function refusedStart(databaseUrl: string, ...settings: string[]): Promise<StartError> {
  const config = loadConfig({ set: [`storage.url=${databaseUrl}`, 'listen.port=0', ...settings] });
  const starting = startNode(config, {
    log: pino({ level: 'silent' }),
    signal: new AbortController().signal,
  });
  const failure: unknown = await starting.then(
    async (node) => {
      await node.stop();
      return undefined;
    },
    (error) => explain(error) ?? error,
  );
  assert.ok(failure instanceof StartError, failure instanceof Error ? failure : 'it has started');
  return failure;
}
