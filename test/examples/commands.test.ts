// Every command that the documentation names exists, with its options, and the settings in it are a valid
// configuration.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../config/load.ts';
import { commandNames, parseCommand } from '../../src/cli/commands.ts';
import { packageDirectory } from '../../src/cli/version.ts';
import { PYTHON_WEBSOCKETS } from '../support/programs/requirements.ts';
import { commandsOf, DOCUMENTS, type DocumentedCommand } from './commands.ts';

const root = packageDirectory();
const { name, version, scripts, bin, peerDependencies, devDependencies } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
);
/** The commands of `npm` itself that are used here. */
const NPM = ['ci', 'install', 'pack'];
/** The values for the words in capitals that a document leaves to the reader. */
const VALUES = {
  '[:SLOT]': ':0',
  SHARD: '7',
  NODE: 'node-1',
  MATCH: 'acme/plan',
  DOC: 'acme/plan',
};

for (const file of DOCUMENTS) {
  test(`the commands in ${file} exist with their options`, () => {
    for (const command of commandsOf(file)) check(command);
  });
}

test('commands are found in blocks and in the text', () => {
  const texts = DOCUMENTS.flatMap((file) => commandsOf(file).map(({ text }) => text));
  for (const text of [
    'npm ci',
    'npm run cluster',
    'npx troupe serve',
    'troupe cluster drain NODE [--timeout 90s]',
  ])
    assert.ok(texts.includes(text), text);
});

test('a command that does not exist, an unknown option and a wrong key are noticed', () => {
  for (const text of [
    'npm run clusters',
    'npm test -- no-such-test',
    'npm run test:sim -- --sedes 1',
    'npm start -- --set listen.prot=9000',
    'troupe cluster drains node-1',
    'troupe serve --confg my.yaml',
    'node dist/src/man.js serve',
    'docker run --network host troupe serves',
  ])
    assert.throws(() => check({ file: 'here', text, words: text.split(' ') }), text);
});

function check({ file, text, words }: DocumentedCommand): void {
  const said = `${file}: ${text}`;
  const [program = '', first = '', ...rest] = words;
  switch (program) {
    case 'npm':
      checkNpm(said, first, rest);
      return;
    case 'npx':
    case 'troupe':
      assert.ok(bin.troupe !== undefined && (program === 'troupe' || first === 'troupe'), said);
      checkTroupe(said, program === 'troupe' ? words.slice(1) : rest);
      return;
    case 'node':
      assert.ok(existsSync(join(root, first)), said);
      checkTroupe(said, rest);
      return;
    case 'docker': {
      assert.ok(existsSync(join(root, 'Dockerfile')), said);
      // The words after the image are for its entry point.
      const image = words.indexOf(name, 2);
      if (first === 'run') checkTroupe(said, words.slice(image + 1));
      return;
    }
    case 'apt':
      assert.deepEqual([first, ...rest], ['install', PYTHON_WEBSOCKETS.debian.package], said);
      return;
    default:
      assert.match(program, /^\/usr\/bin\/python3$/, said);
      assert.ok(existsSync(join(root, first)), said);
  }
}

function checkNpm(said: string, first: string, rest: readonly string[]): void {
  const script = first === 'run' ? rest[0] : first;
  const args = rest.includes('--') ? rest.slice(rest.indexOf('--') + 1) : [];
  if (script === undefined || NPM.includes(script)) {
    const packages = { ...peerDependencies, ...devDependencies };
    for (const word of rest.filter((each) => script === 'install' && !each.startsWith('-')))
      assert.ok(word.replace(/@\d+$/, '') in packages || word === `./${name}-${version}.tgz`, said);
    return;
  }
  assert.ok(script in scripts, said);
  if (script === 'start') {
    checkTroupe(said, ['serve', ...args]);
  } else if (script === 'test') {
    const tests = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' });
    for (const part of args)
      assert.ok(
        tests.some((path) => path.includes(part) && path.endsWith('.test.ts')),
        said,
      );
  } else {
    const [, main = ''] = /node .*?dist\/(\S+)\.js/.exec(scripts[script]) ?? [];
    const source = args.length > 0 ? sourceOf(`${main}.ts`) : '';
    // An option stands in the command's description, or is a key of `parseArgs`.
    for (const option of args.filter((word) => word.startsWith('--') && word !== '--help'))
      assert.match(source, new RegExp(`${option}\\b|^\\s*${option.slice(2)}: `, 'm'), said);
  }
}

/** The text of a module, and of the modules beside it that it imports: a command is described in one of them. */
function sourceOf(file: string): string {
  const text = readFileSync(join(root, file), 'utf8');
  const beside = [...text.matchAll(/from '(\.\/[^']+)'/g)].map(([, name = '']) => join(dirname(file), name));
  return [text, ...beside.map((name) => readFileSync(join(root, name), 'utf8'))].join('\n');
}

function checkTroupe(said: string, words: readonly string[]): void {
  // A text may name the program, a family of commands, or a command without its arguments.
  const named = words.join(' ').replace(/ ?…$/, ' ');
  if (
    named === '' ||
    commandNames().some((command) => command === named || (/ $/.test(named) && command.startsWith(named)))
  )
    return;
  let line = words.join('\n');
  for (const [placeholder, value] of Object.entries(VALUES)) line = line.replace(placeholder, value);
  const parsed = parseCommand(line.replace(/\[(--.*?)\]/gs, '$1').split('\n'));
  assert.ok(parsed.name !== 'usage', `${said}: ${'message' in parsed ? parsed.message : ''}`);
  if ('sources' in parsed) loadConfig({ set: parsed.sources.set });
}
