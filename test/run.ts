// The runner behind `npm test`: finds the compiled tests, starts the PostgreSQL that they share, and
// hands them to node's own runner, whose summary and exit code are its own.
//
//   npm test                      everything
//   npm test -- kinds config/     files whose path below test/ contains one of these
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { packageDirectory } from '../src/cli/version.ts';
import { findProgram } from './support/install.ts';
import { startTestPostgres } from './support/postgres.ts';
import { type Requirement, requirementsOf } from './support/requirements.ts';

/** A file that takes longer hangs, and fails by this. */
const FILE_TIMEOUT_MS = 240_000;

/** Slow files first, so that none is left to run alone at the end. */
const SLOW = ['browser/', 'chaos/', 'loadtest/'];

/** Folders whose tests start nothing. All others may ask for a database. */
const PURE = ['config/', 'kinds/', 'protocol/'];

const here = import.meta.dirname;

process.exitCode = await main(process.argv.slice(2));

async function main(patterns: readonly string[]): Promise<number> {
  const files = findTests(patterns);
  if (files.length === 0) {
    console.error(`no test file matches ${patterns.join(' ') || 'below'} in ${here}`);
    return 1;
  }
  const { ready, lacking } = await findRequirements(files);
  if (ready.length === 0) return 1;
  // The terminal sends SIGINT to the whole group: the tests end by it, and then PostgreSQL is stopped here.
  const ignore = () => {};
  process.on('SIGINT', ignore);
  const postgres =
    ready.some(needsPostgres) && process.env.TROUPE_TEST_POSTGRES === undefined
      ? await startTestPostgres({ fsync: false })
      : undefined;
  try {
    const code = await runTests(ready, postgres?.url);
    for (const line of lacking) console.error(line);
    return lacking.length > 0 ? 1 : code;
  } finally {
    await postgres?.stop();
    process.off('SIGINT', ignore);
  }
}

/**
 * Finds or brings the programs that the tests need. Files whose programs are missing are not run: a line tells which
 * program, and is printed now and at the end.
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

function findTests(patterns: readonly string[]): string[] {
  const rank = (name: string) => {
    const at = SLOW.findIndex((prefix) => name.startsWith(prefix));
    return at < 0 ? SLOW.length : at;
  };
  return readdirSync(here, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.js') && existsSync(sourceOf(name)))
    .filter((name) => patterns.length === 0 || patterns.some((pattern) => name.includes(pattern)))
    .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
    .map((name) => join(here, name));
}

/** A compiled test whose source has gone is a left-over of an earlier build. */
function sourceOf(name: string): string {
  return join(packageDirectory(), 'test', name.replace(/\.js$/, '.ts'));
}

function needsPostgres(file: string): boolean {
  const name = relative(here, file);
  return !PURE.some((prefix) => name.startsWith(prefix));
}

function runTests(files: readonly string[], postgresUrl: string | undefined): Promise<number> {
  const child = spawn(
    process.execPath,
    [
      '--test',
      `--test-concurrency=${Math.max(2, availableParallelism())}`,
      `--test-timeout=${FILE_TIMEOUT_MS}`,
      '--test-reporter=spec',
      '--test-reporter-destination=stdout',
      ...files.map((file) => relative(process.cwd(), file)),
    ],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...(postgresUrl === undefined ? {} : { TROUPE_TEST_POSTGRES: postgresUrl }) },
    },
  );
  const forward = () => child.kill('SIGTERM');
  process.on('SIGTERM', forward);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => {
      process.off('SIGTERM', forward);
      resolve(code ?? 1);
    });
  });
}
