// The last lines of test/reporter.ts are the tests that failed, with their messages.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

const FILE = `
import { test } from 'node:test';
test('all is well', () => {});
test('outside', async (t) => {
  await t.test('inside', () => { throw new Error('one and one'); });
  await t.test('after it', () => {});
});
test('two lines', () => { throw new Error('the first\\nand the second'); });
`;

test('the last lines name each test that failed, with its message, and no test that failed only by one within it', (t) => {
  const output = report(t, FILE);
  const [, last = ''] = output.split('\nFailed: 2\n\n');
  assert.equal(
    last.replaceAll(/✖ \S*some\.test\.mjs: /g, '✖ '),
    '✖ inside\n  one and one\n\n✖ two lines\n  the first\n  and the second\n',
  );
});

test('if nothing failed, nothing follows the summary', (t) => {
  const output = report(t, "import { test } from 'node:test';\ntest('all is well', () => {});\n");
  assert.match(output, /duration_ms [\d.]+\s*$/);
});

test('a file that cannot be loaded is named', (t) => {
  const output = report(t, 'no JavaScript\n');
  assert.match(output, /\nFailed: 1\n\n✖ some\.test\.mjs: \S+\n {2}test failed\n$/);
});

function report(t: { after(remove: () => void): void }, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-reporter-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'some.test.mjs'), text);
  const reporter = pathToFileURL(join(import.meta.dirname, '../reporter.js')).href;
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout } = spawnSync(process.execPath, ['--test', `--test-reporter=${reporter}`, 'some.test.mjs'], {
    cwd: folder,
    env,
    encoding: 'utf8',
  });
  return stdout;
}
