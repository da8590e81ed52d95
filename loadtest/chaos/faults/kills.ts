// Faults of processes that die or stand still (kill -9, SIGSTOP and SIGCONT), and of a process whose turns
// are slow.
import type { ChaosNode } from '../chaos-cluster.ts';
import type { OpenSession } from '../chaos-database.ts';
import type { PauseBound } from '../chaos-pauses.ts';
import { type Scene, sleep } from '../chaos-scene.ts';
import type { Fault } from './fault.ts';

const BACK_MS = 15_000;
const FENCED_MS = 15_000;
const REJOINED_MS = 60_000;
const FROZEN_MS = 20_000;
const SLOW_TURNS = 4;
const SLOW_TURN_EVERY_MS = 2_500;
/** A pause longer than this shows that the turn was slow; the turn itself takes longer. */
const SLOW_TURN_SEEN_MS = 1_000;
/** Time in which edits wait behind a batch before a node is killed; it is a part of the measured pause. */
const WAITING_MS = 300;
/** PostgreSQL's Sync message, which ends a batch. Without it the batch is executed and its locks are kept. */
const SYNC = Uint8Array.of(0x53, 0, 0, 0, 4);

/** The design's bound for nodes that die and whose port refuses the next dial. */
export const TAKEOVER_BOUND: PauseBound = { of: 'p99', ms: 1000 };

export const killOwner: Fault = {
  name: 'kill-owner',
  cluster: 'plain',
  pauseBound: TAKEOVER_BOUND,
  run: killInTurn,
};

/** Hundreds of sockets are lost at once, and come back elsewhere. */
export const killGateway: Fault = {
  name: 'kill-gateway',
  cluster: 'plain',
  crowded: true,
  pauseBound: TAKEOVER_BOUND,
  run: async (scene) => {
    await scene.calm();
    await kill(scene, scene.cluster.node(scene.cluster.nodes.length - 1));
  },
};

/** The proxy of its links accepts connections after the node is gone, so no refusal shows its end. */
export const killUnrefused: Fault = { name: 'kill-unrefused', cluster: 'proxied', run: killInTurn };

/**
 * PostgreSQL has executed a batch and waits for its end, other edits wait behind it, and the node is killed.
 * No client may have been told of any of it, and the end of the batch, which arrives after all is over, may
 * commit nothing.
 */
export const killInBatch: Fault = {
  name: 'kill-in-batch',
  cluster: 'proxied',
  run: async (scene) => {
    const { cluster, database } = scene;
    for (let round = 0; round < scene.rounds; round++) {
      await scene.calm();
      const node = await scene.owner(round);
      const sessions = await database.openSessions(node.name);
      await holdBatch(node, sessions);
      await sleep(WAITING_MS);
      scene.demand(await database.isWriting(sessions), 'a batch was under way when the node was killed');
      await kill(scene, node, 'kill -9 of a node in mid-batch');
      const rows = await database.rowsOf(sessions);
      cluster.mend();
      await scene.calm();
      const after = await database.rowsOf(sessions);
      scene.demand(
        after === rows,
        `no row of a killed node: ${rows} when others had taken over, ${after} later`,
      );
    }
  },
};

export const freezeOwner: Fault = {
  name: 'freeze-owner',
  cluster: 'plain',
  run: async (scene) => {
    await scene.calm();
    await freeze(scene, await scene.owner(), 'an owner stands still');
  },
};

export const freezeInBatch: Fault = {
  name: 'freeze-in-batch',
  cluster: 'proxied',
  run: async (scene) => {
    await scene.calm();
    const node = await scene.owner();
    const sessions = await scene.database.openSessions(node.name);
    await holdBatch(node, sessions);
    await freeze(scene, node, 'an owner stands still in mid-batch');
  },
};

/**
 * Slow turns, as on an overloaded machine. For nodes of test/chaos/faulty-node.ts, where a turn then takes
 * 1.5 s.
 */
export const slowTurns: Fault = {
  name: 'slow-turns',
  cluster: 'faulty',
  run: async (scene) => {
    const { database } = scene;
    await scene.calm();
    const before = await database.fences();
    const node = await scene.owner();
    await scene.strikes("turns of a node's main thread take 1.5 s", node);
    for (let turn = 0; turn < SLOW_TURNS; turn++) {
      node.process.holdUp();
      await sleep(SLOW_TURN_EVERY_MS);
    }
    scene.demand(scene.longestPause() > SLOW_TURN_SEEN_MS, 'its documents stood still meanwhile');
    const { runs } = await database.fences();
    scene.demand(runs === before.runs, 'a node whose turns take long is not dead');
    await scene.calm();
    await scene.healed();
  },
};

async function killInTurn(scene: Scene): Promise<void> {
  for (let round = 0; round < scene.rounds; round++) {
    await scene.calm();
    await kill(scene, await scene.owner(round));
  }
}

/** Waits until PostgreSQL has the next batch of one of these sessions of the node, but not its end. */
async function holdBatch(node: ChaosNode, sessions: readonly OpenSession[]): Promise<void> {
  await node.storage?.keepBack(
    SYNC,
    sessions.map(({ writeName }) => writeName),
  );
}

async function kill(scene: Scene, node: ChaosNode, name = 'kill -9 of a node'): Promise<void> {
  const place = scene.cluster.nodes.indexOf(node);
  await scene.strikes(name, node);
  await node.process.kill();
  const backMs = await scene.until('its clients are back elsewhere', BACK_MS, () => scene.load.isOpen(place));
  await scene.calm();
  scene.over();
  scene.say(`  ${node.name} killed: its clients were back after ${Math.round(backMs)} ms`);
  await node.process.restart();
  await scene.healed();
}

async function freeze(scene: Scene, node: ChaosNode, name: string): Promise<void> {
  const { database } = scene;
  const sessions = await database.openSessions(node.name);
  await scene.strikes(name, node);
  const began = performance.now();
  node.process.freeze();
  const isHeld = await database.isWriting(sessions);
  if (name.includes('mid-batch')) scene.demand(isHeld, 'a batch was under way when it stood still');
  await scene.until('it was fenced', FENCED_MS, () => database.areFenced(sessions));
  const rows = await database.rowsOf(sessions);
  scene.say(
    `  fenced after ${Math.round(performance.now() - began)} ms, with ${rows} rows of its sessions in the log`,
  );
  await scene.lasts(Math.max(0, FROZEN_MS - (performance.now() - began) / scene.lengthOf(1)));
  scene.over();
  node.process.thaw();
  scene.cluster.mend();
  const awakeMs = await scene.until(
    'it starts over under another run, and owns shards',
    REJOINED_MS,
    async () => {
      const open = await database.openSessions(node.name);
      const isNew = open.length > 0 && open.every(({ run }) => sessions.every((old) => old.run !== run));
      return isNew && ((await database.shardsByNode()).get(node.name) ?? 0) > 0;
    },
  );
  scene.say(`  ${Math.round(awakeMs)} ms after it went on it owns shards again`);
  await scene.calm();
  const after = await database.rowsOf(sessions);
  scene.demand(after === rows, `no row of a fenced session: ${rows} when it was fenced, ${after} later`);
  await scene.healed();
}
