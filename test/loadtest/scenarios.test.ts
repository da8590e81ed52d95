// Scenarios: the content of their files, the messages about wrong ones, and the list of all keys in
// docs/capacity.md. UPDATE_DOCS=1 writes the table.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { keyTable } from '../../config/showing/print.ts';
import { UsageError } from '../../loadtest/command-line/cli-options.ts';
import { parseScenario, readScenario, SCENARIO_KEYS } from '../../loadtest/scenarios/read-scenario.ts';
import { readyMade } from '../../loadtest/scenarios/ready-made.ts';
import { packageDirectory } from '../../src/cli/version.ts';

test('the ready-made scenarios are valid, and each says what it stands for', () => {
  assert.deepEqual(readyMade(), [
    'busy',
    'classroom',
    'hundred-thousand',
    'large-documents',
    'launch',
    'node-loss',
    'office',
    'programs',
    'reconnect-storm',
    'smoke',
    'soak',
    'ten-thousand',
  ]);
  for (const name of readyMade()) {
    const { scenario } = readScenario(name);
    assert.match(scenario.description, /^[A-Z].*\.$/, name);
    assert.ok(scenario.criteria.edits > 1, `${name} fails when too little happens`);
  }
});

test('an empty file is the defaults', () => {
  const scenario = parseScenario('', 'x.yaml');
  assert.equal(scenario.clients.editors, 100);
  assert.deepEqual(
    scenario.stages.map(({ lastsMs, change }) => [lastsMs, change]),
    [[60_000, 'step']],
  );
});

test('every problem is told with file, line, key and what was expected', () => {
  const problems = (text: string) => {
    try {
      parseScenario(text, 'x.yaml');
      return [];
    } catch (error) {
      assert.ok(error instanceof UsageError);
      return error.message.split('\n');
    }
  };
  assert.deepEqual(problems('clients:\n  editors: 5\n  reader: 1\n'), [
    'x.yaml:3: clients.reader: unknown key; did you mean clients.readers?',
  ]);
  assert.deepEqual(problems('stages:\n  - lastsMs: 5s\n  - lasts: 5s\n'), [
    'x.yaml:3: stages.1.lasts: unknown key; did you mean stages[].lastsMs?',
  ]);
  assert.match(
    problems('clients:\n  editors: -1\n')[0] ?? '',
    /^x\.yaml:2: clients\.editors: expected an integer from 0 to 1000000; found -1$/,
  );
  assert.match(problems('stages: []\n')[0] ?? '', /^x\.yaml:1: stages: expected a list/);
  assert.match(problems('documents:\n  kinds: [text]\n')[0] ?? '', /^x\.yaml:2: documents\.kinds\.0: /);
  assert.match(problems('seed: &a 1\nclients:\n  editors: *a\n')[0] ?? '', /^x\.yaml:3: an alias/);
  assert.match(problems('a: [\n')[0] ?? '', /^x\.yaml:\d: not YAML: /);
  assert.equal(problems('seed: x\nclients: 3\n').length, 2);
});

test('keys that contradict each other are refused', () => {
  const refused = (text: string, message: RegExp) =>
    assert.throws(() => parseScenario(text, 'x.yaml'), { name: 'UsageError', message });
  refused('clients:\n  editors: 0\n', /^x\.yaml:1: clients: there are neither editors nor readers$/);
  refused('typing:\n  model: trace\n', /typing\.trace/);
  refused('faults:\n  - atMs: 2m\n', /^x\.yaml:2: faults\.0\.atMs: the run is over after 60000 ms$/);
});

test('an unknown scenario is told with the names of those that there are', () => {
  assert.throws(() => readScenario('nope'), { name: 'UsageError', message: /smoke/ });
  assert.throws(() => readScenario('./nope.yaml'), { name: 'UsageError', message: /cannot be read/ });
});

test('docs/capacity.md lists every key of a scenario with its default and its sentence', () => {
  const file = join(packageDirectory(), 'docs/capacity.md');
  const between = /(<!-- keys:begin[^>]*-->\n)[\s\S]*(<!-- keys:end -->)/;
  const written = readFileSync(file, 'utf8');
  const table = `| key | default | what it does |\n|---|---|---|\n${keyTable(SCENARIO_KEYS)}\n`;
  const wanted = written.replace(between, (_, begin: string, end: string) => `${begin}${table}${end}`);
  assert.match(written, between);
  if (process.env.UPDATE_DOCS === '1') writeFileSync(file, wanted);
  else assert.equal(written, wanted, 'run: UPDATE_DOCS=1 npm test -- loadtest/scenarios');
});

test('every key has a sentence, and a unit where it is a time or a size', () => {
  for (const { path, description, form } of SCENARIO_KEYS) {
    assert.match(description, /[.…]$/, path);
    assert.equal(/Ms$/.test(path), form === 'duration', path);
    assert.equal(/Bytes$/.test(path), form === 'size', path);
  }
});
