// A proxy as a process of its own, for the tests of the samples in docs/. It ends after the test.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { untilSeen } from '../until.ts';

/** Starts the program, and resolves when it accepts connections at `port`. */
export async function startProxy(
  t: { after(close: () => Promise<void>): void },
  command: readonly [program: string, ...args: string[]],
  port: number,
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  const [program, ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let said = '';
  for (const output of [child.stdout, child.stderr])
    output.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-10_000);
    });
  t.after(() => end(child));
  await untilSeen(
    () => `${program} accepts connections: ${said}`,
    async () => {
      if (child.exitCode !== null) throw new Error(`${program} has ended: ${said}`);
      return await accepts(port);
    },
  );
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  // nginx ends its workers too.
  child.kill('SIGTERM');
  await exited;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
