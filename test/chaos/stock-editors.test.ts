// The run of stock-editors.long.ts, short.
import { test } from 'node:test';
import { closingInReverse } from './failover-load.ts';
import { startServices } from './services.ts';
import { stockRun } from './stock-editors.ts';

test('stock providers of Yjs and the SDK stay equal through drops and kill -9 of a node, and what they called saved survives the end of all nodes', async (t) => {
  await stockRun({
    services: await startServices(closingInReverse(t)),
    each: 1,
    faults: ['kill-node'],
    editMs: 1000,
    seed: 1,
    tell: (line) => t.diagnostic(line),
  });
});
