// Builds dist/ from the sources, and only the part of it whose inputs have changed since the last build: the
// compiled modules (tsc) and the page (web/build.ts). It keeps a digest of the inputs in dist/.build.json, so a
// checkout that was moved, copied or made read-only after a build needs no other. Plain JavaScript, because
// nothing is compiled yet when it runs.
//
//   node build.js                   build, or one line that says what is missing, and exit code 1
//   node build.js --if-possible     the same with exit code 0 where compiler or sources are not installed
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, sep } from 'node:path';

/** @typedef {{ readonly name: 'modules' | 'page', readonly inputs: readonly string[], isThere(): boolean, make(): boolean }} Part */
/** @typedef {{ modules?: string, page?: string }} Digests */

const root = import.meta.dirname;
const dist = join(root, 'dist');
const record = join(dist, '.build.json');
const incremental = join(dist, '.tsbuildinfo');
const compiler = 'node_modules/typescript/bin/tsc';

/** Folders of TypeScript, as in tsconfig.json. */
const MODULES = [
  'protocol',
  'kinds',
  'config',
  'actors',
  'cluster',
  'src',
  'client',
  'web',
  'loadtest',
  'tools',
  'test',
];
const COMPILED = /(\.d\.ts|\.js|\.js\.map)$/;
const SETTINGS = ['build.js', 'tsconfig.json', 'package-lock.json'];

/** @type {readonly Part[]} */
const PARTS = [
  {
    name: 'modules',
    inputs: [...SETTINGS, ...MODULES.flatMap((folder) => below(folder, /\.ts$/))],
    isThere: areModulesThere,
    make: compile,
  },
  {
    name: 'page',
    inputs: [
      ...SETTINGS,
      ...below('web', /./),
      ...['client', 'kinds', 'protocol'].flatMap((folder) => below(folder, /\.ts$/)),
    ],
    isThere: () => existsSync(join(dist, 'web/public/index.html')),
    make: () => run('dist/web/build.js'),
  },
];

process.exitCode = build(process.argv.includes('--if-possible'));

/**
 * @param {boolean} ifPossible
 * @returns {number} the exit code
 */
function build(ifPossible) {
  const digests = readRecord();
  const wanted = PARTS.map((part) => ({ part, digest: digestOf(part.inputs) }));
  const stale = wanted.filter(({ part, digest }) => digests[part.name] !== digest || !part.isThere());
  const problem = missing(stale.length > 0);
  if (problem !== undefined) {
    console.error(problem);
    return ifPossible ? 0 : 1;
  }
  for (const { part, digest } of stale) {
    // A build that is cut short leaves no digest, and is done again.
    delete digests[part.name];
    if (!writeRecord(digests)) return 1;
    if (!part.make()) return 1;
    digests[part.name] = digest;
    writeRecord(digests);
  }
  return 0;
}

/**
 * @param {boolean} stale
 * @returns {string | undefined} what to do first, in one line
 */
function missing(stale) {
  const { dependencies = {}, devDependencies = {} } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  const problem = notInstalled(Object.keys(dependencies));
  if (problem !== undefined || !stale) return problem;
  if ([compiler, 'node_modules/esbuild'].every((tool) => existsSync(join(root, tool)))) {
    return notInstalled(Object.keys(devDependencies));
  }
  const state = existsSync(record) ? 'dist/ is older than the sources' : 'dist/ has not been built';
  return `${state}, and the compiler is a development dependency that is not installed: run \`npm ci --include=dev\`.`;
}

/**
 * @param {readonly string[]} names of packages
 * @returns {string | undefined} the first that is not there as package-lock.json wants it, and what to do
 */
function notInstalled(names) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  for (const name of names) {
    const [there, wanted] = [installedVersion(name), packages[`node_modules/${name}`]?.version];
    if (there === wanted) continue;
    return `${name} ${wanted} is ${there === undefined ? 'not installed' : `wanted, and ${there} installed`}: run \`npm ci\`.`;
  }
  return undefined;
}

/**
 * @param {string} name of a package
 * @returns {string | undefined}
 */
function installedVersion(name) {
  const file = join(root, 'node_modules', name, 'package.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).version : undefined;
}

/** Whether every source has its module. */
function areModulesThere() {
  return MODULES.every((folder) =>
    below(folder, /(?<!\.d)\.ts$/).every((file) => existsSync(compiled(file))),
  );
}

function compile() {
  // The compiler does not look whether what it wrote is still there.
  if (!areModulesThere()) rmSync(incremental, { force: true });
  if (!run(compiler, '-p', 'tsconfig.json', '--incremental', '--tsBuildInfoFile', incremental)) return false;
  removeLeftovers();
  return true;
}

/** Removes what was compiled from sources that are gone by now: it would be packed, and found by the tests. */
function removeLeftovers() {
  const sources = new Set(MODULES.flatMap((folder) => below(folder, /\.ts$/)));
  for (const file of below('dist', COMPILED)) {
    const source = file.slice('dist/'.length).replace(COMPILED, '.ts');
    if (!sources.has(source) && !file.startsWith('dist/web/public/')) rmSync(join(root, file));
  }
}

/**
 * Runs a script with this Node.
 * @param {readonly string[]} args
 * @returns {boolean} false: it failed, and has said so itself
 */
function run(...args) {
  const { status, error } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  return status === 0;
}

/** @returns {Digests} */
function readRecord() {
  try {
    return JSON.parse(readFileSync(record, 'utf8'));
  } catch {
    return {};
  }
}

/**
 * @param {Digests} digests
 * @returns {boolean} false: it cannot be written, and that was said
 */
function writeRecord(digests) {
  try {
    mkdirSync(dist, { recursive: true });
    writeFileSync(record, `${JSON.stringify(digests)}\n`);
    return true;
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? error.code : String(error);
    console.error(
      `dist/ is older than the sources and cannot be written (${reason}): run \`npm run build\` where it can be.`,
    );
    return false;
  }
}

/** @param {readonly string[]} files */
function digestOf(files) {
  const hash = createHash('sha256');
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0');
  return hash.digest('hex');
}

/**
 * Paths below the root, with `/`, sorted.
 * @param {string} folder
 * @param {RegExp} pattern
 * @returns {string[]}
 */
function below(folder, pattern) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(root.length + 1)
        .replaceAll(sep, '/'),
    )
    .sort();
}

/** @param {string} source */
function compiled(source) {
  return join(dist, source.replace(/\.ts$/, '.js'));
}
