// `troupe serve` for chaos runs. Its workers die of certain patches (faulty-worker.ts), or lack the guarantee
// that TROUPE_TEST_WITHOUT names (careless-worker.ts). On SIGUSR2 a turn of its main thread takes long.
import { loadConfig } from '../../config/load.ts';
import { parseCommand } from '../../src/cli/commands.ts';
import { serve } from '../../src/cli/serve.ts';
import { startNode } from '../../src/node.ts';

const SLOW_TURN_MS = 1_500;

const workerModule =
  process.env.TROUPE_TEST_WITHOUT === undefined
    ? new URL('../support/faulty-worker.js', import.meta.url)
    : new URL('./careless-worker.js', import.meta.url);
process.on('SIGUSR2', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SLOW_TURN_MS));
const command = parseCommand(process.argv.slice(2));
if (command.name !== 'serve') throw new Error('only serve');
process.exitCode = await serve(loadConfig({ ...command.sources, env: {} }), {
  startNode: (config, options) => startNode(config, { ...options, workerModule }),
});
