// `npm run examples`: a node as `npm start` runs it, and the pages of examples/ beside it. Ctrl-C stops both.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  commandLine,
  examples,
  explainMisuse,
  readWords,
  wholeNumber,
} from '../config/command-line/command-line.ts';
import { bundleExamples, serveFiles } from './example-pages.ts';

const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url));
const all = (value: string, before: string[]): string[] => [...before, value];

const command = commandLine('npm run examples --', (text) => process.stdout.write(text))
  .description('A node as `npm start` runs it, and the pages of examples/ beside it. Ctrl-C stops both.')
  .option('--port <PORT>', 'port of the pages', wholeNumber(1, 65_535), 8090)
  .option('-c, --config <FILE>', 'a YAML file of the node; repeatable', all, [])
  .option('--set <KEY=VALUE>', 'one key of the configuration of the node; repeatable', all, [])
  .addHelpText('after', examples('npm run examples -- --set listen.port=9000'));

async function run(): Promise<number> {
  const { port, config, set } = command.opts();
  const pages = [`http://127.0.0.1:${port}`, `http://localhost:${port}`];
  let nodeUrl = 'ws://127.0.0.1:8080';
  const server = await serveFiles(await bundleExamples(), port, () => nodeUrl);
  const words = [
    ...config.flatMap((file) => ['--config', file]),
    ...[`listen.origins=[${pages.join(', ')}]`, ...set].flatMap((setting) => ['--set', setting]),
  ];
  const node = spawn(process.execPath, [MAIN, 'serve', ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
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
  return code ?? 1;
}

const found = readWords(command, process.argv.slice(2));
if (found === 'read') process.exitCode = await run();
else if (found !== 'printed')
  process.exitCode = explainMisuse(found, 'npm run examples', (text) => process.stderr.write(text));
