// The fault of a rolling restart: nodes are restarted one after the other, each by SIGTERM and a new process.
// It restarts as many as there are rounds.
import type { Fault } from './fault.ts';

/**
 * The largest share of the sockets that a node may have afterwards, relative to its own share: the promise of
 * `cluster.balanceClients`, plus the few clients that it leaves.
 */
const MOST_SOCKETS = 1.2;
const FEW = 6;
const SPREAD_MS = 60_000;

export const rollingRestart: Fault = {
  name: 'rolling-restart',
  cluster: 'plain',
  pauseBound: { of: 'max', ms: 250 },
  run: async (scene) => {
    const { cluster, load } = scene;
    await scene.calm();
    for (const node of cluster.nodes.slice(0, scene.rounds)) {
      await scene.strikes('rolling restart');
      const began = performance.now();
      const code = await node.process.stop();
      scene.say(`  ${node.name} stopped with ${code} after ${Math.round(performance.now() - began)} ms`);
      scene.demand(code === 0, `${node.name} exits with 0, not ${code}`);
      await node.process.restart();
      await scene.hasShards();
    }
    scene.say(`  sockets: ${load.sockets().join(', ')}`);
    const tookMs = await scene.until('sockets are spread', SPREAD_MS, () => {
      const sockets = load.sockets();
      const mean = sockets.reduce((sum, count) => sum + count, 0) / sockets.length;
      return load.isOpen() && Math.max(...sockets) <= mean * MOST_SOCKETS + FEW;
    });
    scene.say(`  sockets after ${Math.round(tookMs)} ms: ${load.sockets().join(', ')}`);
  },
};
