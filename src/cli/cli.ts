// The `troupe` command: chooses the command to run, the destination of its output, and its exit code.
// Expected failures end here as text without a stack; all other errors are thrown on.

// Modules that only some commands need are loaded by those commands, so that a help is there at once.

import { explainMisuse } from '../../config/command-line/command-line.ts';
import { completionScript, type Values } from '../../config/command-line/completion.ts';
import { ConfigError, EXIT, type ExitCode, type StartError } from '../../config/fatal.ts';
import type { Environment } from '../../config/keys/environment.ts';
import type { LoadedConfig } from '../../config/load.ts';
import { Secrets } from '../../config/showing/secrets.ts';
import { type ConfiguredCommand, commandTree, parseCommand, type Sources } from './commands.ts';

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
): Promise<number> {
  const command = parseCommand(argv);
  if (command.name === 'usage') return explainMisuse(command, 'troupe', (text) => io.stderr.write(text));
  if (command.name === 'print') {
    io.stdout.write(command.text);
    return EXIT.ok;
  }
  if (command.name === 'completion') {
    io.stdout.write(completionScript(command.shell, commandTree(), await completionValues()));
    return EXIT.ok;
  }
  if (command.name === 'loadtest') {
    const [{ runWork }, { runLoadTestCommand }] = await Promise.all([
      import('../../loadtest/command-line/command.ts'),
      import('../../loadtest/run/load-test-run.ts'),
    ]);
    const program = { program: 'troupe loadtest', help: 'troupe loadtest --help' };
    return await runWork(program, (signal) => runLoadTestCommand(command.scenario, command.words, signal));
  }
  try {
    return await runCommand(command, io, secrets);
  } catch (error) {
    const { explain } = await import('./failure.ts');
    const expected = explain(error);
    if (expected === undefined) throw error;
    io.stderr.write(`${secrets.hide(report(expected))}\n`);
    return expected.exitCode;
  }
}

type Configured = ConfiguredCommand & { readonly sources: Sources };

async function runCommand(command: Configured, io: Io, secrets: Secrets): Promise<ExitCode> {
  const { config, sourceOf } = await loadForCommand(command, io);
  const { learnSecrets } = await import('../../config/keys/walk.ts');
  learnSecrets(config, secrets);
  switch (command.name) {
    case 'config check': {
      const { checkCertificates } = await import('../../config/certificates.ts');
      checkCertificates(config);
      io.stdout.write('The configuration is valid.\n');
      return EXIT.ok;
    }
    case 'config print': {
      const { printConfig } = await import('../../config/showing/print.ts');
      io.stdout.write(printConfig(config, sourceOf));
      return EXIT.ok;
    }
    case 'migrate': {
      const { migrate } = await import('./migrate.ts');
      return await migrate(config, io);
    }
    case 'serve': {
      const { checkCertificates } = await import('../../config/certificates.ts');
      checkCertificates(config);
      const { serve } = await import('./serve.ts');
      return await serve(config, { secrets });
    }
    case 'cluster status':
    case 'cluster pins': {
      const { showPins, status } = await import('./cluster/status.ts');
      return await (command.name === 'cluster status' ? status : showPins)(config, command, io);
    }
    case 'cluster drain': {
      const { drain } = await import('./cluster/drain.ts');
      return await drain(config, command, io);
    }
    case 'cluster move':
    case 'cluster pin':
    case 'cluster unpin': {
      const { move, pin, unpin } = await import('./cluster/pin.ts');
      if (command.name === 'cluster move') return await move(config, command, io);
      if (command.name === 'cluster pin') return await pin(config, command, io);
      return await unpin(config, command.matches, io);
    }
    case 'cluster release': {
      const { release } = await import('./cluster/release.ts');
      return await release(config, command, io);
    }
    case 'storage renew-history': {
      const { renewHistory } = await import('./renew-history.ts');
      return await renewHistory(config, command, io);
    }
    case 'webhooks list':
    case 'webhooks retry': {
      const { listWebhooks, retryWebhooks } = await import('./webhooks.ts');
      if (command.name === 'webhooks list') return await listWebhooks(config, command, io);
      return await retryWebhooks(config, command, io);
    }
    case 'token': {
      const { token } = await import('./token.ts');
      return await token(config, command, io);
    }
    case 'import': {
      const { importDocuments } = await import('./moving/import.ts');
      return await importDocuments(config, command, io);
    }
    case 'export': {
      const { exportDocuments } = await import('./moving/export.ts');
      return await exportDocuments(config, command, io);
    }
    case 'storage backup':
    case 'storage restore': {
      const { backup, restore } = await import('./backup.ts');
      return await (command.name === 'storage backup' ? backup : restore)(config, command.file, io);
    }
  }
}

/**
 * Commands of a cluster use the cluster that `npm run cluster` runs in this directory, unless a database is
 * configured.
 */
async function loadForCommand(command: Configured, io: Io): Promise<LoadedConfig> {
  const { loadWithSources } = await import('../../config/load.ts');
  const sources = { ...command.sources, env: io.env };
  const loaded = loadWithSources(sources);
  if (!command.name.startsWith('cluster ') || loaded.sourceOf('storage.url') !== undefined) return loaded;
  const { localClusterFile } = await import('./cluster/local.ts');
  const file = localClusterFile();
  if (file === undefined) return loaded;
  io.stderr.write(`Using the cluster of npm run cluster (${file})\n`);
  return loadWithSources({ ...sources, files: [file, ...sources.files] });
}

/** The keys of the configuration for `--set`, and the commands for `help`. */
async function completionValues(): Promise<Values> {
  const { ALL_KEYS } = await import('../../config/keys/walk.ts');
  return {
    'KEY=VALUE': ALL_KEYS.map(({ path }) => `${path}=`),
    COMMAND: commandTree().commands.map((command) => command.name()),
  };
}

function report(error: StartError): string {
  if (!(error instanceof ConfigError)) return `troupe: ${error.message}`;
  return `troupe: the configuration cannot be used\n${error.message.replace(/^/gm, '  ')}`;
}
