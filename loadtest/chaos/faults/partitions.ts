// Faults of the network: it silently loses data between nodes, between a node and its database, in one
// direction, or all around a node.
import type { ChaosNode } from '../chaos-cluster.ts';
import type { Scene } from '../chaos-scene.ts';
import type { Fault } from './fault.ts';

const LASTS_MS = 20_000;
const BACK_MS = 30_000;
const BOTH = { up: true, down: true };

/** A node and the others do not hear each other; all of them reach the database and Redis. */
export const partitionNodes: Fault = partition(
  'partition-nodes',
  'a node is cut off from the others',
  (scene, node) => {
    for (const other of scene.cluster.nodes) {
      if (other === node) continue;
      scene.cluster.lose(node, other);
      scene.cluster.lose(other, node);
    }
  },
);

/** One node does not hear another, which hears it. */
export const partitionOneWay: Fault = partition(
  'partition-one-way',
  'a node is not heard by another',
  (scene, node) => scene.cluster.lose(node, scene.cluster.node(scene.cluster.nodes.indexOf(node) + 1)),
);

/** The other nodes hear it, but it does not reach the database. */
export const partitionDatabase: Fault = partition(
  'partition-database',
  'a node is cut off from PostgreSQL',
  (_, node) => node.storage?.lose(BOTH),
);

/** Its statements arrive; their answers do not. */
export const partitionAnswers: Fault = partition(
  'partition-answers',
  "PostgreSQL's answers to a node are lost",
  (_, node) => node.storage?.lose({ up: false, down: true }),
);

/** Its connections to the database are refused. */
export const databaseRefused: Fault = partition(
  'database-refused',
  'PostgreSQL refuses a node',
  (_, node) => node.storage?.refuse(),
  (_, node) => node.storage?.accept(),
);

/** The node is cut off completely, as if its cable had been pulled. */
export const cutOff: Fault = partition('cut-off', 'a node hears nobody', (scene, node) => {
  for (const other of scene.cluster.nodes) {
    if (other === node) continue;
    scene.cluster.lose(node, other);
    scene.cluster.lose(other, node);
  }
  node.storage?.lose(BOTH);
  node.redis?.lose(BOTH);
});

function partition(
  name: string,
  what: string,
  begin: (scene: Scene, node: ChaosNode) => unknown,
  end: (scene: Scene, node: ChaosNode) => unknown = () => undefined,
): Fault {
  return {
    name,
    cluster: 'proxied',
    run: async (scene) => {
      const { database } = scene;
      await scene.calm();
      const node = await scene.owner();
      const sessions = await database.openSessions(node.name);
      await scene.strikes(what, node);
      await begin(scene, node);
      await scene.lasts(LASTS_MS);
      const isFenced = await database.areFenced(sessions);
      const rows = isFenced ? await database.rowsOf(sessions) : undefined;
      scene.say(`  the node is ${isFenced ? 'fenced' : 'not fenced'} when the cut ends`);
      scene.over();
      await scene.strikes(`${what}: it is over`);
      await end(scene, node);
      scene.cluster.mend();
      const backMs = await scene.until('all clients are back', BACK_MS, () => scene.load.isOpen());
      scene.say(`  all clients had their documents open ${Math.round(backMs)} ms after its end`);
      await scene.calm();
      if (rows !== undefined) {
        const after = await database.rowsOf(sessions);
        scene.demand(after === rows, `no row of a fenced session: ${rows} at the end of it, ${after} later`);
      }
      await scene.healed();
    },
  };
}
