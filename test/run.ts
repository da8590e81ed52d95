// The runner behind `npm test`: finds the compiled tests, starts the PostgreSQL that they share, and
// hands them to node's own runner.
//
//   npm test                      all but the long ones
//   npm test -- kinds config/     files whose path below test/ contains one of these
//   npm run test:full             the long ones too: files named *.long.ts
import { setMaxListeners } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { run } from 'node:test';
import { pathToFileURL } from 'node:url';
import { packageDirectory } from '../src/cli/version.ts';
import { bundle } from './bundles.ts';
import report from './reporter.ts';
import { memoryDirectory } from './support/memory.ts';
import { startTestPostgres } from './support/postgres.ts';
import { findProgram } from './support/programs/install.ts';
import { CHROMIUM, type Requirement, requirementsOf } from './support/programs/requirements.ts';

/** A process of one file, or of the files of a folder, that takes longer than this hangs, and fails. */
const TIMEOUT_MS = 900_000;
const FULL_TIMEOUT_MS = 1_800_000;

/**
 * The slowest files and folders start first, so that none of them runs alone at the end. Those that wait
 * alternate with those that keep the processors busy.
 */
const SLOW = [
  'sim/',
  'node/',
  'http/',
  'chaos/',
  'browser/',
  'yjs/',
  'gateway/',
  'loadtest/',
  'cluster/',
  'storage/',
  'cli/cluster',
  'cli/process',
  'events/',
  'identity/',
  'examples/',
  'cli/',
  'repo/',
  'client/',
];

/** Folders whose tests start nothing. All others may ask for a database. */
const PURE = ['config/', 'kinds/', 'protocol/'];

/**
 * Folders whose files have a process each. Their tests start processes of their own and wait for them. The
 * files of every other folder run one after the other in one process: a process of its own costs a file more
 * than most of its tests take.
 */
const APART = ['chaos', 'cli', 'package', 'sim'];

/**
 * Files of the gateway that run a second time with `gateway.nodePrivate: off`. With --full all of its files do. For other
 * files, TROUPE_TEST_NODE_PRIVATE=off in the environment has the same effect.
 */
const TWICE = ['gateway/sockets/read-budget', 'gateway/wire/slow-reader', 'gateway/wire/socket'];

const here = import.meta.dirname;
const BROWSER = join(here, 'support/chromium.js');

const FULL = '--full';
const FULL_FUZZ_RUNS = '4';
const WHOLE_FUZZ_RUNS = '0.3';

process.exitCode = await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<number> {
  const full = words.includes(FULL);
  const patterns = words.filter((word) => word !== FULL);
  const files = findTests(patterns, full);
  if (files.length === 0) {
    console.error(`no test file matches ${patterns.join(' ') || 'below'} in ${here}`);
    return 1;
  }
  const { ready, lacking } = await findRequirements(files);
  if (ready.length === 0) return 1;
  const whole = patterns.length === 0;
  // Multiplies the number of runs of property tests.
  if (full || whole) process.env.FUZZ_RUNS ??= full ? FULL_FUZZ_RUNS : WHOLE_FUZZ_RUNS;
  const memory = memoryDirectory();
  if (memory !== undefined) process.env.TMPDIR = memory;
  const postgres =
    ready.some(needsPostgres) && process.env.TROUPE_TEST_POSTGRES === undefined
      ? await startTestPostgres({ fsync: false })
      : undefined;
  if (postgres !== undefined) process.env.TROUPE_TEST_POSTGRES = postgres.url;
  try {
    const timeoutMs = full ? FULL_TIMEOUT_MS : TIMEOUT_MS;
    const code = whole
      ? await together(ready, full, (modules) => runTests(modules, timeoutMs))
      : await runTests(ready, timeoutMs);
    for (const line of lacking) console.error(line);
    return lacking.length > 0 ? 1 : code;
  } finally {
    await postgres?.stop();
  }
}

/**
 * Finds or installs the programs that the tests need. Files whose programs are missing are not run: a line
 * names the program, and is printed now and at the end.
 */
async function findRequirements(
  files: readonly string[],
): Promise<{ ready: readonly string[]; lacking: readonly string[] }> {
  const needs = files.map((file) => ({ file, requirements: requirementsOf(file) }));
  const missing = new Map<Requirement, string>();
  for (const requirement of new Set(needs.flatMap(({ requirements }) => [...requirements]))) {
    await findProgram(requirement).catch((error: Error) => {
      const waiting = needs.filter(({ requirements }) => requirements.has(requirement));
      missing.set(requirement, `Files not run: ${waiting.length}. ${error.message}`);
    });
  }
  for (const line of missing.values()) console.error(line);
  const ready = needs.filter(({ requirements }) => ![...requirements].some((one) => missing.has(one)));
  return { ready: ready.map(({ file }) => file), lacking: [...missing.values()] };
}

function findTests(patterns: readonly string[], full: boolean): string[] {
  const isTest = full ? /\.(test|long)\.js$/ : /\.test\.js$/;
  const rank = (name: string) => {
    const at = SLOW.findIndex((prefix) => name.startsWith(prefix));
    return at < 0 ? SLOW.length : at;
  };
  return readdirSync(here, { recursive: true, encoding: 'utf8' })
    .filter((name) => isTest.test(name) && existsSync(sourceOf(name)))
    .filter((name) => patterns.length === 0 || patterns.some((pattern) => name.includes(pattern)))
    .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
    .map((name) => join(here, name));
}

/** A compiled test whose source has gone is left over from an earlier build. */
function sourceOf(name: string): string {
  return join(packageDirectory(), 'test', name.replace(/\.js$/, '.ts'));
}

function needsPostgres(file: string): boolean {
  const name = relative(here, file);
  return !PURE.some((prefix) => name.startsWith(prefix));
}

/**
 * Calls `use` with the modules to run. The files of a folder are the suites of one module in the place of the
 * first, except in the folders of APART. So the nodes and clients that a file starts for its tests end before the next
 * file begins: idle nodes of other files took the processors from the tests.
 */
async function together<T>(
  files: readonly string[],
  full: boolean,
  use: (modules: readonly string[]) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-test-'));
  try {
    const modules = new Map<string, string[]>();
    for (const file of files) {
      const [folder = ''] = relative(here, file).split(sep);
      const module = APART.includes(folder) ? file : join(directory, `${folder}.mjs`);
      modules.set(module, [...(modules.get(module) ?? []), file]);
    }
    /** Modules that are imported before any suite, by the module of the suites. */
    const first = new Map<string, readonly string[]>();
    const nodePrivateOff = join(directory, 'node-private-off.mjs');
    writeFileSync(nodePrivateOff, "process.env.TROUPE_TEST_NODE_PRIVATE = 'off';\n");
    const twice = files.filter((file) => runsTwice(file, full));
    if (twice.length > 0) {
      const module = join(directory, 'gateway-without-node-private.mjs');
      modules.set(module, twice);
      first.set(module, [nodePrivateOff]);
    }
    for (const [module, imported] of modules) {
      if (module === imported[0]) continue;
      // The browser is shared by all files of a process, and closed at its end.
      const shared = imported.some((file) => requirementsOf(file).has(CHROMIUM)) ? [BROWSER] : [];
      writeFileSync(module, suites([...(first.get(module) ?? []), ...shared], imported));
    }
    const all = [...modules.keys()];
    // With --full the modules run as they ship.
    if (full) return await use(all);
    const bundled = await bundle(all, directory);
    return await use(all.map((module) => bundled.get(module) ?? module));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A module with a suite for each file. */
function suites(first: readonly string[], files: readonly string[]): string {
  const url = (file: string): string => JSON.stringify(pathToFileURL(file).href);
  return [
    "import { describe } from 'node:test';",
    ...first.map((file) => `import ${url(file)};`),
    ...files.map((file) => `describe(${JSON.stringify(relative(here, file))}, () => import(${url(file)}));`),
    '',
  ].join('\n');
}

function runsTwice(file: string, full: boolean): boolean {
  const name = relative(here, file).replaceAll(sep, '/');
  return full ? name.startsWith('gateway/') : TWICE.some((prefix) => name.startsWith(prefix));
}

/** Runs the files in their order. */
async function runTests(files: readonly string[], timeoutMs: number): Promise<number> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  // Each running file listens to the signal.
  setMaxListeners(0, ended.signal);
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  const events = run({
    files: [...files],
    // Many files wait more than they compute. With one less, two processors were idle for a sixth of a run, and with two less
    // for four tenths.
    concurrency: 3 + Math.max(2, availableParallelism()),
    timeout: timeoutMs,
    signal: ended.signal,
  });
  let failed = false;
  events.on('test:fail', ({ todo }) => {
    failed ||= todo === undefined || todo === false;
  });
  for await (const text of report(events)) process.stdout.write(text);
  process.off('SIGINT', end);
  process.off('SIGTERM', end);
  return failed || ended.signal.aborted ? 1 : 0;
}
