// The pages of examples/: bundled by esbuild in memory, and served over HTTP. It is for trying and for tests; an
// application has a bundler and a web server of its own.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { build } from 'esbuild';
import { packageDirectory } from '../src/cli/version.ts';

interface Example {
  readonly title: string;
  /** The file in which it begins. */
  readonly main: string;
}

/** The examples by their folders. */
const EXAMPLES: Readonly<Record<string, Example>> = {
  tiptap: { title: 'Tiptap', main: 'main.ts' },
  codemirror: { title: 'CodeMirror', main: 'main.ts' },
  lexical: { title: 'Lexical', main: 'main.tsx' },
};

/** The node that the pages name. */
const USUAL_NODE = 'ws://127.0.0.1:8080';

export interface ServedFile {
  readonly type: string;
  readonly content: string;
}

/** The files by their paths, such as `/tiptap/main.js`. */
export async function bundleExamples(
  names: readonly string[] = Object.keys(EXAMPLES),
): Promise<ReadonlyMap<string, ServedFile>> {
  const folder = join(packageDirectory(), 'examples');
  const { outputFiles } = await build({
    absWorkingDir: folder,
    entryPoints: names.flatMap((name) => [
      { in: `${name}/${EXAMPLES[name]?.main}`, out: `${name}/main` },
      { in: `${name}/page.css`, out: `${name}/page` },
    ]),
    outdir: '/',
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'warning',
  });
  const files = new Map<string, ServedFile>();
  for (const { path, text } of outputFiles)
    files.set(path, { type: path.endsWith('.js') ? 'text/javascript' : 'text/css', content: text });
  const page = readFileSync(join(folder, 'shared/page.html'), 'utf8');
  for (const name of names)
    files.set(`/${name}/`, {
      type: 'text/html',
      content: page.replace('TITLE', EXAMPLES[name]?.title ?? name).replace('LINKS', linksOf(name)),
    });
  return files;
}

const linksOf = (name: string): string =>
  Object.entries(EXAMPLES)
    .map(([each, { title }]) => {
      const current = each === name ? ' aria-current="page"' : '';
      return `<a href="../${each}/"${current}>${title}</a>`;
    })
    .join('\n');

/**
 * Serves the files on a loopback address; `/` leads to the first example. Resolves once it listens. `node` answers with
 * the URL of the node for the pages, if that is another one than they name.
 */
export async function serveFiles(
  files: ReadonlyMap<string, ServedFile>,
  port: number,
  node: () => string = () => USUAL_NODE,
): Promise<Server> {
  const server = createServer((request, response) => {
    const [path = '/'] = (request.url ?? '/').split('?');
    const file = files.get(path);
    if (file !== undefined)
      response
        .writeHead(200, { 'content-type': `${file.type}; charset=utf-8` })
        .end(path.endsWith('/') ? file.content.replace(USUAL_NODE, node) : file.content);
    else if (path === '/') response.writeHead(302, { location: `/${Object.keys(EXAMPLES)[0]}/` }).end();
    else response.writeHead(404).end();
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
