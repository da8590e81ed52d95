// The command line as a value. Reads nothing but its argument and runs nothing.
import { parseArgs } from 'node:util';

/** `sources`: what loadConfig reads, in the order given. */
export type Command =
  | { readonly name: 'help' | 'version' }
  | { readonly name: CommandName; readonly sources: { readonly files: string[]; readonly set: string[] } };

export type CommandName = 'serve' | 'migrate' | 'config check' | 'config print';

/** A command line that makes no sense; `message` is one line. */
export interface UsageError {
  readonly name: 'usage';
  readonly message: string;
}

/** `argv` without the interpreter and the script. */
export function parseCommand(argv: readonly string[]): Command | UsageError {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(argv);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return usage((error.message.split('\n')[0] ?? '').replace(/\. To specify .*$/, ''));
  }
  const { values, positionals } = parsed;
  if (values.help) return { name: 'help' };
  if (values.version) return { name: 'version' };
  const name = commandName(positionals);
  if (typeof name !== 'string') return name;
  return { name, sources: { files: values.config, set: values.set } };
}

function parse(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      config: { type: 'string', short: 'c', multiple: true, default: [] as string[] },
      set: { type: 'string', multiple: true, default: [] as string[] },
      help: { type: 'boolean', short: 'h', default: false },
      version: { type: 'boolean', short: 'v', default: false },
    },
  });
}

function commandName(words: readonly string[]): CommandName | UsageError {
  const [first, second] = words;
  switch (first) {
    case undefined:
      return usage('which command?');
    case 'serve':
    case 'migrate':
      return second === undefined ? first : usage(`${first} takes no argument, but there is ${second}`);
    case 'config':
      if (words.length > 2) return usage(`config ${second} takes no argument, but there is ${words[2]}`);
      if (second === 'check') return 'config check';
      if (second === 'print') return 'config print';
      return usage(second === undefined ? 'config check, or config print?' : `config knows no ${second}`);
    default:
      return usage(`there is no command ${first}`);
  }
}

const usage = (message: string): UsageError => ({ name: 'usage', message });

export const HELP = `Troupe: a backend for real-time collaborative documents

Usage
  troupe serve          run a node
  troupe migrate        bring the database's schema up to date
  troupe config check   validate the configuration
  troupe config print   print the whole configuration, commented, as it would be used

Options
  -c, --config FILE     a YAML file; repeatable, the later over the earlier
      --set path=value  one key, such as listen.port=9000; repeatable, over all files
  -h, --help            this text
  -v, --version         the version

Environment
  TROUPE_CONFIG         YAML files read before those of --config, separated as in PATH

Exit codes
  0 done   1 failed   2 wrong command line   78 wrong configuration
`;
