// How every command of Troupe is described, read and explained. One description parses the words of a command
// line, prints the help and gives the completion of shells. A wrong command line becomes one line. This module
// runs no command.
import { Command, type CommandUnknownOpts, InvalidArgumentError } from '@commander-js/extra-typings';
import { CommanderError } from 'commander';
import { EXIT, type ExitCode } from '../fatal.ts';
import { DURATION_HINT, readDuration } from '../keys/units.ts';
import { redact } from '../showing/redact.ts';

/** Prints one text, such as a help. */
export type Print = (text: string) => unknown;

/** A command line that cannot be understood. `message` is one line. */
export interface Misuse {
  readonly message: string;
  /** The command that prints the help which explains it. */
  readonly help: string;
}

/**
 * A command without options. Its subcommands inherit how it reads and prints. `print` gets the help when it is
 * asked for.
 */
export function commandLine(name: string, print: Print): Command {
  return new Command(name)
    .exitOverride()
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .configureOutput({
      writeOut: (text) => void print(text),
      writeErr: () => undefined,
      outputError: () => undefined,
    })
    .configureHelp({
      showGlobalOptions: true,
      visibleCommands: (command) => [...commandsOf(command).values()],
      subcommandTerm: (command) =>
        [commandName(command), ...command.registeredArguments.map(argumentTerm)].join(' '),
      subcommandDescription: (command) => firstSentence(command.description()),
    });
}

/** The last part of a help: command lines that can be copied. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

/**
 * Parses the words behind the program's name, and calls the action of the command that they name. `printed`: they ask
 * for a help or the version, which was printed.
 */
export function readWords(root: CommandUnknownOpts, words: readonly string[]): 'read' | 'printed' | Misuse {
  const [first, ...rest] = words;
  if (first === 'help' && root.commands.length > 0 && !rest.some(isHelp)) words = [...rest, '--help'];
  try {
    root.parse(withoutVainHelp(root, words), { from: 'user' });
    return 'read';
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === EXIT.ok ? 'printed' : misuse(error, commandNamed(root, words));
  }
}

/** Commander prints the help of the nearest command for `CLUTSER --help`. Without --help it names the mistake. */
function withoutVainHelp(root: CommandUnknownOpts, words: readonly string[]): string[] {
  const named = commandNamed(root, words);
  const last = named === root ? -1 : words.lastIndexOf(named.name());
  const isUnknown = named.commands.length > 0 && /^[^-]/.test(words[last + 1] ?? '-');
  return isUnknown ? words.filter((word) => !isHelp(word)) : [...words];
}

const isHelp = (word: string): boolean => word === '--help' || word === '-h';

/** The command that the words name, as far as they name one. Options before and between them are passed over. */
export function commandNamed(root: CommandUnknownOpts, words: readonly string[]): CommandUnknownOpts {
  let found = root;
  for (const word of words) found = found.commands.find((each) => each.name() === word) ?? found;
  return found;
}

/** Every command that can be run, with its name from the second word on, such as `cluster status`. */
export function commandsOf(root: CommandUnknownOpts, before = ''): Map<string, CommandUnknownOpts> {
  const found = new Map<string, CommandUnknownOpts>();
  for (const each of root.commands) {
    const name = `${before}${each.name()}`;
    if (each.commands.length === 0) found.set(name, each);
    for (const [inner, command] of commandsOf(each, `${name} `)) found.set(inner, command);
  }
  return found;
}

/** The name from the second word on, such as `cluster status`. Empty for the program itself. */
function commandName(command: CommandUnknownOpts): string {
  return command.parent === null ? '' : `${commandName(command.parent)} ${command.name()}`.trim();
}

const argumentTerm = (each: CommandUnknownOpts['registeredArguments'][number]): string =>
  each.required ? each.name() : `[${each.name()}${each.variadic ? '...' : ''}]`;

/** Without its full stop. */
export const firstSentence = (text: string): string => /^.*?(?=\.(?:\s|$)|$)/.exec(text)?.[0] ?? text;

/** The command with the names of those that it belongs to, as a person types it. */
export function fullName(command: CommandUnknownOpts): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}

function misuse(error: CommanderError, command: CommandUnknownOpts): Misuse {
  const help = `${fullName(command)} --help`;
  if (error.code === 'commander.help') {
    const names = command.commands.map((each) => each.name()).join(', ');
    return { message: `a command is missing: ${names}`, help };
  }
  // Commander puts its suggestion on a second line. A value may be a secret, and is not shown.
  const message = error.message
    .replace(/^error: /, '')
    .replace(/^unknown option '([^=']*)=[\s\S]*?'(?=$|\n)/, (unknown, flag: string) =>
      command.options.some(({ long }) => long === flag) ? `option '${flag}' takes no value` : unknown,
    )
    .replace(/^(unknown option '[^=']*)=[\s\S]*?'(?=$|\n)/, "$1'")
    .replace(/^(option '.*?') argument '[\s\S]*' is invalid\. /, '$1: ')
    .replace(/^command-argument value '[\s\S]*' is invalid for argument '(.*?)'\. /, '$1: ')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '');
  return { message: redact(message), help };
}

/** Writes a misuse as one line, and returns the exit code for it. */
export function explainMisuse({ message, help }: Misuse, program: string, print: Print): ExitCode {
  print(`${program}: ${message}; see ${help}\n`);
  return EXIT.usage;
}

/** Reads a whole number within bounds. */
export function wholeNumber(least = 1, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    const bounds = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`Expected a whole number ${bounds}.`);
  };
}

/** Reads a time, such as `90s`, as milliseconds. */
export function time(text: string): number {
  const ms = readDuration(/^\d{1,9}$/.test(text) ? Number(text) : text);
  if (typeof ms === 'number' && ms > 0) return ms;
  throw new InvalidArgumentError(`Expected ${DURATION_HINT}.`);
}

/** Collects the values of an option that may be given several times. */
export function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}
