// The programs that tests need beside Node, and the programs that a test file needs: those of the modules
// that it imports, directly or through others.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { succeeds } from './command.ts';

export interface Requirement {
  /** The name for messages. */
  readonly name: string;
  /** Names looked for on the PATH, and absolute paths. The first that works is taken. */
  readonly programs: readonly string[];
  /** Tells whether the program at `path` is suitable. Without it every one is. */
  readonly works?: (path: string) => Promise<boolean>;
  readonly debian: {
    readonly package: string;
    /** Paths of the program in the unpacked package and its dependencies. */
    readonly unpacked: readonly string[];
  };
  /** The command to install it on macOS. */
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
  // The script of that name works only with the path of the system's installation.
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

/** Debian's packages are for Debian's python3, which may not be the first on the PATH. */
const DEBIAN_PYTHON = '/usr/bin/python3';

export const PYTHON_WEBSOCKETS: Requirement = {
  name: 'python3 with websockets',
  programs: ['python3', DEBIAN_PYTHON],
  works: (python) => succeeds([python, '-c', 'import websockets']),
  debian: { package: 'python3-websockets', unpacked: ['usr/bin/python3', DEBIAN_PYTHON] },
  macos: 'python3 -m pip install websockets',
};

export const ZSH: Requirement = {
  name: 'zsh',
  programs: ['zsh'],
  debian: { package: 'zsh', unpacked: ['bin/zsh', 'usr/bin/zsh'] },
  macos: 'brew install zsh',
};

export const FISH: Requirement = {
  name: 'fish',
  programs: ['fish'],
  debian: { package: 'fish', unpacked: ['usr/bin/fish'] },
  macos: 'brew install fish',
};

export const PROMTOOL: Requirement = {
  name: 'promtool',
  programs: ['promtool'],
  debian: { package: 'prometheus', unpacked: ['usr/bin/promtool'] },
  macos: 'brew install prometheus',
};

export const NGINX: Requirement = {
  name: 'nginx',
  programs: ['nginx', '/usr/sbin/nginx'],
  debian: { package: 'nginx-light', unpacked: ['usr/sbin/nginx'] },
  macos: 'brew install nginx',
};

export const CADDY: Requirement = {
  name: 'caddy',
  programs: ['caddy'],
  debian: { package: 'caddy', unpacked: ['usr/bin/caddy'] },
  macos: 'brew install caddy',
};

const SUPPORT = join(import.meta.dirname, '..');

/** The requirement of each module of SUPPORT. Test files that import the module need it. */
const NEEDED_BY = new Map([
  ['redis.js', REDIS],
  ['pgbouncer.js', PGBOUNCER],
  ['chromium.js', CHROMIUM],
  ['certificates.js', OPENSSL],
  ['programs/python.js', PYTHON_WEBSOCKETS],
  ['programs/zsh.js', ZSH],
  ['programs/fish.js', FISH],
  ['programs/promtool.js', PROMTOOL],
  ['programs/nginx.js', NGINX],
  ['programs/caddy.js', CADDY],
]);

/** The programs that the compiled test `file` needs. */
export function requirementsOf(file: string): Set<Requirement> {
  const found = new Set<Requirement>();
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    const requirement = NEEDED_BY.get(relative(SUPPORT, path).replaceAll(sep, '/'));
    if (requirement !== undefined) found.add(requirement);
    for (const imported of importsOf(path)) visit(imported);
  };
  visit(file);
  return found;
}

const TESTS = join(SUPPORT, '..');
const IMPORT = /^(?:import|export|\}) .*?'(\.{1,2}\/[^']+)';$/gm;

/** The modules below test/ that it imports. Other modules need no program. */
function importsOf(path: string): string[] {
  return [...readFileSync(path, 'utf8').matchAll(IMPORT)]
    .map(([, specifier = '']) => resolve(dirname(path), specifier))
    .filter((imported) => imported.startsWith(TESTS) && existsSync(imported));
}
