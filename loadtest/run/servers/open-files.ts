// How many sockets one process may have open, and from which addresses: the limits of the system that a load of many
// connections meets first.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { UsageError } from '../../command-line/cli-options.ts';
import type { Scenario } from '../../scenarios/scenario.ts';

/** Files that a process needs besides its sockets. */
const OTHER_FILES = 200;
const WANTED_FILES = 1_048_576;

/** Raises the limit of this process, and so of its children, as far as it may. It needs `prlimit` (Linux). */
export function raiseOpenFiles(): void {
  spawnSync('prlimit', ['--pid', `${process.pid}`, `--nofile=${WANTED_FILES}:${WANTED_FILES}`], {
    stdio: 'ignore',
  });
}

/** Sockets that one process may have open; undefined where the system does not say. Node raises its soft limit itself. */
export function mostSockets(): number | undefined {
  try {
    const [, , hard] =
      /^Max open files\s+(\S+)\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    if (hard === undefined || hard === 'unlimited') return undefined;
    return Math.max(1, Number(hard) - OTHER_FILES);
  } catch {
    return undefined;
  }
}

/** Throws UsageError if the sockets are more than processes of this machine may have. */
export function demandRoom({ clients }: Pick<Scenario, 'clients'>, nodes: number): void {
  const most = mostSockets();
  const total = clients.editors + clients.readers;
  if (most === undefined || total <= most * nodes) return;
  throw new UsageError(
    `${total} clients need ${Math.ceil(total / most)} nodes (--nodes): this system lets a process have ${most} sockets (ulimit -Hn)`,
  );
}

/** Connections from one address to one port: systems give about 28,000 ports to connections. */
export const MOST_FROM_ADDRESS = 20_000;

/**
 * The local address of a process of the load. Every address of 127.0.0.0/8 is this machine, and each has ports of its
 * own. Undefined: the system chooses.
 */
export function localAddress(url: string, clients: number, process: number): string | undefined {
  if (clients <= MOST_FROM_ADDRESS || new URL(url).hostname !== '127.0.0.1') return undefined;
  return `127.0.0.${2 + (process % 250)}`;
}
