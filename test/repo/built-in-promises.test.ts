// No promise of a Node built-in floats. The linter's rule sees the promises of our own functions and of
// packages, but not those of `node:` modules. This test finds statements that begin with a call of one by
// their text.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FOLDERS, root, sources } from './sources.ts';

/** The exports of each module that return a promise: all, or these names. */
const PROMISING: Readonly<Record<string, readonly string[] | 'all'>> = {
  'node:fs/promises': 'all',
  'node:timers/promises': 'all',
  'node:stream/promises': 'all',
  'node:dns/promises': 'all',
  'node:readline/promises': 'all',
  'node:events': ['once'],
};

test('no statement is a call of a built-in that returns a promise, without await or void', () => {
  const floating = FOLDERS.flatMap((folder) => sources(folder)).flatMap((file) =>
    floatingIn(readFileSync(join(root, file), 'utf8')).map((line) => `${file}: ${line}`),
  );
  assert.deepEqual(floating, []);
});

test('such statements are found, and only those', () => {
  // The text stands behind a margin, because this file is looked through too.
  const text = `| import { writeFile as write, rm } from 'node:fs/promises';
| import * as fs from 'node:fs/promises';
| import { setTimeout } from 'node:timers/promises';
| import { once, EventEmitter } from 'node:events';
| export async function f(x: boolean) {
|   write('a', 'b');
|   if (x) rm('a');
|   if (x)
|     rm('b');
|   fs.rm('c');
|   // A comment before it.
|   setTimeout(5);
|   once(new EventEmitter(), 'x').then(() => undefined);
|   await write('d', 'e');
|   void rm('f');
|   await Promise.all([
|     rm('g'),
|     write('h', ''),
|   ]);
|   return (
|     rm('i')
|   );
| }
| export const g = () =>
|   rm('j');`.replace(/^\| ?/gm, '');
  const found = floatingIn(text);
  assert.deepEqual(
    found.map((line) => /'([a-c])'|\(5\)|once/.exec(line)?.[0]),
    ["'a'", "'a'", "'b'", "'c'", '(5)', 'once'],
  );
});

/** Lines with a statement that begins with such a call. */
function floatingIn(text: string): string[] {
  const names = promisingNames(text);
  if (names.length === 0) return [];
  const call = `(?:${names.join('|')})\\(`;
  const begins = new RegExp(`^\\s*${call}`);
  const behindCondition = new RegExp(`^\\s*(?:\\} )?(?:else |if \\(.*\\) |for \\(.*\\) )+${call}`);
  const found: string[] = [];
  let before = ';';
  for (const line of text.split('\n')) {
    const code = line.replace(/\/\/.*$/, '').trimEnd();
    if (behindCondition.test(code) || (begins.test(code) && /(?:[;{})]|\belse|\*\/|^)$/.test(before)))
      found.push(line.trim());
    if (code.trim() !== '') before = code;
  }
  return found;
}

/** The names in a file under which it may call a built-in that returns a promise. */
function promisingNames(text: string): string[] {
  const names: string[] = [];
  for (const [, clause = '', module = ''] of text.matchAll(
    /^import (?!type)([^;]*?) from '(node:[^']+)'/gm,
  )) {
    const promising = PROMISING[module];
    if (promising === undefined) continue;
    const space = /\* as (\w+)/.exec(clause)?.[1] ?? /^(\w+)/.exec(clause)?.[1];
    if (space !== undefined && promising === 'all') names.push(`${space}\\.\\w+`);
    for (const part of /\{([^}]*)\}/.exec(clause)?.[1]?.split(',') ?? []) {
      const [name = '', alias = name] = part.trim().split(' as ');
      if (name !== '' && !name.startsWith('type ') && (promising === 'all' || promising.includes(name)))
        names.push(alias);
    }
  }
  return names;
}
