// Faults of worker threads that die: once, and at the same document again and again. For nodes whose workers
// run with test/support/faulty-worker.ts.
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BareClient } from '../../clients/bare-client.ts';
import type { Scene } from '../chaos-scene.ts';
import type { Fault } from './fault.ts';

const QUARANTINED_MS = 30_000;
/** Time in which no further worker may die. */
const LATER_MS = 10_000;

export const workerKilled: Fault = {
  name: 'worker-killed',
  cluster: 'faulty',
  run: async (scene) => {
    for (let round = 0; round < scene.rounds; round++) {
      await scene.calm();
      const { client, document } = await victim(scene, `once-${round}`);
      const owner = await ownerOf(scene, document.doc);
      const before = await scene.database.fences();
      await scene.strikes('a worker dies', owner);
      const done = join(tmpdir(), `troupe-kill-${crypto.randomUUID()}`);
      const seq = document.submit([{ insert: `KILL-ONCE ${done}` }]);
      const { fate } = await document.decided(seq);
      await rm(done, { force: true });
      const { workers } = await scene.database.fences();
      scene.demand(workers > before.workers, 'a worker died');
      scene.demand(fate.type === 'ok', `the edit at which it died is committed by the next: ${fate.type}`);
      await scene.calm();
      client.stop();
    }
    await scene.healed();
  },
};

export const poison: Fault = {
  name: 'poison',
  cluster: 'faulty',
  run: async (scene) => {
    const { database } = scene;
    await scene.calm();
    const { client, document } = await victim(scene, 'poison');
    const before = await database.fences();
    await scene.strikes('a document kills its worker');
    document.submit([{ insert: 'KILL' }]);
    await scene.until('it is quarantined', QUARANTINED_MS, () => client.errors.has('unavailable'));
    const then = await database.fences();
    await scene.lasts(LATER_MS);
    const later = await database.fences();
    scene.say(
      `  workers died ${then.workers - before.workers} times, then ${later.workers - then.workers} times`,
    );
    scene.demand(later.workers - then.workers === 0, 'no worker dies of it any more');
    client.stop();
    await scene.calm();
    await scene.healed();
  },
};

async function victim(scene: Scene, name: string) {
  const { client, org } = { client: `${scene.org}-${name}-client`, org: scene.org };
  const bare = new BareClient({
    url: scene.cluster.node(2).process.socketUrl,
    client,
    encoding: 'json',
    random: Math.random,
  });
  await bare.connect();
  const document = bare.open(`${org}/${name}`, { kind: 'rich-text' });
  await document.opened();
  return { client: bare, document };
}

async function ownerOf(scene: Scene, doc: string) {
  const name = (await scene.database.ownersOf(scene.org)).get(doc);
  const node = scene.cluster.nodes.find((each) => each.name === name);
  if (node === undefined) throw new Error(`${doc} has no owner`);
  return node;
}
