// The run of stock-editors.long.ts, short.
import { test } from 'node:test';
import { STOCK_PACKAGES } from '../support/stock-providers.ts';
import { closingInReverse } from './failover-load.ts';
import { startServices } from './services.ts';
import { stockRun } from './stock-editors.ts';

/** One of each protocol, of the versions that are used most. */
const PACKAGES = ['y-websocket 3', '@hocuspocus/provider 3.4'];

test('stock providers of Yjs and the SDK stay equal through drops and kill -9 of a node, and what they called saved survives the end of all nodes', async (t) => {
  await stockRun({
    services: await startServices(closingInReverse(t)),
    packages: STOCK_PACKAGES.filter(({ name }) => PACKAGES.includes(name)),
    nodes: 2,
    each: 1,
    faults: ['kill-node'],
    editMs: 500,
    seed: 1,
    tell: (line) => t.diagnostic(line),
  });
});
