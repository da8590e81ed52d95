// Command lines on which somebody presses TAB, with the words that every shell then offers.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { SHELLS, type Shell } from '../../config/command-line/completion.ts';
import { run } from '../../src/cli/cli.ts';

export interface CompletionCase {
  readonly line: string;
  readonly words: readonly string[];
}

export const COMPLETION_CASES: readonly CompletionCase[] = [
  {
    line: 'troupe ',
    words: [
      'cluster',
      'completion',
      'config',
      'export',
      'help',
      'import',
      'loadtest',
      'migrate',
      'serve',
      'storage',
      'token',
      'version',
      'webhooks',
    ],
  },
  { line: 'troupe con', words: ['config'] },
  { line: 'troupe cluster p', words: ['pin', 'pins'] },
  { line: 'troupe --config here.yaml --set listen.port=1 config ', words: ['check', 'print'] },
  { line: 'troupe cluster status --', words: ['--config', '--help', '--json', '--set'] },
  { line: 'troupe serve --set listen.po', words: ['listen.port='] },
  {
    line: 'troupe serve --set cluster.link.tls.c',
    words: ['cluster.link.tls.ca=', 'cluster.link.tls.cert='],
  },
  { line: 'troupe serve --config da', words: ['dark.yaml', 'data'] },
  { line: 'troupe storage restore dar', words: ['dark.yaml'] },
  { line: 'troupe completion ', words: [...SHELLS] },
  { line: 'troupe help clus', words: ['cluster'] },
  // The name of a node is known to the cluster alone.
  { line: 'troupe cluster drain ', words: [] },
];

/** A directory with the files that the cases name, and the script of the shell. */
export async function completionStage(
  t: TestContext,
  shell: Shell,
): Promise<{ directory: string; script: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-completion-'));
  t.after(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'dark.yaml'), '');
  let text = '';
  const stream = { write: (part: string) => (text += part) };
  await run(['completion', shell], { stdout: stream, stderr: stream, env: {} });
  const script = join(directory, `.completion.${shell}`);
  writeFileSync(script, text);
  return { directory, script };
}
