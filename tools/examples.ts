// `npm run examples`: a node as `npm start` runs it, and the pages of examples/ beside it. The words of the command
// line go to the node. Ctrl-C stops both.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { bundleExamples, serveFiles } from './example-pages.ts';

const PORT = 8090;
const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url));
const pages = [`http://127.0.0.1:${PORT}`, `http://localhost:${PORT}`];

let nodeUrl = 'ws://127.0.0.1:8080';
const server = await serveFiles(await bundleExamples(), PORT, () => nodeUrl);
const node = spawn(
  process.execPath,
  [MAIN, 'serve', '--set', `listen.origins=[${pages.join(', ')}]`, ...process.argv.slice(2)],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
node.stdout.on('data', (text: Buffer) => {
  process.stdout.write(text);
  const [, url] = /is ready: http(\S+?)\/? /.exec(text.toString()) ?? [];
  if (url === undefined) return;
  nodeUrl = `ws${url}`;
  process.stdout.write(`The examples are ready: ${pages[0]}/\n`);
});
// Ctrl-C reaches the node by itself.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => signal === 'SIGTERM' && node.kill(signal));
const [code] = await once(node, 'exit');
server.close();
server.closeAllConnections();
process.exitCode = code ?? 1;
