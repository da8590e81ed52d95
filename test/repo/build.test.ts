// build.js, in a small project of the same folders: it builds the changed files and nothing else, and reports
// in one line what is missing.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FOLDERS, root } from './sources.ts';

test('a build makes modules and page once, and again what has changed since', (t) => {
  const project = makeProject(t);
  assert.deepEqual(project.build(), { code: 0, said: 'page\n' });
  assert.deepEqual(project.build(), { code: 0, said: '' });
  const before = project.madeAt('dist/kinds/index.js');

  project.write('src/index.ts', 'export const changed = true;\n');
  assert.deepEqual(project.build(), { code: 0, said: '' }, 'the page has no part in src/');
  assert.equal(project.madeAt('dist/kinds/index.js'), before, 'what has not changed is not written');

  project.write('web/index.css', 'p { color: red }\n');
  assert.deepEqual(project.build(), { code: 0, said: 'page\n' });

  rmSync(join(project.folder, 'dist/web/public'), { recursive: true });
  rmSync(join(project.folder, 'dist/kinds'), { recursive: true });
  assert.deepEqual(project.build(), { code: 0, said: 'page\n' });
  assert.ok(existsSync(join(project.folder, 'dist/kinds/index.js')), 'what was deleted is there again');
});

test('the output of a source that is gone is removed', (t) => {
  const project = makeProject(t);
  project.write('test/gone.test.ts', 'export {};\n');
  project.build();
  assert.ok(existsSync(join(project.folder, 'dist/test/gone.test.js')));
  rmSync(join(project.folder, 'test/gone.test.ts'));
  project.build();
  assert.ok(!existsSync(join(project.folder, 'dist/test/gone.test.js')));
});

test('a build that fails is done again, and its exit code tells', (t) => {
  const project = makeProject(t);
  project.write('src/index.ts', 'export const number: string = 1;\n');
  for (const _ of [1, 2]) {
    const { code, said } = project.build();
    assert.equal(code, 1);
    assert.match(said, /src\/index\.ts.*error/);
  }
});

test('without a compiler one line says what to run, unless everything is built', (t) => {
  const project = makeProject(t);
  rmSync(join(project.folder, 'node_modules/typescript'));
  const line = /^dist\/ has not been built, and the compiler .*`npm ci --include=dev`\.\n$/;
  const { code, said } = project.build();
  assert.equal(code, 1);
  assert.match(said, line);
  const installing = project.build('--if-possible');
  assert.equal(installing.code, 0);
  assert.match(installing.said, line);

  const built = makeProject(t);
  built.build();
  rmSync(join(built.folder, 'node_modules'), { recursive: true });
  assert.deepEqual(built.build(), { code: 0, said: '' });
});

test('if dist/ cannot be written, one line says so', (t) => {
  const project = makeProject(t);
  // Root may write everything, except into a file as if it were a folder.
  project.write('dist/.build.json/file', '');
  assert.deepEqual(project.build(), {
    code: 1,
    said: 'dist/ is older than the sources and cannot be written (EISDIR): run `npm run build` where it can be.\n',
  });
});

test('dependencies that are missing, or of another version than package-lock.json has, are named', (t) => {
  const project = makeProject(t, { ws: '8.0.0' });
  assert.deepEqual(project.build(), { code: 1, said: 'ws 8.0.0 is not installed: run `npm ci`.\n' });
  project.write('node_modules/ws/package.json', JSON.stringify({ version: '7.0.0' }));
  assert.deepEqual(project.build(), {
    code: 1,
    said: 'ws 8.0.0 is wanted, and 7.0.0 installed: run `npm ci`.\n',
  });
});

function makeProject(t: TestContext, dependencies: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'troupe build é '));
  t.after(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string): void => {
    mkdirSync(join(folder, dirname(name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  };
  const locked = Object.entries(dependencies).map(([name, version]) => [`node_modules/${name}`, { version }]);
  write('package.json', JSON.stringify({ type: 'module', dependencies }));
  write('package-lock.json', JSON.stringify({ packages: Object.fromEntries(locked) }));
  const compilerOptions = {
    rootDir: '.',
    outDir: 'dist',
    module: 'nodenext',
    target: 'es2023',
    // Checking the types of Node takes the compiler longer than all else.
    types: [],
    strict: true,
  };
  write('tsconfig.json', JSON.stringify({ compilerOptions, include: FOLDERS }));
  for (const name of FOLDERS) write(`${name}/index.ts`, 'export {};\n');
  write(
    'web/build.ts',
    `// @ts-nocheck: the types of Node are not there
import { mkdirSync, writeFileSync } from 'node:fs';
mkdirSync('dist/web/public', { recursive: true });
writeFileSync('dist/web/public/index.html', '');
console.log('page');
`,
  );
  copyFileSync(join(root, 'build.js'), join(folder, 'build.js'));
  mkdirSync(join(folder, 'node_modules'));
  for (const name of ['typescript', '@typescript', '@types', 'esbuild'])
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  return {
    folder,
    write,
    madeAt: (name: string) => statSync(join(folder, name)).mtimeMs,
    /** Returns the exit code, and everything that was printed. */
    build: (...args: string[]) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, ['build.js', ...args], {
        cwd: folder,
        encoding: 'utf8',
      });
      return { code: status, said: stdout + stderr };
    },
  };
}
