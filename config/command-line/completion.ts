// The completion of a command line in bash, zsh and fish, made of the description that also parses it. A script
// holds all words; the program is not run while somebody types.
import type { CommandUnknownOpts } from '@commander-js/extra-typings';

import { firstSentence } from './command-line.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** Words for the value of an option or argument, by the name that its help has for the value, such as `KEY=VALUE`. */
export type Values = Readonly<Record<string, readonly string[]>>;

/** The script for `root`, to be evaluated or put into the shell's directory of completions. */
export function completionScript(shell: Shell, root: CommandUnknownOpts, values: Values = {}): string {
  const name = root.name();
  const places = placesOf(root, values);
  switch (shell) {
    case 'bash':
      return bash(name, places);
    case 'zsh':
      return zsh(name, places);
    case 'fish':
      return fish(name, places);
  }
}

/** The words that complete a value. */
type Value =
  | { readonly type: 'file' }
  | { readonly type: 'other' }
  | { readonly type: 'words'; readonly words: readonly string[] };

interface OptionWords {
  /** `--config`, `-c` */
  readonly flags: readonly string[];
  readonly tells: string;
  /** Undefined for an option without a value. */
  readonly value: Value | undefined;
}

/** A command, as words behind the program's name, and what can follow it. */
interface Place {
  /** `cluster status`; empty for the program alone. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly tells: string }[];
  readonly options: readonly OptionWords[];
  readonly values: readonly Value[];
}

function placesOf(
  command: CommandUnknownOpts,
  values: Values,
  path = '',
  above: readonly OptionWords[] = [],
) {
  const own = command.options.map(({ flags, short, long, description, argChoices }): OptionWords => {
    const [, wanted] = /[<[](.+?)(?:\.\.\.)?[>\]]$/.exec(flags) ?? [];
    return {
      flags: [long, short].filter((flag) => flag !== undefined && flag !== null),
      tells: description,
      value: wanted === undefined ? undefined : wantedValue(wanted, argChoices, values),
    };
  });
  const everywhere = [...above, ...own.filter(({ flags }) => !flags.includes('--version'))];
  const place: Place = {
    path,
    commands: command.commands.map((each) => ({
      name: each.name(),
      tells: firstSentence(each.description()),
    })),
    options: [...above, ...own, { flags: ['--help', '-h'], tells: 'print this help', value: undefined }],
    values: command.registeredArguments.map((each) => wantedValue(each.name(), each.argChoices, values)),
  };
  const below: Place[] = command.commands.flatMap((each) =>
    placesOf(each, values, `${path} ${each.name()}`.trim(), everywhere),
  );
  return [place, ...below];
}

function wantedValue(wanted: string, choices: readonly string[] | undefined, values: Values): Value {
  const words = choices ?? values[wanted];
  if (words !== undefined) return { type: 'words', words };
  return /^(FILE|DIRECTORY)$/.test(wanted) ? { type: 'file' } : { type: 'other' };
}

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** The value that each flag takes, by flag; flags without a value are left out. */
function valuesByFlag(places: readonly Place[]): Map<string, Value> {
  const found = new Map<string, Value>();
  for (const { options } of places)
    for (const { flags, value } of options) for (const flag of flags) if (value) found.set(flag, value);
  return found;
}

/** Patterns of a shell's `case`: the words, quoted. */
const anyOf = (words: readonly string[]): string => words.map(quote).join('|');
const pathsOf = (places: readonly Place[]): string[] => places.map(({ path }) => path).filter(Boolean);

/** Commands of a shell that complete the current word. */
interface Offers {
  flags(options: readonly OptionWords[]): string;
  commands(commands: Place['commands']): string;
  value(value: Value): string;
}

/**
 * The lines with which bash and zsh read the words before the current one. `at` becomes the command, `nth` the number of its
 * arguments, and `flag` the flag that waits for its value.
 */
const readWord = (places: readonly Place[]): string => `
    if [[ -n $flag ]]; then flag=; continue; fi
    case $word in
    ${anyOf([...valuesByFlag(places).keys()])}) flag=$word ;;
    -*) ;;
    *)
      case "\${at:+$at }$word" in
      ${anyOf(pathsOf(places))}) at="\${at:+$at }$word" ;;
      *) nth=$((nth + 1)) ;;
      esac
      ;;
    esac`;

/** The lines with which bash and zsh offer words. `kind` is `-` for a flag, else the number of the argument. */
function offerWords(places: readonly Place[], offers: Offers): string {
  const at = ({ path, commands, options, values }: Place): string[] => [
    `    ${quote(`${path} -`)}) ${offers.flags(options)} ;;`,
    ...(commands.length > 0 ? [`    ${quote(`${path} 0`)}) ${offers.commands(commands)} ;;`] : []),
    ...values.map((value, nth) => `    ${quote(`${path} ${nth}`)}) ${offers.value(value)} ;;`),
  ];
  const flags = [...valuesByFlag(places)];
  return `
  case "$flag" in
  '')
    case "$at $kind" in
${places.flatMap(at).join('\n')}
    esac
    ;;
${flags.map(([flag, value]) => `  ${quote(flag)}) ${offers.value(value)} ;;`).join('\n')}
  esac`;
}

function bash(name: string, places: readonly Place[]): string {
  const f = `_${name}`;
  const words = (list: readonly string[]): string => `${f}_words ${quote(list.join(' '))}`;
  const offers: Offers = {
    flags: (options) => words(options.map(({ flags: [long = ''] }) => long)),
    commands: (commands) => words(commands.map((each) => each.name)),
    value: (value) =>
      value.type === 'file' ? `${f}_files` : value.type === 'words' ? words(value.words) : ':',
  };
  return `# bash completion of ${name}
${f}_words() { local IFS=$' \\n'; COMPREPLY=($(compgen -W "$1" -- "$cur")); }
${f}_files() { local IFS=$'\\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")); }
${f}() {
  local cur at= flag= word kind nth=0 line=\${COMP_LINE:0:COMP_POINT}
  local -a words
  read -ra words <<<"$line"
  if [[ $line == *[[:space:]] ]]; then words+=(''); fi
  while ((\${#words[@]} > 2)) && [[ \${words[0]##*/} != ${name} ]]; do words=("\${words[@]:1}"); done
  cur=\${words[\${#words[@]} - 1]}
  for word in "\${words[@]:1:\${#words[@]}-2}"; do${readWord(places)}
  done
  if [[ ! $flag && $cur == --*=* ]]; then flag=\${cur%%=*} cur=\${cur#*=}; fi
  if [[ $cur == -* ]]; then kind=-; else kind=$nth; fi
  COMPREPLY=()${offerWords(places, offers)}
  # Bash replaces only the part of the word behind the last = or :.
  local before=\${cur%"\${cur##*[=:]}"}
  if [[ $before ]]; then COMPREPLY=("\${COMPREPLY[@]#"$before"}"); fi
  if [[ \${COMPREPLY[0]-} == *= ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -F ${f} ${name}
`;
}

function zsh(name: string, places: readonly Place[]): string {
  const described = (what: string, list: readonly (readonly [string, string])[]): string => {
    const entries = list.map(([word, tells]) => quote(`${word.replaceAll(':', '\\:')}:${tells}`));
    return `list=(${entries.join(' ')}); _describe ${what} list`;
  };
  const offers: Offers = {
    flags: (options) =>
      described(
        '-o option',
        options.map(({ flags: [long = ''], tells }) => [long, tells]),
      ),
    commands: (commands) =>
      described(
        'command',
        commands.map((each) => [each.name, each.tells]),
      ),
    value: (value) => {
      if (value.type === 'file') return '_files';
      if (value.type === 'other') return '_message value';
      const suffix = value.words.every((word) => word.endsWith('=')) ? "-S '' " : '';
      return `compadd ${suffix}-- ${value.words.map(quote).join(' ')}`;
    },
  };
  return `#compdef ${name}
# zsh completion of ${name}
_${name}() {
  local at= flag= word kind
  local -a list
  integer nth=0
  for word in "\${(@)words[2,CURRENT-1]}"; do${readWord(places)}
  done
  if [[ -z $flag && $PREFIX == --*=* ]]; then flag=\${PREFIX%%=*}; compset -P 1 '*='; fi
  if [[ $PREFIX == -* ]]; then kind=-; else kind=$nth; fi${offerWords(places, offers)}
}
# From a directory of completions the file is the function; evaluated, it defines it.
if [[ \${funcstack[1]} == _${name} ]]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

function fish(name: string, places: readonly Place[]): string {
  const f = `__${name}`;
  const line = (path: string, rest: string): string =>
    `complete -c ${name} -n ${quote(`${f}_is ${quote(path)}`)} ${rest}`;
  const offer = (value: Value): string =>
    value.type === 'file' ? '-F' : value.type === 'words' ? `-a ${quote(value.words.join(' '))}` : '';
  const at = ({ path, commands, options, values }: Place): string[] => [
    ...commands.map((each) => line(path, `-a ${each.name} -d ${quote(each.tells)}`)),
    ...values.map((value) => line(path, offer(value))).filter((each) => !each.endsWith(' ')),
    ...options.map(({ flags, tells, value }) => {
      const names = flags.map((flag) =>
        flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
      );
      const takes = value === undefined ? '' : ` -r${value.type === 'file' ? '' : ' -f'} ${offer(value)}`;
      return line(path, `${names.join(' ')}${takes} -d ${quote(tells)}`);
    }),
  ];
  return `# fish completion of ${name}
function ${f}_is
  set -l at
  set -l flag
  for word in (commandline -opc)[2..-1]
    if test -n "$flag"
      set flag
      continue
    end
    switch $word
      case ${[...valuesByFlag(places).keys()].join(' ')}
        set flag $word
      case '-*'
      case '*'
        if contains -- (string join ' ' $at $word) ${pathsOf(places).map(quote).join(' ')}
          set at $at $word
        end
    end
  end
  test "$at" = "$argv[1]"
end
complete -c ${name} -f
${places.flatMap(at).join('\n')}
`;
}
