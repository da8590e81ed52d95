// `troupe serve`: starts the node, reports when it is ready, and stops it on a signal or when it fails.
//
// starting → ready → stopping → stopped. A signal moves starting and ready to stopping (a start under way is
// given up). A second signal in stopping exits at once. Failures of the output affect neither serving nor
// stopping.
import pino, { type Logger } from 'pino';
import { isClustered } from '../../config/clustered.ts';
import {
  onStopSignals,
  type Signal,
  type StopSignalsOptions,
} from '../../config/command-line/stop-signals.ts';
import { outliveTerminal } from '../../config/command-line/terminal.ts';
import { EXIT, type ExitCode } from '../../config/fatal.ts';
import type { Config } from '../../config/schema.ts';
import { Secrets } from '../../config/showing/secrets.ts';
import { describePostgresUrl } from '../../config/urls/postgres-url.ts';
import { stopTimeoutMs } from '../membership/leaving.ts';
import type { RunningNode } from '../node.ts';
import { LogDestination } from './log-destination.ts';

/** The parts of a node that serving uses. */
export type ServedNode = Pick<RunningNode, 'url' | 'stop' | 'failed'>;

/** Rejects with StartError if a person can mend the cause. */
export type StartNode = (config: Config, options: StartOptions) => Promise<ServedNode>;

export interface StartOptions {
  readonly log: Logger;
  /**
   * Aborted: the start is no longer wanted. It may reject with the reason once all that it started has ended.
   */
  readonly signal: AbortSignal;
}

/** The parts of the process that serving uses. */
export interface ServeDeps {
  readonly startNode: StartNode;
  readonly log: Logger;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  readonly signals: NonNullable<StopSignalsOptions['signals']>;
  readonly now: () => number;
  /** Calls back after `ms` unless the process has ended before. The returned function cancels it. */
  readonly later: (ms: number, callback: () => void) => () => void;
  readonly exit: (code: number) => void;
  /** Masked in all output. */
  readonly secrets: Secrets;
}

/**
 * A resource that keeps a stopped process alive for this long is a leak. It is logged, and the process exits.
 */
const LEAK_MS = 2_000;

/** Serves until it is told to stop. Resolves with the exit code. */
export async function serve(config: Config, replaced: Partial<ServeDeps> = {}): Promise<ExitCode> {
  const deps: ServeDeps = { ...(await processDeps(config, replaced)), ...replaced };
  const unwanted = new AbortController();
  let cancelLimit: (() => void) | undefined;
  const limit = (): void => {
    cancelLimit ??= limitStop(config, deps);
  };
  let wishToStop: (reason: Stop) => void = () => {};
  const stopWished = new Promise<Stop>((resolve) => {
    wishToStop = resolve;
  });
  const stopListening = onStopSignals({
    signals: deps.signals,
    now: deps.now,
    onWish: (signal) => {
      deps.log.info({ signal }, 'this node stops at a signal');
      limit();
      unwanted.abort();
      wishToStop({ signal });
    },
    onInsist: (signal, code) => {
      deps.stderr.write(`troupe: a second signal came (${signal}): the node does not wait any longer\n`);
      deps.exit(code);
    },
  });
  try {
    const node = await deps.startNode(config, { log: deps.log, signal: unwanted.signal });
    if (!unwanted.signal.aborted) {
      deps.stdout.write(`Troupe is ready: ${node.url}  (${storageName(config)})\n`);
    }
    const reason = await Promise.race([stopWished, node.failed.then((error): Stop => ({ error }))]);
    if ('error' in reason) {
      deps.log.fatal({ err: reason.error }, 'the node cannot go on');
      deps.stderr.write(`troupe: the node cannot go on: ${deps.secrets.hide(reason.error.message)}\n`);
      limit();
    }
    await node.stop();
    return ended('error' in reason ? EXIT.failure : EXIT.ok, deps);
  } catch (error) {
    if (unwanted.signal.aborted && error === unwanted.signal.reason) return ended(EXIT.ok, deps);
    throw error;
  } finally {
    cancelLimit?.();
    stopListening();
  }
}

type Stop = { readonly signal: Signal } | { readonly error: Error };

/** Exits the process when stopping takes too long. The returned function cancels that. */
function limitStop(config: Config, deps: ServeDeps): () => void {
  const timeoutMs = stopTimeoutMs(config);
  const keys = isClustered(config) ? 'drain.timeoutMs and shutdown.timeoutMs' : 'shutdown.timeoutMs';
  return deps.later(timeoutMs, () => {
    deps.stderr.write(
      `troupe: not stopped after ${timeoutMs} ms (${keys}); exiting. Edits that were not acknowledged may be lost\n`,
    );
    deps.exit(EXIT.failure);
  });
}

function ended(code: ExitCode, deps: ServeDeps): ExitCode {
  deps.later(LEAK_MS, () => {
    deps.log.warn('this node has stopped, but something keeps its process alive: it exits');
    deps.exit(code);
  });
  return code;
}

function storageName(config: Config): string {
  if (config.storage.url === 'embedded') return `PostgreSQL embedded in ${config.storage.embedded.directory}`;
  return `PostgreSQL at ${describePostgresUrl(config.storage.url)}`;
}

async function processDeps(config: Config, replaced: Partial<ServeDeps>): Promise<ServeDeps> {
  return {
    startNode: replaced.startNode ?? (await import('../node.ts')).startNode,
    ...processOutput(config, replaced),
    signals: process,
    secrets: new Secrets(),
    now: () => performance.now(),
    later: (ms, callback) => {
      const timer = setTimeout(callback, ms).unref();
      return () => clearTimeout(timer);
    },
    exit: (code) => process.exit(code),
  };
}

/** The log and the messages for people go the same way, in the order in which they are written. */
function processOutput(
  config: Config,
  { log, stdout, stderr, secrets = new Secrets() }: Partial<ServeDeps>,
): Pick<ServeDeps, 'log' | 'stdout' | 'stderr'> {
  if (log !== undefined && stdout !== undefined && stderr !== undefined) return { log, stdout, stderr };
  outliveTerminal();
  const destination = new LogDestination(2, {
    mask: (text) => secrets.hide(text),
    onResumed: (dropped) => logger.warn({ dropped }, 'lines of the log could not be written'),
  });
  process.once('exit', () => destination.flushSync());
  const logger = pino({ level: config.log.level, base: { node: config.node.name } }, destination);
  return { log: logger, stdout: process.stdout, stderr: destination };
}
