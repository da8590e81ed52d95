// docs/configuration.md and the YAML files agree with config/schema.ts. UPDATE_DOCS=1 writes the table.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { ALL_KEYS } from '../../config/keys/walk.ts';
import { configFrom, loadConfig } from '../../config/load.ts';
import { configTable, printConfig } from '../../config/showing/print.ts';
import { packageDirectory } from '../../src/cli/version.ts';

const root = packageDirectory();
const file = join(root, 'docs/configuration.md');
const BETWEEN = /(<!-- keys:begin[^>]*-->\n)[\s\S]*(<!-- keys:end -->)/;

test('docs/configuration.md lists every key with its default and its sentence', () => {
  const text = readFileSync(file, 'utf8');
  const table = `| key | default | what it does |\n|---|---|---|\n${configTable()}\n`;
  const wanted = text.replace(BETWEEN, (_, begin: string, end: string) => `${begin}${table}${end}`);
  assert.match(text, BETWEEN);
  if (process.env.UPDATE_DOCS === '1') writeFileSync(file, wanted);
  else assert.equal(text, wanted, 'run: UPDATE_DOCS=1 npm test -- config/docs');
});

test('every key has a sentence, and a unit where it is a time or a size', () => {
  for (const key of ALL_KEYS) {
    assert.match(key.description, /[.…]$/, key.path);
    if (key.form === 'duration') assert.match(key.path, /Ms$/, key.path);
    if (key.form === 'size') assert.match(key.path, /Bytes$/, key.path);
    if (/Ms$/.test(key.path)) assert.equal(key.form, 'duration', key.path);
    if (/Bytes$/.test(key.path)) assert.equal(key.form, 'size', key.path);
  }
});

test('config/embedded.yaml is the defaults', () => {
  const config = loadConfig({ files: [join(root, 'config/embedded.yaml')], set: ['node.name=n'] });
  assert.deepEqual(config, configFrom({ node: { name: 'n' } }));
});

test('config/production.yaml is valid, and leaves migrations to the deployment', () => {
  const config = loadConfig({ files: [join(root, 'config/production.yaml')] });
  assert.equal(config.storage.migrate, false);
  assert.notEqual(config.storage.url, 'embedded');
});

test('config print prints YAML that gives the same configuration again', () => {
  const config = configFrom({
    workers: 3,
    node: { name: 'n' },
    retention: { keepMs: '30d' },
    limits: { historyMs: '1h' },
    cluster: {
      pins: [
        { match: 'acme/plan', node: 'a' },
        { match: 'acme', node: 'b', slot: 1 },
      ],
      link: { port: 0 },
      advertise: '[::1]:7101',
    },
  });
  assert.deepEqual(configFrom(parse(printConfig(config))), config);
  for (const key of ALL_KEYS) {
    assert.ok(printConfig(config).includes(`${key.path.split('.').at(-1)}:`), key.path);
  }
});

test('config print shows no password', () => {
  const config = configFrom({ storage: { url: 'postgres://troupe:hunter2@db/troupe' } });
  assert.ok(!printConfig(config).includes('hunter2'));
  assert.ok(printConfig(config).includes('postgres://troupe:***@db/troupe'));
  const member = configFrom({
    storage: { url: 'postgres://db/troupe' },
    cluster: {
      secret: 'hunter2hunter2hunter2',
      redis: { url: 'redis://u:hunter2@h', password: 'hunter2' },
    },
  });
  const watched = configFrom({
    storage: { url: 'postgres://db/troupe' },
    cluster: {
      secret: 'hunter2hunter2hunter2',
      redis: { sentinels: ['h:1'], master: 'm', password: 'hunter2', sentinelPassword: 'hunter2' },
    },
  });
  for (const printed of [member, watched].map((each) => printConfig(each))) {
    assert.ok(!printed.includes('hunter2'), printed);
    assert.match(printed, /secret: "\*\*\*"/);
  }
});
