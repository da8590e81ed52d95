// `troupe completion bash`, in a real bash. completion.long.ts tries zsh and fish.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { COMPLETION_CASES, type CompletionCase, completionStage } from './completion-cases.ts';

/** Bash calls the function with the line, and offers what is then in COMPREPLY. */
const ASK = `source "$1"
COMP_LINE=$2 COMP_POINT=\${#2}
eval "$(complete -p troupe | sed 's/complete -F \\(.*\\) troupe/\\1/')"
printf '%s\\n' "\${COMPREPLY[@]}"`;

/** Bash alone makes words of = and :, and replaces what stands behind the last one. */
const BASH_ALONE: readonly CompletionCase[] = [
  { line: 'troupe serve --set=listen.po', words: ['listen.port='] },
  { line: 'troupe serve --set=listen.port', words: ['listen.port='] },
  { line: 'troupe serve --config=dar', words: ['dark.yaml'] },
  { line: '/usr/local/bin/troupe conf', words: ['config'] },
];

test('bash offers commands, options, keys of the configuration and files', async (t) => {
  const { directory, script } = await completionStage(t, 'bash');
  for (const { line, words } of [...COMPLETION_CASES, ...BASH_ALONE]) {
    const args = ['--norc', '--noprofile', '-c', ASK, 'bash', script, line];
    const { stdout, stderr } = await promisify(execFile)('bash', args, { cwd: directory });
    const offered = stdout.split('\n').filter((word) => word !== '');
    assert.deepEqual([offered.sort(), stderr], [[...words].sort(), ''], line);
  }
});
