// The repository as others receive it: licence, scripts, links in the documents, and a production install
// without optional packages.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { ALL_FOLDERS, below, FLOORS, root, sources } from './sources.ts';

const read = (name: string) => readFileSync(join(root, name), 'utf8');
const manifest = JSON.parse(read('package.json'));
const optionalPeers = Object.keys(manifest.peerDependenciesMeta);

test('the licence is MIT, in the file and in the manifest', () => {
  assert.equal(manifest.license, 'MIT');
  assert.match(read('LICENSE'), /^MIT License\n/);
});

test('no dependency is used that is not declared, and production code uses no development dependency', () => {
  const runtime = new Set([
    ...Object.keys(manifest.dependencies),
    ...Object.keys(manifest.optionalDependencies),
  ]);
  // Commands load these when they need them, and say what to install.
  const peers = new Set(optionalPeers);
  // The tests name the package by its own name, as applications do.
  const all = new Set([...runtime, ...Object.keys(manifest.devDependencies), manifest.name]);
  for (const folder of ALL_FOLDERS) {
    for (const file of sources(folder)) {
      for (const name of packagesOf(read(file))) {
        const allowed = ['protocol', 'kinds', 'config', 'actors', 'cluster', 'src'].includes(folder)
          ? new Set([...runtime, ...(folder === 'src' ? peers : [])])
          : all;
        assert.ok(allowed.has(name), `${file} imports ${name}`);
      }
    }
  }
});

test('every dependency is imported by the product', () => {
  const used = new Set(
    FLOORS.filter((floor) => floor !== 'tools')
      .flatMap(sources)
      .flatMap((file) => packagesOf(read(file))),
  );
  // Fastify depends on any light-my-request 6, and its later releases depend on a package that needs Node 22.
  // A direct dependency on 6.6 also decides for projects that depend on Troupe. An override would decide for
  // this folder alone.
  const pinned = ['light-my-request'];
  assert.deepEqual(
    Object.keys(manifest.dependencies).filter((name) => !used.has(name)),
    pinned,
  );
});

test('an optional dependency is loaded when it is needed, never by a static import', () => {
  for (const file of FLOORS.flatMap(sources)) {
    const peers = file.startsWith('src/') ? optionalPeers : [];
    for (const name of [...Object.keys(manifest.optionalDependencies), ...peers]) {
      assert.doesNotMatch(read(file), new RegExp(`^import (?!type)[^;]*from '${name}`, 'm'), file);
    }
  }
});

test('every file says first what it owns', () => {
  const silent = [...FLOORS, 'test']
    .flatMap(sources)
    .filter((file) => !/^(\/\/ |\/\*\*?\s)/.test(read(file).replace(/^#!.*\n/, '')));
  assert.deepEqual(silent, []);
});

test('a file of more than 400 lines says why at its top', () => {
  const unexplained = [...FLOORS, 'test']
    .flatMap(sources)
    .filter((file) => read(file).split('\n').length > 400 + 1)
    .filter((file) => !/over\s(\/\/\s)?400\s(\/\/\s)?lines/i.test(read(file).slice(0, 1500)));
  assert.deepEqual(unexplained, []);
});

test('a private member is a #member; only a constructor is marked private', () => {
  const marked = [...FLOORS, 'test'].flatMap(sources).flatMap((file) =>
    read(file)
      .split('\n')
      .filter((line) => /^\s*private (?!constructor\()/.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );
  assert.deepEqual(marked, []);
});

test('every link in the documents leads somewhere', () => {
  const documents = ['README.md', 'CHANGELOG.md', ...below('docs', /\.md$/)];
  const dead = documents.flatMap((document) =>
    [...read(document).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^[a-z]+:/.test(target) && !leadsSomewhere(document, target))
      .map((target) => `${document}: ${target}`),
  );
  assert.deepEqual(dead, []);
});

test('npm start and npm test leave no shell between npm and node, which would not pass a signal on', () => {
  for (const script of ['start', 'test'])
    assert.match(manifest.scripts[script], /^exec node [^&|;]*$/, script);
});

test('the files that the package contains and the CI runs exist', () => {
  for (const name of [
    'README.md',
    'CHANGELOG.md',
    'LICENSE',
    'Dockerfile',
    '.ci/run',
    'config/production.yaml',
  ]) {
    assert.ok(existsSync(join(root, name)), name);
  }
  assert.ok(statSync(join(root, '.ci/run')).mode & 0o111, '.ci/run is executable');
  for (const script of ['start', 'test', 'build', 'check', 'replay']) {
    assert.equal(typeof manifest.scripts[script], 'string', script);
  }
});

function leadsSomewhere(document: string, target: string): boolean {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? document : join(dirname(document), path);
  if (!existsSync(join(root, file))) return false;
  return anchor === undefined || !file.endsWith('.md') || anchors(read(file)).includes(anchor);
}

/** Package names of static and dynamic imports, without relative and built-in ones. */
function packagesOf(text: string): string[] {
  return [
    ...text.matchAll(
      /(?:^|\n)\s*(?:import|export)\s[^;'"]*?from '([^'.][^']*)'|(?<!\.)\bimport\('([^'.][^']*)'\)/g,
    ),
  ]
    .map((match) => match[1] ?? match[2] ?? '')
    .filter((name) => !name.startsWith('node:'))
    .map((name) =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/'),
    );
}

/** The anchors that GitHub makes of headings. */
function anchors(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
