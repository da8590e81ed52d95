// The command line as a value. This module reads only its argument and runs nothing.
import { parseArgs } from 'node:util';
import { SHARDS, shardOf } from '../../actors/shard.ts';
import { matchOfShard, orgOfMatch } from '../../cluster/placement/pins.ts';
import { redact } from '../../config/redact.ts';
import { DURATION_HINT, readDuration } from '../../config/units.ts';
import { parseDocumentName } from '../../protocol/names.ts';

/** The sources for loadConfig, in the order given. */
export interface Sources {
  readonly files: readonly string[];
  readonly set: readonly string[];
}

export type Command =
  | { readonly name: 'help' }
  | { readonly name: 'version' }
  | (ConfiguredCommand & { readonly sources: Sources });

/** `timeoutMs` undefined: the command's own time-out. */
export type ConfiguredCommand =
  | { readonly name: 'serve' | 'migrate' | 'config check' | 'config print' }
  | { readonly name: 'cluster status' | 'cluster pins'; readonly json: boolean }
  | { readonly name: 'cluster drain'; readonly node: string; readonly timeoutMs: number | undefined }
  | {
      readonly name: 'cluster move';
      readonly shard: number;
      readonly node: string;
      readonly timeoutMs: number | undefined;
    }
  | {
      readonly name: 'cluster pin';
      readonly match: string;
      readonly node: string;
      readonly slot: number | undefined;
      readonly force: boolean;
    }
  | { readonly name: 'cluster release'; readonly doc: string; readonly timeoutMs: number | undefined }
  /** Unpins the first of `matches` that is pinned. */
  | { readonly name: 'cluster unpin'; readonly matches: readonly string[] }
  | { readonly name: 'storage renew-history'; readonly force: boolean }
  | { readonly name: 'storage backup' | 'storage restore'; readonly file: string };

/** A command line that cannot be understood. `message` is one line. */
export interface UsageError {
  readonly name: 'usage';
  readonly message: string;
}

/** `argv` without the interpreter and the script. */
export function parseCommand(argv: readonly string[]): Command | UsageError {
  try {
    const { values, positionals } = parse(argv);
    if (values.help) return { name: 'help' };
    if (values.version) return { name: 'version' };
    const [word] = positionals;
    if (word === 'help' || word === 'version') return { name: word };
    const { name, words } = commandName(positionals, values.set);
    for (const option of SOME_COMMANDS) {
      const taken = values[option] !== undefined && values[option] !== false;
      if (taken && !OPTIONS[name]?.includes(option)) throw new Misuse(`${name} knows no --${option}`);
    }
    const sources = { files: values.config, set: values.set };
    return { ...configured(name, words, values), sources };
  } catch (error) {
    if (error instanceof Misuse) return { name: 'usage', message: error.message };
    // parseArgs throws a TypeError for a wrong command line.
    if (!(error instanceof TypeError)) throw error;
    const [line = ''] = error.message.split('\n');
    return { name: 'usage', message: line.replace(/\. To specify .*$/, '') };
  }
}

class Misuse extends Error {
  override name = 'Misuse';
}

function parse(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      config: { type: 'string', short: 'c', multiple: true, default: [] as string[] },
      set: { type: 'string', multiple: true, default: [] as string[] },
      json: { type: 'boolean', default: false },
      force: { type: 'boolean', default: false },
      timeout: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
      version: { type: 'boolean', short: 'v', default: false },
    },
  });
}

type Values = ReturnType<typeof parse>['values'];
type Name = ConfiguredCommand['name'];

/** The arguments of each command, in words for messages. */
const ARGUMENTS: Readonly<Record<Name, readonly string[]>> = {
  serve: [],
  migrate: [],
  'config check': [],
  'config print': [],
  'cluster status': [],
  'cluster pins': [],
  'cluster drain': ['NODE'],
  'cluster move': ['SHARD', 'NODE'],
  'cluster pin': ['MATCH', 'NODE[:SLOT]'],
  'cluster unpin': ['MATCH'],
  'cluster release': ['DOC'],
  'storage renew-history': [],
  'storage backup': ['FILE'],
  'storage restore': ['FILE'],
};

export const COMMANDS = Object.keys(ARGUMENTS) as readonly Name[];

const SOME_COMMANDS = ['json', 'force', 'timeout'] as const;

/** The options of SOME_COMMANDS that each command knows. */
const OPTIONS: Readonly<Partial<Record<Name, readonly (typeof SOME_COMMANDS)[number][]>>> = {
  'cluster status': ['json'],
  'cluster pins': ['json'],
  'cluster drain': ['timeout'],
  'cluster move': ['timeout'],
  'cluster pin': ['force'],
  'cluster release': ['timeout'],
  'storage renew-history': ['force'],
};

function commandName(
  positionals: readonly string[],
  set: readonly string[],
): { name: Name; words: readonly string[] } {
  const [first, second] = positionals;
  if (first === undefined) throw new Misuse('a command is missing');
  const group = COMMANDS.filter((name) => name.startsWith(`${first} `));
  const wanted = group.length === 0 ? first : `${first} ${second}`;
  const name = COMMANDS.find((each) => each === wanted);
  if (name === undefined) {
    // The unknown word may be the value of a --set, and a secret.
    if (set.some((assignment) => !assignment.includes('=')))
      throw new Misuse('--set takes path=value as one word, such as listen.port=9000');
    if (group.length === 0) throw new Misuse(`there is no command ${redact(first)}`);
    if (second === undefined) throw new Misuse(`${first} needs a second word: ${group.join(', ')}`);
    throw new Misuse(`${first} knows no ${redact(second)}`);
  }
  const words = positionals.slice(name.split(' ').length);
  const wants = ARGUMENTS[name];
  if (words.length === wants.length) return { name, words };
  if (wants.length > words.length)
    throw new Misuse(`${name} ${wants.join(' ')}: ${wants[words.length]} is missing`);
  // The words are not repeated in the message: one of them may be a secret that was meant for --set.
  throw new Misuse(
    `${name} takes ${wants.length === 0 ? 'no argument' : wants.join(' ')}, but there are more words: ${words.length - wants.length}`,
  );
}

function configured(name: Name, words: readonly string[], values: Values): ConfiguredCommand {
  const [first = '', second = ''] = words;
  switch (name) {
    case 'cluster status':
    case 'cluster pins':
      return { name, json: values.json };
    case 'cluster drain':
      return { name, node: nodeName(first), timeoutMs: timeout(values.timeout) };
    case 'cluster move':
      return { name, shard: shard(first), node: nodeName(second), timeoutMs: timeout(values.timeout) };
    case 'cluster pin':
      return { name, match: match(first), ...nodeAndSlot(second), force: values.force };
    case 'cluster unpin':
      // A number more likely names a shard than an organisation. A document is pinned itself, or its shard
      // was pinned by a move.
      if (isNumber(first)) return { name, matches: [matchOfShard(Number(first)), first] };
      return { name, matches: [match(first), ...(first.includes('/') ? [matchOfShard(shard(first))] : [])] };
    case 'cluster release':
      return { name, doc: documentName(first), timeoutMs: timeout(values.timeout) };
    case 'storage renew-history':
      return { name, force: values.force };
    case 'storage backup':
    case 'storage restore':
      return { name, file: first };
    default:
      return { name };
  }
}

const isNumber = (word: string): boolean => /^\d{1,9}$/.test(word);
const SHARD = /^shard:(\d{1,9})$/;

/** The command checks whether the shard exists; this function checks only the form. */
function shard(word: string): number {
  if (isNumber(word)) return Number(word);
  const [, named] = SHARD.exec(word) ?? [];
  if (named !== undefined) return Number(named);
  if (parseDocumentName(word) !== undefined) return shardOf(word);
  throw new Misuse(`${word} is neither a shard, from 0 to ${SHARDS - 1}, nor a document, org/name`);
}

function match(word: string): string {
  const org = orgOfMatch(word);
  const isOne = SHARD.test(word) || parseDocumentName(org === undefined ? word : `${org}/x`) !== undefined;
  if (!isOne) throw new Misuse(`${word} is neither a document, org/name, nor an organisation, nor shard:N`);
  return word;
}

function documentName(word: string): string {
  if (parseDocumentName(word) === undefined)
    throw new Misuse(`${word} is not the name of a document (org/name)`);
  return word;
}

function nodeName(word: string): string {
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(word)) throw new Misuse(`${word} is not a valid name of a node`);
  return word;
}

function nodeAndSlot(word: string): { node: string; slot: number | undefined } {
  const [node = '', slot, ...more] = word.split(':');
  const isSlot = slot === undefined || (/^\d{1,3}$/.test(slot) && Number(slot) <= 255);
  if (!isSlot || more.length > 0)
    throw new Misuse(`${word}: expected NODE, or NODE:SLOT with a slot from 0 to 255`);
  return { node: nodeName(node), slot: slot === undefined ? undefined : Number(slot) };
}

function timeout(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = readDuration(isNumber(text) ? Number(text) : text);
  if (typeof ms !== 'number' || !(ms > 0)) throw new Misuse(`--timeout ${text}: expected ${DURATION_HINT}`);
  return ms;
}

export const HELP = `Troupe: a backend for real-time collaborative documents

Usage
  troupe serve                            run a node
  troupe help, troupe version             this text; the version
  troupe migrate                          bring the database's schema up to date
  troupe config check                     validate the configuration
  troupe config print                     print the whole configuration, commented, as it would be used
  troupe cluster status [--json]          nodes, shards and pins
  troupe cluster drain NODE               have a node hand its documents over and send its clients away
  troupe cluster move SHARD NODE          move a shard, or the one that a document is in, and pin it there
  troupe cluster pin MATCH NODE[:SLOT]    have a document (org/name), an organisation (org) or a shard
                                          (shard:N) on a node, or on one of its workers
  troupe cluster unpin MATCH              undo a pin or a move
  troupe cluster pins [--json]            what is pinned
  troupe cluster release DOC              put a quarantined document (org/name) into service again, on every node
  troupe storage backup FILE              write the whole database to a file, while nodes run
  troupe storage restore FILE             read such a file into an empty database
  troupe storage renew-history            after a backup was restored: no client goes on with what it held

Options
  -c, --config FILE     a YAML file; repeatable, the later over the earlier
      --set path=value  one key, such as listen.port=9000; repeatable, over all files
      --timeout TIME    how long drain, move and release wait, such as 90s
      --force           pin to a node that is not there; renew-history while nodes seem to run
  -h, --help            this text
  -v, --version         the version

Environment
  TROUPE_CONFIG         YAML files read before those of --config, separated as in PATH
  TROUPE_LISTEN_PORT …  one key each, here listen.port; over all files, below --set

Exit codes
  0 done   1 failed   2 wrong command line   78 wrong configuration
`;
