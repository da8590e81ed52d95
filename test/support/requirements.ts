// The programs that tests need beside Node, and which of them a test file needs: it needs those of the modules that it
// imports, directly or through others.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { succeeds } from './command.ts';

export interface Requirement {
  /** For people. */
  readonly name: string;
  /** Names looked for on the PATH, and absolute paths. The first that works is taken. */
  readonly programs: readonly string[];
  /** Whether the program at `path` will do. Without it every one does. */
  readonly works?: (path: string) => Promise<boolean>;
  readonly debian: {
    readonly package: string;
    /** Paths of the program in the unpacked package and what it depends on. */
    readonly unpacked: readonly string[];
  };
  /** The command on macOS. */
  readonly macos: string;
}

export const REDIS: Requirement = {
  name: 'redis-server',
  programs: ['redis-server'],
  debian: { package: 'redis-server', unpacked: ['usr/bin/redis-server'] },
  macos: 'brew install redis',
};

export const PGBOUNCER: Requirement = {
  name: 'pgbouncer',
  programs: ['pgbouncer'],
  debian: { package: 'pgbouncer', unpacked: ['usr/sbin/pgbouncer'] },
  macos: 'brew install pgbouncer',
};

export const CHROMIUM: Requirement = {
  name: 'chromium',
  // The headless shell takes two thirds of the processor time of a whole browser.
  programs: [
    ...['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  ],
  // The script of that name knows only the place where the system has it.
  debian: {
    package: 'chromium-headless-shell',
    unpacked: ['usr/lib/chromium/chromium-headless-shell'],
  },
  macos: 'brew install --cask google-chrome',
};

export const OPENSSL: Requirement = {
  name: 'openssl',
  programs: ['openssl'],
  debian: { package: 'openssl', unpacked: ['usr/bin/openssl'] },
  macos: 'brew install openssl',
};

/** Debian's packages are for Debian's python3, which need not be the first on the PATH. */
const DEBIAN_PYTHON = '/usr/bin/python3';

export const PYTHON_WEBSOCKETS: Requirement = {
  name: 'python3 with websockets',
  programs: ['python3', DEBIAN_PYTHON],
  works: (python) => succeeds([python, '-c', 'import websockets']),
  debian: { package: 'python3-websockets', unpacked: ['usr/bin/python3', DEBIAN_PYTHON] },
  macos: 'python3 -m pip install websockets',
};

/** By the module, next to this one, whose users need it. */
const NEEDED_BY = new Map([
  ['redis.js', REDIS],
  ['pgbouncer.js', PGBOUNCER],
  ['chromium.js', CHROMIUM],
  ['certificates.js', OPENSSL],
  ['python.js', PYTHON_WEBSOCKETS],
]);

/** What the compiled test `file` needs. */
export function requirementsOf(file: string): Set<Requirement> {
  const found = new Set<Requirement>();
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    const requirement =
      dirname(path) === import.meta.dirname ? NEEDED_BY.get(path.slice(dirname(path).length + 1)) : undefined;
    if (requirement !== undefined) found.add(requirement);
    for (const imported of importsOf(path)) visit(imported);
  };
  visit(file);
  return found;
}

const TESTS = join(import.meta.dirname, '..');
const IMPORT = /^(?:import|export|\}) .*?'(\.{1,2}\/[^']+)';$/gm;

/** Modules below test/ that it imports. The others need nothing. */
function importsOf(path: string): string[] {
  return [...readFileSync(path, 'utf8').matchAll(IMPORT)]
    .map(([, specifier = '']) => resolve(dirname(path), specifier))
    .filter((imported) => imported.startsWith(TESTS) && existsSync(imported));
}
