// Runs the compiled `troupe` as a process of its own, for tests that are about the process.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

export const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  /** Resolves with the first line of standard output that matches; rejects when the process ends without one. */
  line(pattern: RegExp): Promise<RegExpExecArray>;
  /** The same for standard error, which has the log. */
  told(pattern: RegExp): Promise<RegExpExecArray>;
  readonly ended: Promise<Ended>;
}

/** Starts `file` with node, or with `command`; ends it after the test by its pid. */
export function start(t: TestContext, args: readonly string[], command = process.execPath): Running {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  });
  const out = linesOf(child.stdout);
  const log = linesOf(child.stderr);
  const err: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => err.push(text));
  const ended = once(child, 'close').then(
    ([code, signal]): Ended => ({ code, signal, stdout: out.lines.join('\n'), stderr: err.join('') }),
  );
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const orEnded = (pattern: RegExp, found: Promise<RegExpExecArray>) =>
    Promise.race([
      found,
      ended.then(({ code, stderr }) => {
        throw new Error(`ended with ${code} without ${pattern}: ${stderr}`);
      }),
    ]);
  return {
    child,
    line: (pattern) => orEnded(pattern, out.matching(pattern)),
    told: (pattern) => orEnded(pattern, log.matching(pattern)),
    ended,
  };
}

function linesOf(stream: Readable) {
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: stream }).on('line', (line) => {
    lines.push(line);
    for (const look of waiting) look();
  });
  /** The first line that matches, also among lines that came before. */
  const matching = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve) => {
      const look = () => {
        const match = lines.map((text) => pattern.exec(text)).find((found) => found !== null);
        if (match === undefined) return;
        waiting.delete(look);
        resolve(match);
      };
      waiting.add(look);
      look();
    });
  return { lines, matching };
}

/** Starts `troupe` with these arguments. */
export const troupe = (t: TestContext, ...args: string[]): Running => start(t, [MAIN, ...args]);

/** `troupe serve` on a free port with this database. */
export const serve = (t: TestContext, databaseUrl: string, ...args: string[]): Running =>
  troupe(t, 'serve', '--set', 'listen.port=0', '--set', `storage.url=${databaseUrl}`, ...args);

/** Starts `troupe serve` and resolves once it is ready. */
export async function serving(t: TestContext, databaseUrl: string, ...args: string[]) {
  const running = serve(t, databaseUrl, ...args);
  const [, url = ''] = await running.line(/^Troupe is ready: (http:\/\/\S+) {2}\(PostgreSQL at .*\)$/);
  return { ...running, url };
}
