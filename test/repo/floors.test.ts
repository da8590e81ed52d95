// The linter's rules find violations: Biome, with the repository's own configuration, checks small files that
// each break one rule, in a folder of their own.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { FOLDERS, root, sources } from './sources.ts';

/** The floors that each floor may import, besides itself. */
const FLOORS: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  kinds: ['protocol'],
  config: ['protocol'],
  actors: ['protocol', 'kinds', 'config'],
  cluster: ['protocol', 'kinds', 'config', 'actors'],
  src: ['protocol', 'kinds', 'config', 'actors', 'cluster'],
  client: ['protocol', 'kinds'],
  web: ['protocol', 'kinds', 'client'],
  loadtest: ['protocol', 'kinds', 'config', 'client'],
  tools: ['protocol', 'kinds', 'config', 'actors', 'cluster', 'src'],
  test: ['protocol', 'kinds', 'config', 'actors', 'cluster', 'src', 'client', 'web', 'loadtest', 'tools'],
};
/** The dependencies of the product that run in browsers. */
const IN_BROWSERS = new Set(['fast-json-patch', 'lib0', 'msgpackr', 'quill-delta', 'yjs']);
const BROWSER = ['protocol', 'kinds', 'client', 'web'];

test('a folder imports only from the floors below it, from any depth', async () => {
  const files: Record<string, string> = {};
  const forbidden: string[] = [];
  for (const [from, allowed] of Object.entries(FLOORS)) {
    for (const to of Object.keys(FLOORS)) {
      if (from === to) continue;
      files[`${from}/to-${to}.ts`] = `import { x } from '../${to}/deep/x.ts';\nexport const y = x;\n`;
      files[`${from}/deep/to-${to}.ts`] = `export { x } from '../../${to}/x.ts';\n`;
      if (!allowed.includes(to)) forbidden.push(`${from}/to-${to}.ts`, `${from}/deep/to-${to}.ts`);
    }
  }
  // `troupe loadtest` is a command of the program, and no part of a node.
  for (const to of ['loadtest', 'client', 'tools', 'test']) {
    files[`src/cli/to-${to}.ts`] = `import { x } from '../../${to}/deep/x.ts';\nexport const y = x;\n`;
    if (to !== 'loadtest') forbidden.push(`src/cli/to-${to}.ts`);
  }
  assert.deepEqual(await offenders(files, 'lint/style/noRestrictedImports'), forbidden.sort());
});

test('code that runs in a browser imports neither Node built-ins nor server libraries', async () => {
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const modules = ['node:fs', ...Object.keys({ ...dependencies, ...optionalDependencies })];
  const files: Record<string, string> = {};
  const forbidden: string[] = [];
  for (const folder of Object.keys(FLOORS)) {
    for (const [number, module] of modules.entries()) {
      files[`${folder}/${number}.ts`] = `import * as x from '${module}';\nexport const y = x;\n`;
      if (BROWSER.includes(folder) && !IN_BROWSERS.has(module)) forbidden.push(`${folder}/${number}.ts`);
    }
  }
  assert.deepEqual(await offenders(files, 'lint/style/noRestrictedImports'), forbidden.sort());
});

test('import cycles, floating and misused promises, any, non-null assertions and unused code are errors', async () => {
  const cases: [rule: string, file: string, text: string][] = [
    [
      'lint/suspicious/noImportCycles',
      'kinds/a.ts',
      "import { b } from './b.ts';\nexport const a = () => b;\n",
    ],
    [
      'lint/suspicious/noImportCycles',
      'kinds/b.ts',
      "import { a } from './a.ts';\nexport const b = () => a;\n",
    ],
    [
      'lint/nursery/noFloatingPromises',
      'src/floating.ts',
      'async function f() {}\nexport function g() {\n  f();\n}\n',
    ],
    [
      'lint/nursery/noMisusedPromises',
      'src/misused.ts',
      'async function f() {\n  return 1;\n}\nexport const g = () => (f() ? 1 : 2);\n',
    ],
    ['lint/suspicious/noExplicitAny', 'src/any.ts', 'export const f = (x: any) => x;\n'],
    ['lint/suspicious/noTsIgnore', 'src/ignore.ts', '// @ts-ignore\nexport const x = 1;\n'],
    ['lint/style/noNonNullAssertion', 'src/bang.ts', 'export const f = (x?: { y: 1 }) => x!.y;\n'],
    ['lint/suspicious/noFocusedTests', 'test/only.ts', "it.only('x', () => {});\n"],
    ['lint/suspicious/noSkippedTests', 'test/skip.ts', "it.skip('x', () => {});\n"],
    ['lint/correctness/noUnusedImports', 'src/unused.ts', "import { a } from './any.ts';\nexport {};\n"],
  ];
  const found = await lint(Object.fromEntries(cases.map(([, file, text]) => [file, text])));
  for (const [rule, file] of cases) {
    assert.ok(
      found.some(
        (problem) => problem.category === rule && problem.path === file && problem.severity === 'error',
      ),
      `${rule} does not bite in ${file}`,
    );
  }
});

test('no rule is switched off inside the code', () => {
  const off = FOLDERS.flatMap(sources)
    .filter((file) => !file.startsWith(join('test', 'repo')))
    .filter((file) =>
      /biome-ignore|@ts-(ignore|expect-error|nocheck)/.test(readFileSync(join(root, file), 'utf8')),
    );
  assert.deepEqual(off, []);
});

interface Finding {
  readonly category: string;
  readonly severity: string;
  readonly path: string;
}

async function offenders(files: Record<string, string>, category: string): Promise<string[]> {
  const found = await lint(files);
  return [
    ...new Set(found.filter((problem) => problem.category === category).map(({ path }) => path)),
  ].sort();
}

/** Lints the files as if they were the repository. */
async function lint(files: Record<string, string>): Promise<Finding[]> {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-floors-'));
  try {
    const configuration = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8'));
    // The folder is no repository, and has no schema of its own.
    const { $schema: _, vcs: __, ...rest } = configuration;
    const all = { 'biome.json': JSON.stringify(rest), ...files };
    for (const [name, text] of Object.entries(all)) {
      mkdirSync(join(folder, dirname(name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const biome = join(root, 'node_modules/@biomejs/biome/bin/biome');
    const { stdout } = await run(
      process.execPath,
      [biome, 'lint', '--reporter=json', '--max-diagnostics=none', '.'],
      folder,
    );
    const { diagnostics } = JSON.parse(stdout) as {
      diagnostics: { category: string; severity: string; location: { path: string } }[];
    };
    return diagnostics.map(({ category, severity, location }) => ({
      category,
      severity,
      path: location.path,
    }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Returns the output, whatever the exit code: a linter that finds something exits with 1. */
function run(file: string, args: readonly string[], cwd: string): Promise<{ stdout: string }> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { cwd, maxBuffer: 64 * 1_024 * 1_024 }, (error, stdout) => {
      if (error !== null && typeof error.code !== 'number') reject(error);
      else resolve({ stdout });
    });
  });
}
