// The commands of `troupe`: one description of each, which parses it, prints its help and completes it in a
// shell. A command line becomes a value; this module runs nothing.
import { Argument, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { SHARDS, shardOf } from '../../actors/shard.ts';
import { matchOfShard, orgOfMatch } from '../../cluster/placement/pins.ts';
import {
  collect,
  commandLine,
  commandsOf,
  examples,
  type Print,
  readWords,
  time,
} from '../../config/command-line/command-line.ts';
import { SHELLS, type Shell } from '../../config/command-line/completion.ts';
import { showDuration } from '../../config/keys/units.ts';
import { describeLoadTest, type LoadTestWords } from '../../loadtest/run/load-test-command.ts';
import { parseDocumentName } from '../../protocol/names.ts';
import { describeExport, describeImport, type ExportWords, type ImportWords } from './moving/words.ts';
import type { TokenClaims } from './token.ts';
import { version } from './version.ts';

/** The sources for loadConfig, in the order given. */
export interface Sources {
  readonly files: readonly string[];
  readonly set: readonly string[];
}

export type Command =
  /** A help, or the version. */
  | { readonly name: 'print'; readonly text: string }
  | { readonly name: 'completion'; readonly shell: Shell }
  | { readonly name: 'loadtest'; readonly scenario: string; readonly words: LoadTestWords }
  | (ConfiguredCommand & { readonly sources: Sources });

/** `timeoutMs` undefined: the time that the configuration gives a node for leaving. */
export type ConfiguredCommand =
  | { readonly name: 'serve' | 'migrate' | 'config check' | 'config print' }
  | { readonly name: 'cluster status' | 'cluster pins'; readonly json: boolean }
  | { readonly name: 'cluster drain'; readonly node: string; readonly timeoutMs: number | undefined }
  | {
      readonly name: 'cluster move';
      readonly shard: number;
      readonly node: string;
      readonly timeoutMs: number;
    }
  | {
      readonly name: 'cluster pin';
      readonly match: string;
      readonly node: string;
      readonly slot: number | undefined;
      readonly force: boolean;
    }
  | { readonly name: 'cluster release'; readonly doc: string; readonly timeoutMs: number }
  /** Unpins the first of `matches` that is pinned. */
  | { readonly name: 'cluster unpin'; readonly matches: readonly string[] }
  | { readonly name: 'storage renew-history'; readonly force: boolean }
  | { readonly name: 'webhooks list'; readonly json: boolean }
  | { readonly name: 'webhooks retry'; readonly endpoint: string | undefined }
  | ({ readonly name: 'token' } & TokenClaims)
  | { readonly name: 'storage backup' | 'storage restore'; readonly file: string }
  | ({ readonly name: 'import' } & ImportWords)
  | ({ readonly name: 'export' } & ExportWords);

/** A command line that cannot be understood. `message` is one line, and `help` the command that explains more. */
export interface UsageError {
  readonly name: 'usage';
  readonly message: string;
  readonly help: string;
}

/** `argv` without the interpreter and the script. */
export function parseCommand(argv: readonly string[]): Command | UsageError {
  let text = '';
  const found: (Command | undefined)[] = [];
  const root = commandTree({
    print: (part) => {
      text += part;
    },
    take: (command) => found.push(command),
  });
  const read = readWords(root, argv);
  if (typeof read === 'object') return { name: 'usage', ...read };
  return found[0] ?? { name: 'print', text };
}

/** The names of all commands, such as `cluster status`. */
export const commandNames = (): readonly string[] => [...commandsOf(commandTree()).keys()];

interface Reader {
  readonly print: Print;
  readonly take: (command: Command) => void;
}

const NOBODY: Reader = { print: () => undefined, take: () => undefined };

/** The description of all commands. */
export function commandTree({ print, take: takeAny }: Reader = NOBODY) {
  const root = commandLine('troupe', print)
    .description('Troupe: a backend for real-time collaborative documents')
    .option('-c, --config <FILE>', 'a YAML file; repeatable, a later file overrides an earlier one', collect)
    .option(
      '--set <KEY=VALUE>',
      'one key of the configuration, such as listen.port=9000; repeatable, overrides all files',
      assignment,
    )
    .version(version(), '-v, --version', 'print the version')
    .addHelpText('after', ENVIRONMENT);
  const take = (command: ConfiguredCommand): void => {
    const { config: files = [], set = [] } = root.opts();
    takeAny({ ...command, sources: { files, set } });
  };

  root
    .command('serve')
    .description('Run a node until it is told to stop.')
    .addHelpText(
      'after',
      examples('troupe serve', 'troupe serve --config troupe.yaml --set listen.port=9000'),
    )
    .action(() => take({ name: 'serve' }));

  root
    .command('migrate')
    .description("Bring the database's schema up to date. Safe while nodes run.")
    .addHelpText('after', examples('troupe migrate --config troupe.yaml'))
    .action(() => take({ name: 'migrate' }));

  const config = root.command('config').description('Check or print the configuration.');
  config
    .command('check')
    .description('Check the configuration. Every problem is a line with its key; the exit code is then 78.')
    .addHelpText('after', examples('troupe config check --config troupe.yaml'))
    .action(() => take({ name: 'config check' }));
  config
    .command('print')
    .description('Print every key with its comment and the value that a node would use. Secrets are masked.')
    .addHelpText('after', examples('troupe config print --config troupe.yaml'))
    .action(() => take({ name: 'config print' }));

  const cluster = root
    .command('cluster')
    .description('Look at a running cluster, and place its shards.')
    .addHelpText('after', CLUSTER);
  cluster
    .command('status')
    .description('Show nodes, shards and pins.')
    .option('--json', 'print JSON (default: a table)')
    .addHelpText('after', examples('troupe cluster status', 'troupe cluster status --json | jq .shards'))
    .action(({ json = false }) => take({ name: 'cluster status', json }));
  cluster
    .command('drain')
    .description('Have a node hand its shards over and send its clients away. It runs until it is stopped.')
    .argument('<NODE>', 'name of the node', nodeName)
    .option(
      '--timeout <TIME>',
      'how long to wait, such as 90s (default: the time that the configuration gives a node for leaving, and 10s)',
      time,
    )
    .addHelpText('after', examples('troupe cluster drain node-1 --timeout 90s'))
    .action((node, { timeout: timeoutMs }) => take({ name: 'cluster drain', node, timeoutMs }));
  cluster
    .command('move')
    .description('Move a shard to a node, and pin it there.')
    .argument('<SHARD>', `a shard (0 to ${SHARDS - 1}), or a document (org/name) of the shard`, shard)
    .argument('<NODE>', 'name of the node', nodeName)
    .addOption(patience(30_000))
    .addHelpText('after', examples('troupe cluster move 17 node-2', 'troupe cluster move acme/plan node-2'))
    .action((number, node, { timeout: timeoutMs }) =>
      take({ name: 'cluster move', shard: number, node, timeoutMs }),
    );
  cluster
    .command('pin')
    .description('Keep a document, an organisation or a shard on a node, or on one of its workers.')
    .argument('<MATCH>', MATCH, match)
    .argument('<NODE[:SLOT]>', 'name of the node, and the number of the worker', nodeAndSlot)
    .option('--force', 'pin to a node that is not there (default: refuse)')
    .addHelpText('after', examples('troupe cluster pin acme node-2', 'troupe cluster pin acme/plan node-2:0'))
    .action((what, where, { force = false }) => take({ name: 'cluster pin', match: what, ...where, force }));
  cluster
    .command('unpin')
    .description('Undo a pin or a move.')
    .argument('<MATCH>', `${MATCH}, or the number of a shard`, pinned)
    .addHelpText('after', examples('troupe cluster unpin acme', 'troupe cluster unpin shard:17'))
    .action((matches) => take({ name: 'cluster unpin', matches }));
  cluster
    .command('pins')
    .description('Show every pin and where it leads.')
    .option('--json', 'print JSON (default: a table)')
    .addHelpText('after', examples('troupe cluster pins'))
    .action(({ json = false }) => take({ name: 'cluster pins', json }));
  cluster
    .command('release')
    .description('Put a quarantined document into service again, on every node.')
    .argument('<DOC>', 'the document, org/name', documentName)
    .addOption(patience(10_000))
    .addHelpText('after', examples('troupe cluster release acme/plan'))
    .action((doc, { timeout: timeoutMs }) => take({ name: 'cluster release', doc, timeoutMs }));

  const storage = root.command('storage').description('Back up and restore the database.');
  storage
    .command('backup')
    .description('Write the whole database to a file, also while nodes run.')
    .argument('<FILE>', 'the file to write; it must not exist')
    .addHelpText('after', examples('troupe storage backup troupe.backup'))
    .action((file) => take({ name: 'storage backup', file }));
  storage
    .command('restore')
    .description('Read a backup into an empty database.')
    .argument('<FILE>', 'a file that `troupe storage backup` wrote')
    .addHelpText('after', examples('troupe storage restore troupe.backup --config troupe.yaml'))
    .action((file) => take({ name: 'storage restore', file }));
  storage
    .command('renew-history')
    .description("After PostgreSQL's own backup was restored: clients load their documents anew.")
    .option('--force', 'also while nodes seem to run, which are then fenced (default: refuse)')
    .addHelpText('after', examples('troupe storage renew-history --config troupe.yaml'))
    .action(({ force = false }) => take({ name: 'storage renew-history', force }));

  const webhooks = root.command('webhooks').description('Look at messages of webhooks, and send them again.');
  webhooks
    .command('list')
    .description('Show the messages that no receiver has confirmed, those that are parked first.')
    .option('--json', 'print JSON (default: a table)')
    .addHelpText('after', examples('troupe webhooks list --config troupe.yaml'))
    .action(({ json = false }) => take({ name: 'webhooks list', json }));
  webhooks
    .command('retry')
    .description('Have parked messages sent again.')
    .argument('[ENDPOINT]', 'name of the receiver (default: all)')
    .addHelpText('after', examples('troupe webhooks retry', 'troupe webhooks retry billing'))
    .action((endpoint) => take({ name: 'webhooks retry', endpoint }));

  root
    .command('token')
    .description('Print a token for development, signed with auth.jwt.secret.')
    .argument('<SUB>', 'the user')
    .option('--grant <PATTERN=ROLE>', 'a right, such as acme/*=editor; repeatable', grant)
    .option('--name <NAME>', 'a name that others may be shown')
    .option('--admin', 'with the right to administer (default: without)')
    .addOption(
      new Option('--expires <TIME>', 'how long the token lasts, such as 15m')
        .argParser(time)
        .default(HOUR_MS, showDuration(HOUR_MS)),
    )
    .addHelpText('after', examples("troupe token ada --grant 'acme/*=editor' --config troupe.yaml"))
    .action((sub, { grant: docs = {}, name: displayName, admin = false, expires: expiresMs }) =>
      take({ name: 'token', sub, docs, displayName, admin, expiresMs }),
    );

  describeImport(root.command('import'), (words) => take({ name: 'import', ...words }));
  describeExport(root.command('export'), (words) => take({ name: 'export', ...words }));

  describeLoadTest(root.command('loadtest'), 'troupe loadtest').action((scenario, words) => {
    const { config: files = [], set = [] } = root.opts();
    if (files.length + set.length > 0)
      throw new InvalidArgumentError('loadtest reads no configuration: it has neither --config nor --set');
    takeAny({ name: 'loadtest', scenario, words });
  });

  root
    .command('completion')
    .description('Print the completion of `troupe` for a shell.')
    .addArgument(new Argument('<SHELL>', 'the shell').choices(SHELLS))
    .addHelpText('after', COMPLETION)
    .action((shell) => takeAny({ name: 'completion', shell }));
  root
    .command('version')
    .description('Print the version.')
    .addHelpText('after', examples('troupe version'))
    .action(() => void print(`${version()}\n`));
  // readWords reads `help COMMAND` as `COMMAND --help`.
  root
    .command('help')
    .description('Print the help of a command, or this one.')
    .argument('[COMMAND...]', 'the command, such as `cluster status`')
    .addHelpText('after', examples('troupe help cluster status'));
  return root;
}

function patience(defaultMs: number) {
  return new Option('--timeout <TIME>', 'how long to wait, such as 90s')
    .argParser(time)
    .default(defaultMs, showDuration(defaultMs));
}

const MATCH = 'a document (org/name), an organisation (org) or a shard (shard:N)';

const ENVIRONMENT = `
Environment:
  TROUPE_CONFIG         YAML files that are read before those of --config, separated as in PATH
  TROUPE_LISTEN_PORT …  one key each, here listen.port; overrides all files, and --set overrides it

Exit codes:
  0 done   1 failed   2 wrong command line   78 wrong configuration
${examples('troupe serve --set listen.port=9000', 'troupe help cluster status')}`;

const CLUSTER = `
The commands need the storage.url of the nodes. Without one they use the cluster that \`npm run cluster\` runs in
this directory.
${examples('troupe cluster status --config troupe.yaml', 'troupe help cluster drain')}`;

const COMPLETION = `
The file for zsh belongs into a directory of your fpath.
${examples(
  'bash:  troupe completion bash > ~/.local/share/bash-completion/completions/troupe',
  'zsh:   troupe completion zsh > ~/.zfunc/_troupe',
  'fish:  troupe completion fish > ~/.config/fish/completions/troupe.fish',
)}`;

/** Collects `--set`. A value that stands in the next word may be a secret, and is not shown. */
function assignment(text: string, before: readonly string[] = []): readonly string[] {
  if (text.includes('=')) return [...before, text];
  throw new InvalidArgumentError('Expected path=value as one word, such as listen.port=9000.');
}

/** Collects `--grant`. The command checks the pattern and the role. */
function grant(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const at = text.lastIndexOf('=');
  if (at > 0) return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
  throw new InvalidArgumentError('Expected PATTERN=ROLE as one word, such as acme/*=editor.');
}

const HOUR_MS = 3_600_000;

const isNumber = (word: string): boolean => /^\d{1,9}$/.test(word);
const SHARD = /^shard:(\d{1,9})$/;

/** The command checks whether the shard exists; this function checks only the form. */
function shard(word: string): number {
  if (isNumber(word)) return Number(word);
  const [, named] = SHARD.exec(word) ?? [];
  if (named !== undefined) return Number(named);
  if (parseDocumentName(word) !== undefined) return shardOf(word);
  throw new InvalidArgumentError(`Expected a shard, from 0 to ${SHARDS - 1}, or a document, org/name.`);
}

function match(word: string): string {
  const org = orgOfMatch(word);
  const isOne = SHARD.test(word) || parseDocumentName(org === undefined ? word : `${org}/x`) !== undefined;
  if (isOne) return word;
  throw new InvalidArgumentError('Expected a document, org/name, an organisation, or shard:N.');
}

/** A number more likely names a shard than an organisation. A document is pinned itself, or its shard is. */
function pinned(word: string): readonly string[] {
  if (isNumber(word)) return [matchOfShard(Number(word)), word];
  return [match(word), ...(word.includes('/') ? [matchOfShard(shard(word))] : [])];
}

function documentName(word: string): string {
  if (parseDocumentName(word) !== undefined) return word;
  throw new InvalidArgumentError('Expected the name of a document, org/name.');
}

function nodeName(word: string): string {
  if (/^[A-Za-z0-9._-]{1,64}$/.test(word)) return word;
  throw new InvalidArgumentError('Expected the name of a node: letters, digits, dots and dashes.');
}

function nodeAndSlot(word: string): { node: string; slot: number | undefined } {
  const [node = '', slot, ...more] = word.split(':');
  const isSlot = slot === undefined || (/^\d{1,3}$/.test(slot) && Number(slot) <= 255);
  if (!isSlot || more.length > 0)
    throw new InvalidArgumentError('Expected NODE, or NODE:SLOT with a slot from 0 to 255.');
  return { node: nodeName(node), slot: slot === undefined ? undefined : Number(slot) };
}
