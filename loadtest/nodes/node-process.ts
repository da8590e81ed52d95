// A Troupe node as a process of its own, for runs that kill it. Owns the process and the embedded
// PostgreSQL that a killed node leaves behind; signals nothing that it did not start.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-ports.ts';

export interface NodeProcessOptions {
  /** Directory of the embedded PostgreSQL's files, kept over restarts; or the URL of another PostgreSQL. */
  readonly storage: { readonly directory: string } | { readonly url: string };
  /** Passed on as `--set`, such as `limits.submitsPerSecond=100000`. */
  readonly set?: readonly string[];
  /** Default: any free one, the same over restarts. */
  readonly port?: number;
  /** Compiled entry point; default: that of this build. */
  readonly main?: string;
  /** Whether Ctrl-C in the terminal does not reach the node: the parent stops it later (default false). */
  readonly detached?: boolean;
  /** Called with all output of the node. */
  readonly onOutput?: (text: string) => void;
}

/** Longest time until a node is ready: its first start makes a database. */
const READY_MS = 60_000;
const STOP_MS = 30_000;

export class NodeProcess {
  readonly port: number;
  readonly #options: NodeProcessOptions;
  #child: ChildProcess | undefined;
  #output = '';

  private constructor(options: NodeProcessOptions, port: number) {
    this.#options = options;
    this.port = port;
  }

  /** Starts a node and waits until it is ready. Rejects with its output if it does not become ready. */
  static async start(options: NodeProcessOptions): Promise<NodeProcess> {
    const node = new NodeProcess(options, options.port ?? (await freePort()));
    await node.restart();
    return node;
  }

  get socketUrl(): string {
    return `ws://127.0.0.1:${this.port}/v1/socket`;
  }

  get pid(): number {
    const { pid } = this.#child ?? {};
    if (pid === undefined) throw new Error('the node does not run');
    return pid;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /**
   * Starts it again on the same port and data, after it has ended. `more`: settings for this start, which
   * override the others.
   */
  async restart(more: readonly string[] = []): Promise<void> {
    const { storage, set = [], main = DEFAULT_MAIN, detached = false } = this.#options;
    const settings = [
      'listen.host=127.0.0.1',
      `listen.port=${this.port}`,
      ...('url' in storage
        ? [`storage.url=${storage.url}`]
        : ['storage.url=embedded', `storage.embedded.directory=${storage.directory}`]),
      ...set,
      ...more,
    ];
    this.#output = '';
    const child = spawn(
      process.execPath,
      [main, 'serve', ...settings.flatMap((setting) => ['--set', setting])],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        detached,
      },
    );
    this.#child = child;
    // The parent process may be interrupted before it stops the node.
    const end = (): void => void child.kill('SIGKILL');
    process.once('exit', end);
    child.once('close', () => process.off('exit', end));
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string) => {
        child.kill('SIGKILL');
        reject(new Error(`the node ${why}:\n${this.#output}`));
      };
      const timer = setTimeout(() => fail(`was not ready after ${READY_MS} ms`), READY_MS);
      child.once('exit', (code, signal) => {
        clearTimeout(timer);
        fail(`ended with ${signal ?? code}`);
      });
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        this.#keep(text);
        if (!this.#output.includes('Troupe is ready')) return;
        clearTimeout(timer);
        child.removeAllListeners('exit');
        resolve();
      });
      child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#keep(text));
    });
  }

  /** The latest output. */
  get log(): string {
    return this.#output;
  }

  /** kill -9, and waits until it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.running) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  /** Sends SIGSTOP: its connections stand, and it answers nothing. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  /** Sends SIGCONT. */
  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Makes one turn of its main thread slow. Works for test processes that handle SIGUSR2. */
  holdUp(): void {
    this.#child?.kill('SIGUSR2');
  }

  /** Sends SIGTERM, and waits for its exit code; sends SIGKILL when it takes too long, which is an error. */
  async stop(): Promise<number> {
    const child = this.#child;
    if (child === undefined || !this.running) return 0;
    const exit = once(child, 'exit');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    child.kill('SIGTERM');
    const [code, signal] = await exit;
    clearTimeout(timer);
    if (signal === 'SIGKILL')
      throw new Error(`the node had not stopped after ${STOP_MS} ms:\n${this.#output}`);
    return typeof code === 'number' ? code : 1;
  }

  /** URL of the node's database, for reading it. */
  async storageUrl(): Promise<string> {
    const { storage } = this.#options;
    if ('url' in storage) return storage.url;
    const password = (await readFile(join(storage.directory, 'postgres-password'), 'utf8')).trim();
    const { port } = (await this.postmaster()) ?? {};
    if (port === undefined) throw new Error('the embedded PostgreSQL does not run');
    return `postgres://troupe:${password}@127.0.0.1:${port}/troupe`;
  }

  /** The embedded PostgreSQL's postmaster; undefined if it does not run. */
  async postmaster(): Promise<{ readonly pid: number; readonly port: number } | undefined> {
    const { storage } = this.#options;
    if (!('directory' in storage)) return undefined;
    const file = join(storage.directory, 'postgres', 'postmaster.pid');
    const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n');
    const pid = Number(lines[0]);
    return pid > 1 && isAlive(pid) ? { pid, port: Number(lines[3]) } : undefined;
  }

  /** Kills the postmaster with kill -9, and waits until it is gone. Returns whether there was one. */
  async killPostmaster(): Promise<boolean> {
    const { pid } = (await this.postmaster()) ?? {};
    if (pid === undefined) return false;
    process.kill(pid, 'SIGKILL');
    while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
    return true;
  }

  /** Resident memory of the process, bytes. Linux. */
  async residentBytes(): Promise<number> {
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  }

  #keep(text: string): void {
    this.#output = (this.#output + text).slice(-KEPT_OUTPUT);
    this.#options.onOutput?.(text);
  }
}

const KEPT_OUTPUT = 64 * 1024;
const DEFAULT_MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
