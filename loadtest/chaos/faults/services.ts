// Faults of the services that the nodes run on, Redis and PostgreSQL: they go away, answer late, or lose
// answers.

import { sleep } from '../chaos-scene.ts';
import type { Fault } from './fault.ts';
import { TAKEOVER_BOUND } from './kills.ts';

const REDIS_AWAY_MS = 60_000;
const POSTGRES_BACK_MS = 60_000;
/** Without Redis writes go on: the longest pause that counts as unnoticed. */
const UNNOTICED_MS = 1000;
const SLOW_MS = 50;
const SLOW_FOR_MS = 20_000;
const LOST_FOR_MS = 300;
const LOSSES = 12;

export const redisAway: Fault = {
  name: 'redis-away',
  cluster: 'plain',
  pauseBound: TAKEOVER_BOUND,
  run: async (scene) => {
    const { services } = scene;
    await scene.calm();
    await scene.strikes('Redis is gone');
    await services.redis.kill();
    await scene.lasts(REDIS_AWAY_MS / 2);
    scene.demand(
      scene.longestPause() < UNNOTICED_MS,
      `nobody notices that Redis is gone: a document stood still for ${Math.round(scene.longestPause())} ms`,
    );
    const node = await scene.owner(1);
    await scene.strikes('kill -9 of a node without Redis', node);
    await node.process.kill();
    await scene.lasts(REDIS_AWAY_MS / 2);
    await scene.strikes('Redis is back, empty');
    await services.redis.start();
    await scene.calm();
    scene.over();
    await node.process.restart();
    await scene.healed();
  },
};

export const postgresKilled: Fault = {
  name: 'postgres-killed',
  cluster: 'plain',
  run: async (scene) => {
    for (let round = 0; round < scene.rounds; round++) {
      await scene.calm();
      await scene.strikes('kill -9 of PostgreSQL');
      const before = scene.load.waits.length;
      await scene.services.postgres.kill();
      const backMs = await scene.until(
        'edits are acknowledged again',
        POSTGRES_BACK_MS,
        () => scene.load.waits.length > before + scene.load.docs.length,
      );
      scene.say(`  PostgreSQL killed: edits acknowledged again after ${Math.round(backMs)} ms`);
      await scene.calm();
      await scene.healed();
    }
  },
};

/** Every answer of the database comes late. */
export const slowDisk: Fault = {
  name: 'slow-disk',
  cluster: 'proxied',
  run: async (scene) => {
    await scene.calm();
    await scene.strikes(`PostgreSQL is slow by ${2 * SLOW_MS} ms`);
    for (const { storage } of scene.cluster.nodes) storage?.slow(SLOW_MS);
    await scene.lasts(SLOW_FOR_MS);
    for (const { storage } of scene.cluster.nodes) storage?.slow(0);
    await scene.calm();
    await scene.healed();
  },
};

/** Batches are executed, their answers are lost, and then the connection is lost. */
export const answersLost: Fault = {
  name: 'answers-lost',
  cluster: 'proxied',
  lossy: true,
  run: async (scene) => {
    await scene.calm();
    await scene.strikes('answers of PostgreSQL are lost');
    const losses = Math.ceil(scene.lengthOf(LOSSES));
    for (let loss = 0; loss < losses; loss++) {
      const { storage } = scene.cluster.node(loss);
      storage?.lose({ up: false, down: true });
      await sleep(LOST_FOR_MS);
      storage?.cut();
      storage?.mend();
      await sleep(2 * LOST_FOR_MS);
    }
    await scene.calm();
    await scene.healed();
  },
};
