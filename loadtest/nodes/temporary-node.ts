// A node for one run of a command: either the node that `--target` names, or a new one with an embedded database
// in a temporary directory, which is stopped and removed afterwards.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunFailure, UsageError } from '../command-line/cli-options.ts';
import { lasted } from '../command-line/command.ts';
import { demandAnswer } from './demand-answer.ts';
import { NodeProcess } from './node-process.ts';

/**
 * Runs `use` with the socket URL, and with the process if this function started one. A node that is named has to
 * answer, before the run and during it: else it rejects with RunFailure. Ctrl-C at a terminal does not reach the process
 * of the node. `token`: for a named node that demands one.
 */
export async function withNode<T>(
  url: string | undefined,
  set: readonly string[],
  use: (socketUrl: string, node: NodeProcess | undefined) => Promise<T>,
  token?: string,
): Promise<T> {
  if (url !== undefined) {
    const socketUrl = namedUrl(url);
    await demandAnswer(socketUrl, token);
    const over = new AbortController();
    try {
      return await Promise.race([use(socketUrl, undefined), untilSilent(socketUrl, token, over.signal)]);
    } finally {
      over.abort();
    }
  }
  return await withDataDirectory(async (directory) => {
    const node = await NodeProcess.start({ storage: { directory }, set, detached: true });
    try {
      return await use(node.socketUrl, node);
    } finally {
      await node.stop();
      // A node that ended abruptly leaves its postmaster behind.
      await node.killPostmaster();
    }
  });
}

const PROBE_EACH_MS = 1_000;
/** A node that does not answer so many probes in a row is gone: clients would dial it for ever. */
const SILENT_PROBES = 3;

/** Rejects with RunFailure once the node does not answer any more. Does not settle otherwise. */
async function untilSilent(socketUrl: string, token: string | undefined, over: AbortSignal): Promise<never> {
  for (let silent = 0; await lasted(PROBE_EACH_MS, over); ) {
    try {
      await demandAnswer(socketUrl, token);
      silent = 0;
    } catch (error) {
      if (!(error instanceof RunFailure)) throw error;
      silent += 1;
      if (silent === SILENT_PROBES) throw new RunFailure(`the run is over: ${error.message}`);
    }
  }
  return await new Promise<never>(() => undefined);
}

function namedUrl(url: string): string {
  try {
    return socketUrlOf(url);
  } catch {
    throw new UsageError(`--target is a URL such as http://127.0.0.1:8080, not ${JSON.stringify(url)}`);
  }
}

export async function withDataDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-load-'));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Turns `http://host:port` or `ws://host:port/v1/socket` into the latter. */
export function socketUrlOf(url: string): string {
  const parsed = new URL(url);
  parsed.protocol = parsed.protocol === 'https:' || parsed.protocol === 'wss:' ? 'wss:' : 'ws:';
  if (parsed.pathname === '/') parsed.pathname = '/v1/socket';
  return parsed.href;
}
