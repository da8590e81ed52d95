// The words of `troupe import` and `troupe export`, and the order in which a run works. No node is started.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCommand } from '../../../src/cli/commands.ts';
import { inBatches } from '../../../src/cli/moving/in-batches.ts';

test('the words of the commands', () => {
  const parsed = parseCommand([
    ...['import', 'hocuspocus-postgres', 'postgres://h/app', '--org', 'acme', '--table', 'docs.live'],
    ...['--name-column', 'id', '--data-column', 'state', '--rename', 'a=b', '--rename', 'c=', '--after', 'x'],
  ]);
  assert.ok(parsed.name === 'import');
  assert.deepEqual(
    [parsed.form, parsed.place, parsed.org, parsed.after, parsed.dryRun, parsed.table],
    [
      ...['hocuspocus-postgres', 'postgres://h/app', 'acme', 'x', false],
      { table: 'docs.live', nameColumn: 'id', dataColumn: 'state' },
    ],
  );
  assert.deepEqual(
    parsed.renamings.map(({ pattern, replacement }) => [pattern.source, replacement]),
    [
      ['a', 'b'],
      ['c', ''],
    ],
  );
  const exported = parseCommand(['export', 'bin', 'out', 'acme', 'beta/x', 'beta/y-*']);
  assert.ok(exported.name === 'export');
  assert.deepEqual(exported.patterns, [
    { org: 'acme', doc: '', isPrefix: true },
    { org: 'beta', doc: 'x', isPrefix: false },
    { org: 'beta', doc: 'y-', isPrefix: true },
  ]);
  for (const words of [
    ['import', 'docx', 'x'],
    ['import', 'bin'],
    ['import', 'bin', 'x', '--org', 'A b'],
    ['import', 'bin', 'x', '--rename', '(=x'],
    ['export', 'bin', 'x'],
    ['export', 'bin', 'x', '*'],
  ])
    assert.equal(parseCommand(words).name, 'usage', words.join(' '));
});

test('a run that breaks off tells the last name up to which everything was done', async () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];
  async function* items() {
    for (const name of names) yield { name };
  }
  const done: string[] = [];
  const told: string[] = [];
  const work = async ({ name }: { readonly name: string }): Promise<void> => {
    if (name === 'f') throw new Error('away');
    done.push(name);
  };
  await assert.rejects(
    inBatches(items(), work, (name) => told.push(name)),
    /away/,
  );
  // The others of the batch are not left half done.
  assert.deepEqual(done, ['a', 'b', 'c', 'd', 'e', 'g', 'h']);
  assert.deepEqual(told, ['e']);
});
