// Bundles the page into dist/web/public: index.html, one script and one stylesheet with content hashes in
// their names, their gzip and brotli twins, and the licences of the bundled packages. The same sources give
// the same bytes. Runs on the build machine only; the page contains none of it.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const root = packageRoot(here);
await bundle(join(root, 'web'), join(here, 'public'));

/** Writes the page's files to `out`, which it empties first, and prints their sizes. */
async function bundle(source: string, out: string): Promise<void> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: [
      { in: join(source, 'main.ts'), out: 'app' },
      { in: join(source, 'styles/app.css'), out: 'app' },
    ],
    outdir: out,
    entryNames: '[name]-[hash]',
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: ['chrome111', 'firefox113', 'safari16.4'],
    legalComments: 'inline',
    banner: {
      js: '/*! Licences of the bundled packages: licenses.txt */',
      css: '/*! Licences of the bundled packages: licenses.txt */',
    },
    metafile: true,
    write: false,
    logLevel: 'warning',
  });

  const files = new Map<string, Uint8Array>();
  for (const file of outputFiles) files.set(basename(file.path), file.contents);
  const named = (ending: string): string => {
    const name = [...files.keys()].find((key) => key.endsWith(ending));
    if (name === undefined) throw new Error(`the bundle has no ${ending} file`);
    return name;
  };
  const page = readFileSync(join(source, 'index.html'), 'utf8')
    .replace('app.css', named('.css'))
    .replace('app.js', named('.js'));
  files.set('index.html', Buffer.from(page));
  files.set('licenses.txt', Buffer.from(licences(Object.keys(metafile.inputs))));

  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const sizes: string[] = [];
  for (const [name, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const gzip = gzipSync(bytes, { level: 9 });
    const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
    writeFileSync(join(out, name), bytes);
    writeFileSync(join(out, `${name}.gz`), gzip);
    writeFileSync(join(out, `${name}.br`), brotli);
    sizes.push(`${name} ${kilobytes(bytes)} (gzip ${kilobytes(gzip)}, brotli ${kilobytes(brotli)})`);
  }
  console.log(`web: ${sizes.join('; ')}`);
}

/** The licence texts of every package that the bundle took a file from. */
function licences(inputs: readonly string[]): string {
  const packages = new Set<string>();
  for (const input of inputs) {
    const match = /^(?:.*\/)?(node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input.replaceAll('\\', '/'));
    if (match?.[1] !== undefined) packages.add(match[1]);
  }
  const texts: string[] = [];
  for (const folder of [...packages].sort()) {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    const file = readdirSync(join(root, folder)).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    const text =
      file === undefined ? `Licence: ${license}` : readFileSync(join(root, folder, file), 'utf8').trim();
    texts.push(`${name} ${version}\n\n${text}\n`);
  }
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}

/** The folder of package.json, both from sources and from any build folder. */
function packageRoot(from: string): string {
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    try {
      if (JSON.parse(readFileSync(manifest, 'utf8')).name === 'troupe') return folder;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }
  throw new Error(`no package.json of troupe above ${from}`);
}

function kilobytes(bytes: Uint8Array): string {
  return `${(bytes.length / 1024).toFixed(1)} kB`;
}
