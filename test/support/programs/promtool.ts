// Prometheus's own checker of metrics, rules and configurations.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { findProgram } from './install.ts';
import { PROMTOOL } from './requirements.ts';

export interface Checked {
  readonly code: number | null;
  /** Both outputs together. */
  readonly output: string;
}

/** Runs promtool with these arguments, and `input` on its standard input. */
export async function promtool(args: readonly string[], input = ''): Promise<Checked> {
  const child = spawn(await findProgram(PROMTOOL), [...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  child.stdin.end(input);
  const [code, ...outputs] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { code, output: outputs.join('') };
}
