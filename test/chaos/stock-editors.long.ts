// Every stock provider of Yjs with the SDK in one document, through every fault.
import { test } from 'node:test';
import { closingInReverse } from './failover-load.ts';
import { startServices } from './services.ts';
import { stockRun } from './stock-editors.ts';

test('all stock providers and the SDK stay equal through drops, kill -9 and restarts, and what they called saved survives the end of all nodes', async (t) => {
  await stockRun({
    services: await startServices(closingInReverse(t)),
    nodes: 3,
    each: 2,
    faults: [
      'drops',
      'kill-node',
      'kill-postgres',
      'rolling-restart',
      'kill-node',
      'kill-postgres',
      'rolling-restart',
      'drops',
    ],
    editMs: 5000,
    seed: Number(process.env.TROUPE_SEED ?? 1),
    tell: (line) => t.diagnostic(line),
  });
});
