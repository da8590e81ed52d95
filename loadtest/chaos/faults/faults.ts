// The list of all faults, in the order in which they are run.
import type { Fault } from './fault.ts';
import {
  freezeInBatch,
  freezeOwner,
  killGateway,
  killInBatch,
  killOwner,
  killUnrefused,
  slowTurns,
} from './kills.ts';
import {
  cutOff,
  databaseRefused,
  partitionAnswers,
  partitionDatabase,
  partitionNodes,
  partitionOneWay,
} from './partitions.ts';
import { rollingRestart } from './restarts.ts';
import { answersLost, postgresKilled, redisAway, slowDisk } from './services.ts';
import { poison, workerKilled } from './workers.ts';

/** Faults of one kind of cluster follow each other. */
export const FAULTS: readonly Fault[] = [
  killOwner,
  killGateway,
  freezeOwner,
  redisAway,
  postgresKilled,
  rollingRestart,
  workerKilled,
  poison,
  slowTurns,
  killUnrefused,
  killInBatch,
  freezeInBatch,
  partitionNodes,
  partitionOneWay,
  partitionDatabase,
  partitionAnswers,
  databaseRefused,
  cutOff,
  slowDisk,
  answersLost,
];
