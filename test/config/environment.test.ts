// Keys of the configuration from the environment: names, order, and the message about a wrong variable.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../../config/fatal.ts';
import { variableOf } from '../../config/keys/environment.ts';
import { ALL_KEYS } from '../../config/keys/walk.ts';
import { loadConfig, loadWithSources, type Machine } from '../../config/load.ts';
import { printConfig } from '../../config/showing/print.ts';

const machine: Machine = {
  hostname: 'h',
  processors: 2,
  suffix: () => 's',
  readFile: () => 'listen: { port: 1 }\nlimits: { inflight: 8 }',
};

test('every key has a variable, and no two keys have the same', () => {
  const names = [...ALL_KEYS.map(({ path }) => variableOf(path)), variableOf('cluster.redis')];
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^TROUPE(_[A-Z0-9]+)+$/);
  assert.equal(variableOf('storage.startTimeoutMs'), 'TROUPE_STORAGE_START_TIMEOUT_MS');
  assert.equal(variableOf('cluster.redis.tls.ca'), 'TROUPE_CLUSTER_REDIS_TLS_CA');
});

test('sources: files, then the environment, then --set', () => {
  const env = { TROUPE_CONFIG: '/a', TROUPE_LISTEN_PORT: '2', TROUPE_LIMITS_OP_BYTES: '64kB', PATH: '/bin' };
  const config = loadConfig({ env, files: ['/b'] }, machine);
  assert.deepEqual([config.listen.port, config.limits.opBytes, config.limits.inflight], [2, 64_000, 8]);
  assert.equal(loadConfig({ env, set: ['listen.port=3'] }, machine).listen.port, 3);
});

test('values are read as those of --set: text as it stands, all else as YAML; an empty one is not set', () => {
  const env = {
    TROUPE_NODE_NAME: '42',
    TROUPE_CLUSTER_REDIS: 'redis://h',
    TROUPE_CLUSTER_SECRET: '# sixteen characters: yes',
    TROUPE_CLUSTER_PINS: '[{match: acme, node: a}]',
    TROUPE_STORAGE_URL: 'postgres://h/d',
    TROUPE_STORAGE_MIGRATE: 'false',
    TROUPE_LISTEN_PORT: '',
  };
  const { node, cluster, storage, listen } = loadConfig({ env }, machine);
  assert.equal(node.name, '42');
  assert.equal(cluster.redis.url, 'redis://h');
  assert.equal(cluster.secret, '# sixteen characters: yes');
  assert.deepEqual(cluster.pins, [{ match: 'acme', node: 'a' }]);
  assert.equal(storage.migrate, false);
  assert.equal(listen.port, 8080);
});

test('a value that is wrong is told by its variable, a secret without its value', () => {
  assert.deepEqual(problemsOf({ TROUPE_LISTEN_PORT: 'http' }), [
    'listen.port: expected an integer from 0 to 65535; found "http" (TROUPE_LISTEN_PORT)',
  ]);
  const [url, secret] = problemsOf({
    TROUPE_STORAGE_URL: 'postgres://u:hunter2#@h',
    TROUPE_CLUSTER_SECRET: 'hunter2',
  });
  assert.match(url ?? '', /^storage\.url: .*with a # in it.*\(TROUPE_STORAGE_URL\)$/);
  assert.match(secret ?? '', /^cluster\.secret: .*found something else \(TROUPE_CLUSTER_SECRET\)$/);
  assert.ok(!`${url}${secret}`.includes('hunter2'));
});

test('a variable that looks like a key and names none is told, with the nearest; variables of others are left alone', () => {
  assert.deepEqual(
    problemsOf({
      TROUPE_LISTENPORT: '1',
      TROUPE_LISTEN_PROT: '1',
      TROUPE_LISTEN_FLAVOUR: '1',
      TROUPE_MAIN: '/opt/troupe/main.js',
      TROUPE_ARGS: '--inspect',
      TROUPE_QUATERNIONS: 'hunter2',
    }),
    [
      ': TROUPE_LISTENPORT: no key of the configuration has this variable; did you mean TROUPE_LISTEN_PORT?',
      ': TROUPE_LISTEN_FLAVOUR: no key of the configuration has this variable',
      ': TROUPE_LISTEN_PROT: no key of the configuration has this variable; did you mean TROUPE_LISTEN_PORT?',
    ],
  );
  const service = {
    TROUPE_SERVICE_HOST: '10.0.0.1',
    TROUPE_SERVICE_PORT: '80',
    TROUPE_SERVICE_PORT_HTTP: '80',
    TROUPE_PORT: 'tcp://10.0.0.1:80',
    TROUPE_PORT_80_TCP: 'tcp://10.0.0.1:80',
    TROUPE_PORT_80_TCP_PROTO: 'tcp',
    TROUPE_PORT_80_TCP_PORT: '80',
    TROUPE_PORT_80_TCP_ADDR: '10.0.0.1',
    TROUPE_HEADLESS_SERVICE_HOST: '10.0.0.2',
  };
  assert.deepEqual(problemsOf(service), []);
});

test('config print says where a value comes from, and shows no secret in it', () => {
  const sources = {
    env: { TROUPE_LISTEN_PORT: '2', TROUPE_CLUSTER_SECRET: 'sixteen characters hunter2' },
    files: ['/a'],
    set: ['storage.url=postgres://u:hunter2@h/d', 'log.level=warn'],
  };
  const { config, sourceOf } = loadWithSources(sources, machine);
  const printed = printConfig(config, sourceOf);
  for (const line of [
    'port: 2  # from TROUPE_LISTEN_PORT',
    'inflight: 8  # from /a',
    'level: warn  # from --set log.level',
    'url: postgres://u:***@h/d  # from --set storage.url',
    'secret: "***"  # from TROUPE_CLUSTER_SECRET',
  ])
    assert.ok(printed.includes(`${line}\n`), line);
  assert.ok(!printed.includes('hunter2'));
});

function problemsOf(env: Readonly<Record<string, string>>): readonly string[] {
  try {
    loadConfig({ env }, machine);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}
