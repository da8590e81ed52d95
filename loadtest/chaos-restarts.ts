// Nodes are restarted one after the other, in good order: SIGTERM, and a new process. As many as there are rounds.
import type { Fault } from './chaos-fault.ts';

/** No node has more of the sockets afterwards. */
const MOST_SOCKETS = 0.75;

export const rollingRestart: Fault = {
  name: 'rolling-restart',
  cluster: 'plain',
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
    const sockets = load.sockets();
    const all = sockets.reduce((sum, count) => sum + count, 0);
    scene.say(`  sockets afterwards: ${sockets.join(', ')}`);
    scene.demand(Math.max(...sockets) <= all * MOST_SOCKETS, `sockets are spread: ${sockets.join(', ')}`);
  },
};
