// The launcher of `npm run cluster` as a process, with the processes that it has started, for its tests.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../loadtest/nodes/free-ports.ts';
import { putRedisOnPath } from '../support/redis.ts';
import { start } from './spawn.ts';

const LAUNCHER = fileURLToPath(new URL('../../tools/local-cluster.js', import.meta.url));

await putRedisOnPath();

export async function launch(t: TestContext, nodes: number, port?: number) {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-local-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const from = port ?? (await freePorts(nodes));
  // The launcher stops its processes also after a failed test.
  t.after(async () => {
    if (launcher.child.exitCode !== null || launcher.child.signalCode !== null) return;
    const exited = once(launcher.child, 'exit');
    launcher.child.kill('SIGTERM');
    await exited;
  });
  const launcher = start(t, [
    LAUNCHER,
    `--nodes=${nodes}`,
    `--port=${from}`,
    `--directory=${relative(process.cwd(), directory)}`,
  ]);
  const pid = Number(launcher.child.pid);
  /** The processes of PostgreSQL, Redis and the nodes that exist. */
  const children = () => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return { ...launcher, children };
}

/** Tells whether a process runs. A process that has ended and was not waited for counts as ended. */
export function runs(pid: string): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
