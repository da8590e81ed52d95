// The `troupe` command: chooses the command to run, the destination of its output, and its exit code.
// Expected failures end here as text without a stack; all other errors are thrown on.

import { checkCertificates } from '../../config/certificates.ts';
import type { Environment } from '../../config/environment.ts';
import { ConfigError, EXIT, type ExitCode, type StartError } from '../../config/fatal.ts';
import { type LoadedConfig, loadWithSources } from '../../config/load.ts';
import { printConfig } from '../../config/print.ts';
import { Secrets } from '../../config/secrets.ts';
import { type Command, HELP, parseCommand } from './args.ts';
import { backup, restore } from './backup.ts';
import { drain } from './cluster/drain.ts';
import { localClusterFile } from './cluster/local.ts';
import { move, pin, unpin } from './cluster/pin.ts';
import { release } from './cluster/release.ts';
import { showPins, status } from './cluster/status.ts';
import { explain } from './failure.ts';
import { migrate } from './migrate.ts';
import { renewHistory } from './renew-history.ts';
import { serve } from './serve.ts';
import { version } from './version.ts';

/** The parts of the process that a command uses. */
export interface Io {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  readonly env: Environment;
}

/**
 * Runs one command line and resolves with the exit code. `serve` resolves once the node has stopped.
 * `secrets` learns the secrets of the configuration.
 */
export async function run(
  argv: readonly string[],
  io: Io = process,
  secrets = new Secrets(),
): Promise<ExitCode> {
  const command = parseCommand(argv);
  if (command.name === 'usage') {
    io.stderr.write(`troupe: ${command.message} (see troupe --help)\n`);
    return EXIT.usage;
  }
  try {
    return await runCommand(command, io, secrets);
  } catch (error) {
    const expected = explain(error);
    if (expected === undefined) throw error;
    io.stderr.write(`${secrets.hide(report(expected))}\n`);
    return expected.exitCode;
  }
}

async function runCommand(command: Command, io: Io, secrets: Secrets): Promise<ExitCode> {
  if (command.name === 'help' || command.name === 'version') {
    io.stdout.write(command.name === 'help' ? HELP : `${version()}\n`);
    return EXIT.ok;
  }
  const { config, sourceOf } = loadForCommand(command, io);
  secrets.learn(config);
  switch (command.name) {
    case 'config check':
      checkCertificates(config);
      io.stdout.write('The configuration is valid.\n');
      return EXIT.ok;
    case 'config print':
      io.stdout.write(printConfig(config, sourceOf));
      return EXIT.ok;
    case 'migrate':
      return await migrate(config, io);
    case 'serve':
      checkCertificates(config);
      return await serve(config, { secrets });
    case 'cluster status':
      return await status(config, command, io);
    case 'cluster pins':
      return await showPins(config, command, io);
    case 'cluster drain':
      return await drain(config, command, io);
    case 'cluster move':
      return await move(config, command, io);
    case 'cluster pin':
      return await pin(config, command, io);
    case 'cluster unpin':
      return await unpin(config, command.matches, io);
    case 'cluster release':
      return await release(config, command, io);
    case 'storage renew-history':
      return await renewHistory(config, command, io);
    case 'storage backup':
      return await backup(config, command.file, io);
    case 'storage restore':
      return await restore(config, command.file, io);
  }
}

/**
 * Commands of a cluster use the cluster that `npm run cluster` runs in this directory, unless a database is
 * configured.
 */
function loadForCommand(command: Exclude<Command, { name: 'help' | 'version' }>, io: Io): LoadedConfig {
  const sources = { ...command.sources, env: io.env };
  const loaded = loadWithSources(sources);
  if (!command.name.startsWith('cluster ') || loaded.sourceOf('storage.url') !== undefined) return loaded;
  const file = localClusterFile();
  if (file === undefined) return loaded;
  io.stderr.write(`Using the cluster of npm run cluster (${file})\n`);
  return loadWithSources({ ...sources, files: [file, ...sources.files] });
}

function report(error: StartError): string {
  if (!(error instanceof ConfigError)) return `troupe: ${error.message}`;
  return `troupe: the configuration cannot be used\n${error.message.replace(/^/gm, '  ')}`;
}
