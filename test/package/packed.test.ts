// The content of `npm pack`: the modules that the entries of the package reach, the page, and the files for a
// reader.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import { packageDirectory } from '../../src/cli/version.ts';

const root = packageDirectory();
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

let packed: readonly string[] = [];

before(async () => {
  // Scripts are off: `prepack` would build, and the other tests run the present build.
  const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
  });
  const report: unknown = JSON.parse(stdout);
  // npm up to 11 answers with a list, later ones with an object by package name.
  const [entry] = Object.values(report as Record<string, { files: { path: string }[] }>);
  packed = (entry?.files ?? []).map(({ path }) => path).sort();
});

test('the package holds the modules that its entries reach, and no others: no tests, no stores in memory', () => {
  const reached = reachable([manifest.bin.troupe, ...entries('default')], /\.js$/);
  const modules = packed.filter((path) => path.endsWith('.js') && !path.startsWith('dist/web/public/'));
  assert.ok(
    modules.includes('dist/actors/worker.js') && modules.includes('dist/cluster/liveness/lease-worker.js'),
  );
  assert.deepEqual(
    // No module imports a module of types alone.
    modules.filter((path) => !reached.includes(path) && !/^export \{\};$/m.test(read(path))),
    [],
    'packed, and reached by no entry',
  );
  assert.deepEqual(
    reached.filter((path) => !modules.includes(path)),
    [],
    'reached, and not packed',
  );
});

test('every module in the package imports only packages that are installed with it, or named as its peers', () => {
  const { dependencies, optionalDependencies, peerDependencies } = manifest;
  const there = new Set(Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }));
  const modules = packed.filter((path) => path.endsWith('.js') && !path.startsWith('dist/web/public/'));
  for (const path of modules)
    for (const [, name = ''] of read(path).matchAll(
      /(?:^|\n)(?:import|export) [^;'"]*?from '((?:@[^'/]+\/)?[^'./][^'/]*)|\bimport\('((?:@[^'/]+\/)?[^'./][^'/]*)/g,
    ))
      assert.ok(name === '' || name.startsWith('node:') || there.has(name), `${path} imports ${name}`);
});

test('the package holds the scenarios, and the load test without the tools that try this repository', () => {
  for (const path of [
    'loadtest/scenarios/smoke.yaml',
    'dist/loadtest/run/generator/load-process.js',
    'dist/loadtest/report/page.js',
  ])
    assert.ok(packed.includes(path), path);
  for (const tool of ['chaos', 'crash', 'garbage', 'costly', 'measures', 'presence'])
    assert.ok(!packed.some((path) => path.startsWith(`dist/loadtest/${tool}/`)), tool);
});

test('the package holds the types that its entries reach', () => {
  const types = packed.filter((path) => path.endsWith('.d.ts'));
  const reached = reachable(entries('types'), /\.d\.ts$/);
  assert.deepEqual(
    reached.filter((path) => !types.includes(path)),
    [],
  );
  assert.deepEqual(
    types.filter((path) => !/^dist\/(client|kinds|protocol)\//.test(path)),
    [],
  );
});

test('every source map in the package contains its sources, and every module has its map', () => {
  const maps = packed.filter((path) => path.endsWith('.map'));
  for (const path of maps) {
    const { sources, sourcesContent } = JSON.parse(readFileSync(join(root, path), 'utf8'));
    assert.equal(sourcesContent?.length, sources.length, path);
  }
  const mapped = packed
    .filter((path) => path.endsWith('.js') && /\n\/\/# sourceMappingURL=/.test(read(path)))
    .map((path) => `${path}.map`);
  assert.deepEqual(maps, mapped);
});

test('beside the modules the package holds the page, the configurations and the documents', () => {
  const rest = packed.filter((path) => !/^dist\/.*\.(js|js\.map|d\.ts)$/.test(path));
  const expected = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json', 'dist/web/public/index.html'];
  for (const path of [...expected, 'config/production.yaml', 'docs/protocol.md']) {
    assert.ok(rest.includes(path), path);
  }
  const allowed = /^(docs\/|config\/[\w-]+\.yaml$|loadtest\/scenarios\/[\w-]+\.yaml$|dist\/web\/public\/)/;
  assert.deepEqual(
    rest.filter((path) => !allowed.test(path) && !expected.includes(path)),
    [],
  );
});

test('package.json can be imported, and a package that is made runs the build first', () => {
  assert.equal(manifest.exports['./package.json'], './package.json');
  assert.match(manifest.scripts.prepack, /build/);
  assert.match(manifest.scripts.prepare, /build/);
  assert.equal(manifest.overrides, undefined, 'overrides do not reach those that depend on this package');
});

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The files that `exports` names under a condition. */
function entries(condition: 'default' | 'types'): string[] {
  return Object.values<Record<string, string> | string>(manifest.exports)
    .flatMap((entry) => (typeof entry === 'string' ? [] : [entry[condition] ?? '']))
    .filter((path) => path !== '')
    .map((path) => relative(root, join(root, path)));
}

/** These files, and all files that they import or name by URL as a thread's module. */
function reachable(from: readonly string[], ending: RegExp): string[] {
  const found = new Set(from);
  for (const path of found) {
    const text = read(path);
    for (const [, target = ''] of text.matchAll(/(?:from|import|import\(|new URL\()\s*'(\.[^']*)'/g)) {
      const wanted = ending.source.includes('d\\.ts') ? target.replace(/\.ts$/, '.d.ts') : target;
      const file = join(dirname(path), wanted);
      if (ending.test(file) && existsSync(join(root, file))) found.add(file);
    }
  }
  return [...found].sort();
}
