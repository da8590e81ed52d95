// The configuration for people: as commented YAML, and as the table of docs/configuration.md.
import { stringify } from 'yaml';
import { showDuration, showSize } from '../keys/units.ts';
import { ALL_KEYS, type Key, valueAt } from '../keys/walk.ts';
import type { Config } from '../schema.ts';
import { withoutSecret } from './problems.ts';
import { redact } from './redact.ts';

/**
 * YAML that `--config` can read, with each key's description above it. Passwords are replaced by `***`.
 * `sourceOf`: the source of a key's value, shown beside the value.
 */
export function printConfig(config: Config, sourceOf?: (path: string) => string | undefined): string {
  const lines: string[] = [];
  const open: string[] = [];
  for (const key of ALL_KEYS) {
    const parts = key.path.split('.');
    const sections = parts.slice(0, -1);
    const shared = sections.findIndex((name, i) => open[i] !== name);
    if (shared >= 0 || sections.length < open.length) {
      open.length = shared >= 0 ? shared : sections.length;
      if (open.length === 0 && lines.length > 0) lines.push('');
      for (const name of sections.slice(open.length)) {
        lines.push(`${'  '.repeat(open.length)}${name}:`);
        open.push(name);
      }
    } else if (sections.length === 0 && lines.length > 0) {
      lines.push('');
    }
    const indent = '  '.repeat(open.length);
    const value = valueAt(config, key.path);
    const shown = showValue(key, value);
    const scalar = scalarOf(key, value);
    lines.push(...wrap(describe(key), 100 - indent.length).map((line) => `${indent}# ${line}`));
    const source = sourceOf?.(key.path);
    const notes = [
      ...(shown === scalar || key.secret ? [] : [shown]),
      ...(source === undefined ? [] : [`from ${withoutSecret(source).replace(/^(--set [^=]*)=.*$/s, '$1')}`]),
    ];
    lines.push(`${indent}${parts.at(-1)}: ${scalar}${notes.length === 0 ? '' : `  # ${notes.join(', ')}`}`);
  }
  return `${lines.join('\n')}\n`;
}

/** The rows of the table in docs/configuration.md, without its head. */
export const configTable = (): string => keyTable(ALL_KEYS);

/** The rows of a table of keys, without its head. */
export function keyTable(keys: readonly Key[]): string {
  return keys
    .map((key) => {
      const value = JSON.stringify(key.default);
      const shown = showValue(key, key.default);
      const human = shown === value || key.form === 'text' || key.form === 'plain' ? '' : ` (${shown})`;
      return `| \`${key.path}\` | \`${key.form === 'text' ? key.default : value}\`${human} | ${cell(`${key.description} Takes ${key.expected}.`)} |`;
    })
    .join('\n');
}

/** The value in one line. A list is in YAML's flow form, which JSON is. */
function scalarOf(key: Key, value: unknown): string {
  if (typeof value === 'object' && value !== null) return JSON.stringify(value);
  if (typeof value !== 'string') return stringify(value).trimEnd();
  return stringify(key.secret ? HIDDEN : redact(value)).trimEnd();
}

const HIDDEN = '***';

const cell = (text: string) => text.replaceAll('|', '\\|');

const describe = (key: Key) => `${key.description} Default: ${showValue(key, key.default)}.`;

function showValue(key: Key, value: unknown): string {
  if (typeof value === 'string') return key.secret ? HIDDEN : redact(value);
  if (typeof value !== 'number') return typeof value === 'object' ? JSON.stringify(value) : String(value);
  switch (key.form) {
    case 'duration':
      return showDuration(value);
    case 'size':
      return showSize(value);
    case 'text':
    case 'plain':
      return String(value);
  }
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
