// The programs that tests need: found, unpacked for a user who may install nothing, or asked for in one line.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { onPath } from '../support/programs/command.ts';
import {
  CHROMIUM,
  OPENSSL,
  PGBOUNCER,
  PYTHON_WEBSOCKETS,
  REDIS,
  type Requirement,
  requirementsOf,
} from '../support/programs/requirements.ts';
import { unpackDebian, unpackedDebian } from '../support/programs/unpack.ts';

const tests = join(import.meta.dirname, '..');
const apt = (await onPath('dpkg-deb')) === undefined ? undefined : await onPath('apt-get');

test('a test file needs the programs of the modules that it imports, also through others', () => {
  const wanted: [string, Requirement[]][] = [
    ['browser/board/board.test.js', [CHROMIUM]],
    ['chaos/chaos.test.js', [REDIS]],
    ['cluster/liveness/lease-store-redis.test.js', [REDIS, OPENSSL]],
    ['examples/python.test.js', [PYTHON_WEBSOCKETS]],
    ['node/database/postgres-start.test.js', [PGBOUNCER]],
    ['repo/floors.test.js', []],
  ];
  for (const [file, requirements] of wanted) {
    assert.deepEqual(requirementsOf(join(tests, file)), new Set(requirements), file);
  }
});

test('if a program cannot be had, its files are not run, a line names the command to run, and the run fails', (t) => {
  const cache = scratch(t);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(tests, 'run.js'), 'browser/board/board.test', 'browser/text/keys.test'],
    { encoding: 'utf8', env: { PATH: '', HOME: cache, XDG_CACHE_HOME: cache } },
  );
  assert.equal(status, 1);
  assert.equal(stdout, '');
  assert.match(
    stderr,
    /^Files not run: 2\. chromium is needed: run `[^`]+`.* \(there is no apt-get to do it with\)\n$/,
  );
});

if (apt !== undefined) {
  test('without root a Debian package and its libraries are unpacked, and a script runs the program', async (t) => {
    const folder = useRepository(t);
    const wanted = { package: 'troupe-tested', unpacked: ['usr/bin/none', 'usr/bin/tested'] };
    assert.equal(await unpackedDebian('troupe-tested'), undefined);
    // Two test files ask at once.
    await Promise.all([unpackDebian(apt, wanted), unpackDebian(apt, wanted)]);
    const script = await unpackedDebian('troupe-tested');
    assert.ok(script !== undefined);
    assert.ok(script.startsWith(join(folder, 'cache é')));
    const said = execFileSync(script, ["it's", '$HOME'], { encoding: 'utf8' });
    const [libraries = '', ...args] = said.trimEnd().split('\n');
    assert.deepEqual(args, ["it's", '$HOME']);
    assert.deepEqual(readdirSync(libraries), ['libtested.so.1']);
    assert.deepEqual(readdirSync(join(dirname(script), '../..')), ['troupe-tested'], 'no draft is left');
  });

  test('a package that is nowhere, and a cache that cannot be written, are told', async (t) => {
    const folder = useRepository(t);
    const none = { package: 'troupe-none', unpacked: [] };
    assert.match(await unpackDebian(apt, none), /^apt-get cannot fetch troupe-none/);
    writeFileSync(join(folder, 'file'), '');
    process.env.XDG_CACHE_HOME = join(folder, 'file');
    assert.match(await unpackDebian(apt, none), /cannot be written: set XDG_CACHE_HOME/);
  });
}

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-requirements-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/**
 * A repository of a program and of a package that it depends on, which only the apt of this process knows,
 * and an empty cache.
 */
function useRepository(t: TestContext): string {
  const folder = scratch(t);
  const repository = join(folder, 'repository');
  const program = '#!/bin/sh\nprintf "%s\\n" "$LD_LIBRARY_PATH" "$@"\n';
  const indices = [
    makePackage(repository, 'troupe-tested', 'Depends: troupe-library\n', 'usr/bin/tested', program),
    makePackage(repository, 'troupe-library', '', 'usr/lib/deep/libtested.so.1', 'a library\n'),
  ];
  writeFileSync(join(repository, 'Packages'), indices.join('\n'));
  const list = join(folder, 'sources.list');
  writeFileSync(list, `deb [trusted=yes] copy:${repository} ./\n`);
  const configuration = join(folder, 'apt.conf');
  writeFileSync(configuration, `Dir::Etc::SourceList "${list}";\nDir::Etc::SourceParts "/dev/null";\n`);
  const before = { XDG_CACHE_HOME: process.env.XDG_CACHE_HOME, APT_CONFIG: process.env.APT_CONFIG };
  process.env.XDG_CACHE_HOME = join(folder, 'cache é');
  process.env.APT_CONFIG = configuration;
  t.after(() => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  return folder;
}

/** Returns the entry of the package in the index of the repository. */
function makePackage(repository: string, name: string, depends: string, file: string, text: string): string {
  const source = join(repository, name);
  const control = `Package: ${name}\nVersion: 1\nArchitecture: all\nMaintainer: none\n${depends}Description: of a test\n`;
  mkdirSync(join(source, 'DEBIAN'), { recursive: true });
  writeFileSync(join(source, 'DEBIAN/control'), control);
  mkdirSync(dirname(join(source, file)), { recursive: true });
  writeFileSync(join(source, file), text, { mode: 0o755 });
  const archive = join(repository, `${name}.deb`);
  execFileSync('dpkg-deb', ['--root-owner-group', '-b', source, archive], { stdio: 'ignore' });
  const digest = createHash('sha256').update(readFileSync(archive)).digest('hex');
  return `${control}Filename: ./${name}.deb\nSize: ${statSync(archive).size}\nSHA256: ${digest}\n`;
}
