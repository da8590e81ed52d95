// A node for one run of a command: either the node that `--url` names, or a new one with an embedded database
// in a temporary directory, which is stopped and removed afterwards.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Interrupted } from './cli-options.ts';
import { NodeProcess } from './node-process.ts';

/** Runs `use` with the socket URL, and with the process if this function started one. */
export async function withNode<T>(
  url: string | undefined,
  set: readonly string[],
  use: (socketUrl: string, node: NodeProcess | undefined) => Promise<T>,
): Promise<T> {
  if (url !== undefined) return await use(socketUrlOf(url), undefined);
  return await withDataDirectory(async (directory) => {
    let node: NodeProcess | undefined;
    let interrupt: (why: Interrupted) => void = () => undefined;
    const interrupted = new Promise<never>((_, reject) => {
      interrupt = reject;
    });
    interrupted.catch(() => undefined);
    // Every signal is passed on: the node recognises repeated signals as one request.
    const onSignal = (): void => {
      // The terminal may be gone; the node and its directory must be removed all the same.
      for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
      node?.stop().catch(() => undefined);
      interrupt(new Interrupted());
    };
    for (const signal of SIGNALS) process.on(signal, onSignal);
    try {
      node = await NodeProcess.start({ storage: { directory }, set });
      return await Promise.race([interrupted, use(node.socketUrl, node)]);
    } finally {
      await node?.stop();
      // A node that ended abruptly leaves its postmaster behind.
      await node?.killPostmaster();
      for (const signal of SIGNALS) process.off(signal, onSignal);
    }
  });
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

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
