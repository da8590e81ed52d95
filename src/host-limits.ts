// The limits of the documents, links and commits of one worker thread, from the configuration.
import type { HostLimits } from '../actors/host/host.ts';
import type { Config } from '../config/schema.ts';

const MiB = 1024 * 1024;
/**
 * The byte limits are above the largest answer, a document of documentBytes as JSON. A peer's connection
 * needs as much again.
 */
const LINK = {
  windowMessages: 20_000,
  windowBytes: 32 * MiB,
  queueMessages: 20_000,
  queueBytes: 32 * MiB,
};
/** Messages that wait for loads in one worker. After a takeover each socket may open its documents again. */
const LOADS_WAITING = 1_000_000;
/**
 * The number of submits of one worker that may each read as much history as one submit may, at the same time.
 */
const HISTORY_AT_ONCE = 4;

export function hostLimits(config: Config): HostLimits {
  const { limits, actors, commit, snapshot } = config;
  return {
    actor: {
      documentBytes: limits.documentBytes,
      depth: limits.depth,
      workMs: limits.workMs,
      receiveBytes: limits.receiveBytes,
      residentOps: actors.residentOps,
      historyOps: limits.historyOps,
      historyBytes: actors.historyBytes,
      residentBytes: actors.residentBytes,
      mailbox: { messages: actors.mailboxMessages, bytes: actors.mailboxBytes },
      snapshotMinBytes: snapshot.minBytes,
      snapshotRatio: snapshot.ratio,
    },
    commit: {
      maxRows: commit.maxRows,
      maxBytes: commit.maxBytes,
      queueBytes: commit.queueBytes,
      perSecond: commit.perSecond,
    },
    link: LINK,
    historyMemoryBytes: HISTORY_AT_ONCE * actors.historyBytes,
    loadsWaiting: { messages: LOADS_WAITING, bytes: actors.waitingBytes },
    memoryBytes: actors.memoryBytes,
    idleMs: actors.idleMs,
    quarantine: { firstMs: actors.quarantineMs, mostMs: actors.quarantineMaxMs },
  };
}
