// `npm run cluster`: a whole cluster on this machine to try out. Redis, PostgreSQL and the nodes each have a
// process of their own. Ctrl-C stops all of them in order; a second Ctrl-C kills them at once. It is for
// trying and testing; production has its own services.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { unlessAborted } from '../actors/abortable.ts';
import { isPostmasterOf, pathsIn, readPostmaster } from '../actors/storage/embedded/data.ts';
import { startEmbeddedPostgres } from '../actors/storage/embedded-postgres.ts';
import {
  commandLine,
  examples,
  explainMisuse,
  readWords,
  wholeNumber,
} from '../config/command-line/command-line.ts';
import { onStopSignals } from '../config/command-line/stop-signals.ts';
import { outliveTerminal } from '../config/command-line/terminal.ts';
import { EXIT } from '../config/fatal.ts';
import { describePostgresUrl } from '../config/urls/postgres-url.ts';
import { configFileIn, LOCAL_CLUSTER_DIRECTORY, localClusterFile } from '../src/cli/cluster/local.ts';

interface Options {
  readonly nodes: number;
  readonly port: number;
  readonly workers: number;
  readonly directory: string;
}

const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url));
const MAX_NODES = 16;
/** Time for a node to stop: more than its default configuration allows it. */
const STOP_MS = 50_000;

/** The processes and files that a second Ctrl-C has to end. */
interface Running {
  readonly children: ChildProcess[];
  readonly postgres: string;
  /** The file of the configuration that all nodes share. */
  readonly config: string;
}

/**
 * Resolves with the exit code when all processes have ended. Aborting `signal` stops the cluster, also while
 * it starts.
 */
async function runCluster(options: Options, running: Running, signal: AbortSignal): Promise<number> {
  const closers: (() => Promise<unknown>)[] = [];
  try {
    const ports = Array.from({ length: options.nodes }, (_, i) => options.port + i);
    for (const port of ports) await demandFree(port);
    mkdirSync(options.directory, { recursive: true });
    // The creation of the database is never interrupted, so the next start finds it whole.
    const database = await startEmbeddedPostgres({ directory: running.postgres, log: () => undefined });
    closers.push(() => database.stop());
    signal.throwIfAborted();
    const redisPort = await freePort();
    const redis = await startRedis(redisPort, options.directory, running);
    closers.push(() => end(redis));
    // The configuration is in a file, because every user of this machine can see the command lines of the
    // nodes.
    writeConfig(running.config, {
      storage: { url: database.url },
      cluster: {
        redis: `redis://127.0.0.1:${redisPort}`,
        secret: randomBytes(24).toString('hex'),
        link: { port: 0 },
      },
      workers: options.workers,
      // The page of one node may connect to another node.
      listen: { origins: ports.flatMap(pagesAt) },
    });
    closers.push(async () => rmSync(running.config, { force: true }));
    const nodes: ChildProcess[] = [];
    closers.push(() => Promise.all(nodes.map(end)));
    for (const [i, port] of ports.entries()) {
      signal.throwIfAborted();
      const node = startNode(settingsOf(i + 1, port), running);
      nodes.push(node.child);
      await unlessAborted(signal, node.ready);
      process.stdout.write(`node-${i + 1}: http://127.0.0.1:${port}/  (process ${node.child.pid})\n`);
    }
    process.stdout.write(
      `The cluster is ready. PostgreSQL: ${describePostgresUrl(database.url)}  Redis: 127.0.0.1:${redisPort}\n`,
    );
    process.stdout.write(nextCommands(running.config, nodes));
    if (!signal.aborted) await once(signal, 'abort');
    return EXIT.ok;
  } catch (error) {
    if (signal.aborted && error === signal.reason) return EXIT.ok;
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return EXIT.failure;
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

/** A node's `publicUrl` is the address that the clients of other nodes learn. */
const settingsOf = (number: number, port: number): string[] => [
  `node.name=node-${number}`,
  `listen.port=${port}`,
  `listen.publicUrl=ws://127.0.0.1:${port}`,
];

/** Origins of a node's page in a browser. */
const pagesAt = (port: number): string[] => [`http://127.0.0.1:${port}`, `http://localhost:${port}`];

/** Kills all processes, so that nothing outlives this one. */
async function endAtOnce({ children, postgres, config }: Running): Promise<void> {
  for (const child of children) child.kill('SIGKILL');
  rmSync(config, { force: true });
  const { data } = pathsIn(await realpath(postgres));
  const { pid } = (await readPostmaster(data)) ?? {};
  if (pid !== undefined && (await isPostmasterOf(data, pid))) process.kill(pid, 'SIGQUIT');
}

/** Rejects if another program listens on the port. */
async function demandFree(port: number): Promise<void> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? error.code : undefined;
    if (why !== 'EADDRINUSE') throw error;
    throw new Error(`127.0.0.1:${port} is in use by another program; choose other ports with --port`);
  }
  server.close();
  await once(server, 'close');
}

/** The file has secrets, so only its owner may read it. */
function writeConfig(file: string, config: object): void {
  rmSync(file, { force: true });
  writeFileSync(file, `# The nodes of npm run cluster, while it runs.\n${stringify(config)}`, {
    mode: 0o600,
  });
}

/** Commands to try in another terminal. They find a cluster in the default directory by themselves. */
function nextCommands(file: string, nodes: readonly ChildProcess[]): string {
  const troupe = `node ${quote(relative(process.cwd(), MAIN))}`;
  const config = file === localClusterFile() ? '' : ` --config ${quote(file)}`;
  return [
    'In another terminal:',
    `  ${troupe} cluster status${config}`,
    `  ${troupe} cluster drain node-1${config}`,
    ...(nodes.length > 1
      ? [`  kill -9 ${nodes.at(-1)?.pid}    # node-${nodes.length}, while you type at its page`]
      : []),
    'Ctrl-C ends it.\n',
  ].join('\n');
}

/** Quotes a path for a shell. */
const quote = (path: string): string =>
  /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;

function startNode(
  settings: readonly string[],
  running: Running,
): { child: ChildProcess; ready: Promise<void> } {
  const child = spawn(
    process.execPath,
    [MAIN, 'serve', '--config', running.config, ...settings.flatMap((set) => ['--set', set])],
    {
      env: environment(),
      stdio: ['ignore', 'pipe', 'inherit'],
      // Ctrl-C must not reach the nodes: this process stops them in order.
      detached: true,
    },
  );
  running.children.push(child);
  const ready = new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (text: Buffer) => {
      if (text.toString().includes('is ready')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`a node has ended with ${code}`)));
  });
  // A node that ends later has printed its own error.
  ready.catch(() => undefined);
  return { child, ready };
}

/** The environment without Troupe's keys, which are meant for other nodes. */
function environment(): NodeJS.ProcessEnv {
  const isKey = (name: string): boolean => name.startsWith('TROUPE_') && !name.startsWith('TROUPE_TEST_');
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isKey(name)));
}

async function startRedis(port: number, directory: string, running: Running): Promise<ChildProcess> {
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const child = spawn('redis-server', [...args, '--dir', directory], { stdio: 'ignore', detached: true });
  running.children.push(child);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', () =>
      reject(new Error('redis-server is not on the PATH: apt-get install -y redis-server')),
    );
  });
  return child;
}

/** Sends SIGTERM, and kills the process after STOP_MS. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await exited;
  clearTimeout(timer);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('no port is free');
  return address.port;
}

const command = commandLine('npm run cluster --', (text) => process.stdout.write(text))
  .description(
    'Run a cluster on this machine: PostgreSQL, Redis and nodes on 127.0.0.1. It needs redis-server. Ctrl-C ends it.',
  )
  .option('--nodes <N>', 'number of nodes', wholeNumber(1, MAX_NODES), 3)
  .option('--port <PORT>', 'port of the first node; the others follow', wholeNumber(1, 65_000), 8080)
  .option('--workers <N>', 'worker threads of each node', wholeNumber(1, 64), 1)
  .option(
    '--directory <DIRECTORY>',
    'for the database and the file that the nodes share',
    LOCAL_CLUSTER_DIRECTORY,
  )
  .addHelpText('after', examples('npm run cluster -- --nodes 2 --port 9000'));
const found = readWords(command, process.argv.slice(2));
if (typeof found === 'object') {
  process.exitCode = explainMisuse(found, 'npm run cluster', (text) => process.stderr.write(text));
} else if (found === 'read') {
  const options = { ...command.opts(), directory: normalize(command.opts().directory) };
  outliveTerminal();
  const running: Running = {
    children: [],
    postgres: join(options.directory, 'postgres'),
    config: configFileIn(options.directory),
  };
  const unwanted = new AbortController();
  const stopListening = onStopSignals({
    onWish: () => unwanted.abort(),
    onInsist: (_signal, code) => void endAtOnce(running).finally(() => process.exit(code)),
  });
  process.exitCode = await runCluster(options, running, unwanted.signal);
  stopListening();
}
