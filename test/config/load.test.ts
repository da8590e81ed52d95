// Reading the configuration: sources, their order, units, and the messages about problems.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crossCheck, isLoopback } from '../../config/check.ts';
import { ConfigError, EXIT } from '../../config/fatal.ts';
import { readDuration, readSize, showDuration, showSize } from '../../config/keys/units.ts';
import { ALL_KEYS } from '../../config/keys/walk.ts';
import { configFrom, loadConfig, type Machine, type Sources } from '../../config/load.ts';
import { schema } from '../../config/schema.ts';
import { nearestKey } from '../../config/showing/problems.ts';
import { redact } from '../../config/showing/redact.ts';

function machine(files: Record<string, string> = {}, processors = 8): Machine {
  return {
    hostname: 'web 1.example',
    processors,
    suffix: () => 'abc123',
    readFile: (path) => {
      const text = files[path];
      if (text === undefined) throw new Error('ENOENT: no such file');
      return text;
    },
  };
}

function problemsOf(sources: Sources, files: Record<string, string> = {}) {
  try {
    loadConfig(sources, machine(files));
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.exitCode, EXIT.config);
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

test('with no source everything is a default, and auto is resolved', () => {
  const config = loadConfig({}, machine());
  assert.equal(config.listen.host, '127.0.0.1');
  assert.equal(config.storage.url, 'embedded');
  assert.equal(config.workers, 7);
  assert.equal(config.node.name, 'web-1.example-abc123');
  assert.equal(loadConfig({}, machine({}, 1)).workers, 1);
});

test('sources: TROUPE_CONFIG, then --config in order, then --set in order', () => {
  const files = {
    '/env': 'listen: { port: 1 }\nlog: { level: warn }',
    '/a': 'listen: { port: 2 }\nlimits: { inflight: 8 }',
    '/b': 'listen:\n  port: 3\n',
  };
  const read = (sources: Sources) => loadConfig(sources, machine(files));
  const env = { TROUPE_CONFIG: '/env' };
  assert.equal(read({ env }).listen.port, 1);
  const both = read({ env, files: ['/a', '/b'] });
  assert.equal(both.listen.port, 3);
  assert.equal(both.limits.inflight, 8);
  assert.equal(both.log.level, 'warn');
  assert.equal(read({ env, files: ['/b'], set: ['listen.port=4', 'listen.port=5'] }).listen.port, 5);
});

test('the configuration is frozen to its leaves', () => {
  const config = configFrom();
  for (const part of [config, config.limits, config.storage, config.storage.embedded]) {
    assert.ok(Object.isFrozen(part));
  }
});

test('--set takes YAML, and text as it stands for keys that hold text', () => {
  const config = loadConfig(
    {
      set: [
        'retention.keepMs=null',
        'limits={inflight: 3, depth: 9}',
        'node.name=42',
        'storage.url=postgres://u:p%23:@h/d?a=b',
      ],
    },
    machine(),
  );
  assert.equal(config.limits.inflight, 3);
  assert.equal(config.limits.depth, 9);
  assert.equal(config.node.name, '42');
  assert.equal(config.storage.url, 'postgres://u:p%23:@h/d?a=b');
});

test('a section whose every line is commented out keeps its defaults', () => {
  const config = loadConfig(
    { files: ['/a'] },
    machine({ '/a': 'limits:\n  # inflight: 3\nstorage:\n  embedded:\n' }),
  );
  assert.deepEqual(config.limits, configFrom().limits);
  assert.deepEqual(
    loadConfig({ files: ['/a'] }, machine({ '/a': '# nothing\n' })).limits,
    configFrom().limits,
  );
});

test('times and sizes may carry a unit', () => {
  const cases: [unknown, unknown][] = [
    [readDuration('30s'), 30_000],
    [readDuration('1.5 h'), 5_400_000],
    [readDuration('20ms'), 20],
    [readDuration(7), 7],
    [readDuration('7d'), 604_800_000],
    [readDuration('30 parsecs'), '30 parsecs'],
    [readSize('64KiB'), 65_536],
    [readSize('64kb'), 64_000],
    [readSize('0.1kB'), 100],
    [readSize('1GiB'), 1_073_741_824],
    [readSize('10s'), '10s'],
  ];
  for (const [found, expected] of cases) assert.equal(found, expected);
  for (const ms of [0, 1, 999, 1_000, 90_000, 3_600_000]) assert.equal(readDuration(showDuration(ms)), ms);
  for (const bytes of [0, 1, 1_000, 1_024, 1_536, 5_242_880]) assert.equal(readSize(showSize(bytes)), bytes);
});

test('a wrong value: the message has the path, the expected value, the found value and the place', () => {
  const [first] = problemsOf({ files: ['/a'] }, { '/a': 'listen: { port: http }' });
  assert.equal(first, 'listen.port: expected an integer from 0 to 65535; found "http" (/a)');
  const [unit] = problemsOf({ set: ['limits.pingMs=20 parsecs'] });
  assert.match(
    unit ?? '',
    /^limits\.pingMs: expected milliseconds, or a number with ms, s, m, h or d.*found "20 parsecs"/,
  );
  const [range] = problemsOf({ set: ['limits.opBytes=1B'] });
  assert.match(range ?? '', /^limits\.opBytes: expected bytes.*from 1KiB to 32MiB; found "1B"/);
});

test('everything wrong is told at once', () => {
  const problems = problemsOf({
    set: ['workers=0', 'limits=5', 'lissten.port=1', 'storage.migrate=perhaps'],
  });
  assert.deepEqual(problems.map((line) => line.split(':')[0]).sort(), [
    'limits',
    'lissten',
    'storage.migrate',
    'workers',
  ]);
});

test('an unknown key names the nearest known one, also from another section', () => {
  assert.equal(nearestKey('limits.opByte'), 'limits.opBytes');
  assert.equal(nearestKey('port'), 'listen.port');
  assert.equal(nearestKey('storage.directory'), 'storage.embedded.directory');
  assert.equal(nearestKey('lsten'), 'listen');
  assert.equal(nearestKey('quaternions'), undefined);
  assert.deepEqual(problemsOf({ set: ['limits.opByte=3'] }), [
    'limits.opByte: unknown key; did you mean limits.opBytes? (--set limits.opByte=***)',
  ]);
});

test('a key named __proto__ is an unknown key and nothing else', () => {
  assert.deepEqual(problemsOf({ set: ['__proto__.listen=1'] }), [
    '__proto__: unknown key (--set __proto__.listen=***)',
  ]);
  assert.equal(problemsOf({ files: ['/a'] }, { '/a': '__proto__: { polluted: 1 }' }).length, 1);
  assert.ok(!('polluted' in {}));
});

test('a file that is missing or no YAML, and an assignment without =', () => {
  assert.match(problemsOf({ files: ['/none'] })[0] ?? '', /cannot read \/none: ENOENT/);
  assert.match(problemsOf({ files: ['/a'] }, { '/a': 'a: [1' })[0] ?? '', /^: \/a: not YAML: .*line/);
  assert.match(problemsOf({ files: ['/a'] }, { '/a': 'a: 1\na: 2' })[0] ?? '', /not YAML: .*unique/);
  assert.match(
    problemsOf({ files: ['/a'] }, { '/a': 'log: &a { level: *a }' })[0] ?? '',
    /an alias \(\*\) at line 1, column \d+/,
  );
  assert.match(problemsOf({ files: ['/a'] }, { '/a': '- 1' })[0] ?? '', /expected a map of keys/);
  assert.match(problemsOf({ set: ['listen.port'] })[0] ?? '', /expected path=value/);
});

test('auth.mode none is allowed on loopback addresses only', () => {
  for (const host of ['127.0.0.1', '127.8.8.8', '::1', 'localhost', '::ffff:127.0.0.1'])
    assert.ok(isLoopback(host), host);
  for (const host of [
    '0.0.0.0',
    '::',
    '10.0.0.1',
    'example.org',
    '::ffff:10.0.0.1',
    '127.0.0.1.example.org',
  ]) {
    assert.ok(!isLoopback(host), host);
  }
  assert.match(problemsOf({ set: ['listen.host=0.0.0.0'] })[0] ?? '', /^auth\.mode: .*loopback.*0\.0\.0\.0/);
});

test('keys that contradict one another are refused, each at the key to change', () => {
  const cases: [path: string, set: string[]][] = [
    ['limits.opBytes', ['limits.opBytes=1MiB']],
    [
      'limits.presenceBytes',
      ['limits.frameBytes=16KiB', 'limits.opBytes=4KiB', 'limits.presenceBytes=16KiB'],
    ],
    ['limits.receiveBytes', ['limits.receiveBytes=17MiB']],
    ['limits.idleMs', ['limits.idleMs=30s']],
    ['retention.keepMs', ['retention.keepMs=1h']],
    ['retention.keepOps', ['retention.keepOps=9999']],
    ['actors.memoryBytes', ['actors.memoryBytes=8MiB']],
    ['actors.memoryBytes', ['worker.heapMb=128']],
    ['actors.mailboxBytes', ['actors.mailboxBytes=64KiB']],
    ['actors.waitingBytes', ['actors.waitingBytes=8MiB']],
    ['commit.queueBytes', ['commit.queueBytes=1MiB']],
    ['gateway.outboxBytes', ['gateway.outboxBytes=64KiB']],
  ];
  for (const [path, set] of cases) {
    const problems = problemsOf({ set });
    assert.equal(problems.length, 1, `${set}: ${problems}`);
    assert.ok(problems[0]?.startsWith(`${path}: `), problems[0]);
  }
  assert.deepEqual(crossCheck(schema.parse({})), []);
});

/** The settings that a node of a cluster needs beside its Redis. */
const MEMBER = ['cluster.secret=0123456789abcdef', 'storage.url=postgres://h/d'];

test('cluster.redis may be a URL, and another source may add to it', () => {
  const files = { '/a': 'cluster: { redis: "redis://h:1" }', '/b': 'cluster: { redis: { password: p } }' };
  const read = (sources: Sources) => loadConfig(sources, machine(files)).cluster.redis;
  assert.equal(read({}).url, null);
  assert.equal(read({ set: ['cluster.redis=null'] }).url, null);
  assert.equal(read({ files: ['/a'], set: MEMBER }).url, 'redis://h:1');
  const both = read({ files: ['/a', '/b'], set: MEMBER });
  assert.deepEqual([both.url, both.password], ['redis://h:1', 'p']);
  assert.equal(read({ set: [...MEMBER, 'cluster.redis=rediss://u:p@h:1/2'] }).url, 'rediss://u:p@h:1/2');
  assert.deepEqual(problemsOf({ set: ['cluster.redis=http://h'] }), [
    'cluster.redis.url: expected null, or a URL redis://user:password@host:port/database, or rediss:// for TLS; found a URL of another scheme (--set cluster.redis=***)',
  ]);
});

test('a cluster through Sentinels, and through a Redis Cluster', () => {
  const read = (set: string[]) => loadConfig({ set: [...MEMBER, ...set] }, machine()).cluster.redis;
  assert.deepEqual(
    read(['cluster.redis.sentinels=[a:26379, "[::1]:26379"]', 'cluster.redis.master=m']).sentinels,
    ['a:26379', '[::1]:26379'],
  );
  assert.deepEqual(read(['cluster.redis={nodes: [a:7000]}']).nodes, ['a:7000']);
  assert.match(
    problemsOf({ set: ['cluster.redis.nodes=[a]'] })[0] ?? '',
    /^cluster\.redis\.nodes\.0: expected a list of host:port; found "a"/,
  );
});

test('pins name a document or an organisation, a node, and perhaps a worker', () => {
  const read = (pins: string) => loadConfig({ set: [`cluster.pins=${pins}`] }, machine()).cluster.pins;
  assert.deepEqual(read('[{match: acme/plan, node: a, slot: 0}, {match: acme, node: b}]'), [
    { match: 'acme/plan', node: 'a', slot: 0 },
    { match: 'acme', node: 'b' },
  ]);
  for (const pins of ['[{match: acme/, node: a}]', '[{match: "a b", node: a}]', '[{match: acme}]']) {
    assert.match(problemsOf({ set: [`cluster.pins=${pins}`] })[0] ?? '', /^cluster\.pins\.0\..*match: org/);
  }
});

test('the settings that a node of a cluster needs are demanded, each at the key to change', () => {
  const redis = 'cluster.redis=redis://h:1';
  const cases: [path: string, set: string[]][] = [
    ['cluster.secret', [redis, 'storage.url=postgres://h/d']],
    ['storage.url', [redis, 'cluster.secret=0123456789abcdef']],
    ['cluster.advertise', [redis, ...MEMBER, 'cluster.link.host=0.0.0.0']],
    ['cluster.advertise', [redis, ...MEMBER, 'cluster.link.host=::']],
    ['cluster.advertise', ['cluster.advertise=0.0.0.0:7101']],
    ['cluster.advertise', ['cluster.advertise=[::]:7101']],
    ['cluster.advertise', ['cluster.advertise=h:70000']],
    ['cluster.advertise', ['cluster.advertise=h:0']],
    ['metrics.listen', ['metrics.listen=h:70000']],
    ['metrics.listen', ['metrics.listen=9464']],
    ['cluster.redis', [redis, ...MEMBER, 'cluster.redis.nodes=[a:1]']],
    ['cluster.redis.master', [...MEMBER, 'cluster.redis.sentinels=[a:1]']],
    ['cluster.redis.sentinels', [redis, ...MEMBER, 'cluster.redis.master=m']],
    ['cluster.redis.tls', ['cluster.redis.tls.cert=/c']],
    ['cluster.redis.tls.enabled', [redis, ...MEMBER, 'cluster.redis.tls.enabled=true']],
    ['cluster.redis.tls.ca', [redis, ...MEMBER, 'cluster.redis.tls.ca=/c']],
    ['cluster.redis.tls.ca', [...MEMBER, 'cluster.redis={nodes: [a:1], tls: {ca: /c}}']],
    ['cluster.redis.sentinelPassword', [redis, ...MEMBER, 'cluster.redis.sentinelPassword=p']],
    ['cluster.redis.sentinelUsername', ['cluster.redis.sentinelUsername=u']],
    ['cluster.pins', ['cluster.pins=[{match: a, node: x}, {match: b, node: x}, {match: a, node: y}]']],
    ['cluster.link.tls', ['cluster.link.tls.cert=/c', 'cluster.link.tls.key=/k']],
    ['cluster.leaseTtlMs', ['cluster.leaseTtlMs=1s']],
  ];
  for (const [path, set] of cases) {
    const problems = problemsOf({ set });
    assert.equal(problems.length, 1, `${set}: ${problems}`);
    assert.ok(problems[0]?.startsWith(`${path}: `), problems[0]);
  }
  assert.deepEqual(
    problemsOf({
      set: [redis, ...MEMBER, 'cluster.link.host=0.0.0.0', 'cluster.advertise=10.0.0.1:7101'],
    }),
    [],
  );
});

test('keys of tokens are demanded in one way, and from a place that can be trusted', () => {
  const secret = `auth.jwt.secret=${'x'.repeat(32)}`;
  const jwt = 'auth.mode=jwt';
  const cases: [path: string, set: string[]][] = [
    ['auth.jwt', [jwt]],
    ['auth.jwt', [jwt, secret, 'auth.jwt.jwks=/jwks.json']],
    ['auth.jwt.secret', [jwt, `auth.jwt.secret=${'x'.repeat(31)}`]],
    ['auth.jwt.jwks', [jwt, 'auth.jwt.jwks=http://id.example/jwks']],
    ['auth.jwt.jwks', [jwt, 'auth.jwt.jwks=http://127.0.0.1.id.example/jwks']],
    ['auth.jwt.jwks', [jwt, 'auth.jwt.jwks=http://10.0.0.1/jwks']],
    ['auth.jwt.jwks', [jwt, 'auth.jwt.jwks=https://user:hunter2@id.example/jwks']],
    ['auth.jwt.jwks', [jwt, 'auth.jwt.jwks=file:///etc/passwd']],
    ['auth.jwt.jwks', [jwt, 'auth.jwt.jwks=https://']],
    ['auth.mode', ['auth.mode=cookie']],
  ];
  for (const [path, set] of cases) {
    const problems = problemsOf({ set });
    assert.equal(problems.length, 1, `${set}: ${problems}`);
    assert.ok(problems[0]?.startsWith(`${path}: `), problems[0]);
    assert.ok(!problems[0]?.includes('hunter2'), problems[0]);
  }
  for (const set of [
    [jwt, secret],
    [jwt, secret, 'listen.host=0.0.0.0'],
    [jwt, 'auth.jwt.jwks=https://id.example/jwks'],
    [jwt, 'auth.jwt.jwks=http://127.0.0.1:9/jwks'],
    [jwt, 'auth.jwt.jwks=http://[::1]:9/jwks'],
    [jwt, 'auth.jwt.jwks=http://id.example/jwks', 'auth.jwt.allowHttp=true'],
    [jwt, 'auth.jwt.jwks=/etc/troupe/jwks.json'],
    [jwt, 'auth.jwt.jwks=C:\\troupe\\jwks.json'],
  ])
    assert.deepEqual(problemsOf({ set }), [], String(set));
});

test('a secret is shown nowhere, whatever is wrong with it', () => {
  for (const set of [
    'cluster.secret=hunter2',
    'cluster={secret: hunter2}',
    'cluster={secret: [hunter2]}',
    'cluster={secret: 0123456789hunter2, weight: no}',
    'cluster.redis={password: [hunter2]}',
    'cluster.redis={password: hunter2, url: 1}',
    'cluster.redis.url=http://u:hunter2@h',
    'cluster.redis.sentinels=["s:hunter2@h:1"]',
    'cluster.redis.sentinels=s:hunter2@h:1',
    'cluster.redis.nodes=["h:1", ":hunter2@h:x"]',
    'cluster.advertise=u:hunter2@h:1',
  ]) {
    const problems = problemsOf({ set: [set] });
    assert.ok(problems.length > 0, set);
    assert.ok(!problems.join().includes('hunter2'), problems.join());
  }
  assert.deepEqual(problemsOf({ files: ['/a'] }, { '/a': 'cluster: { secret: hunter2 }' }), [
    'cluster.secret: expected null, or at least 16 characters; found something else (/a)',
  ]);
});

test('passwords are not shown', () => {
  assert.equal(redact('at postgres://u:secret@h:1/d, ok'), 'at postgres://u:***@h:1/d, ok');
  assert.equal(redact('postgres://u:se@cret@h/d'), 'postgres://u:***@h/d');
  assert.equal(redact('postgres://h/d?user=u&password=secret&x=1'), 'postgres://h/d?user=u&password=***&x=1');
  assert.equal(
    redact('http://127.0.0.1:8080/ and me@example.org'),
    'http://127.0.0.1:8080/ and me@example.org',
  );
  assert.deepEqual(problemsOf({ set: ['cluster.advertise=u:hunter2@10.0.0.7:7101'] }), [
    'cluster.advertise: expected null, or host:port; found "***@10.0.0.7:7101" (--set cluster.advertise=***@10.0.0.7:7101)',
  ]);
  const [problem] = problemsOf({ set: ['storage.url=mysql://u:hunter2@h/d'] });
  assert.ok(!problem?.includes('hunter2'), problem);
});

test('whatever is written, the answer is a configuration or a ConfigError that names a path', () => {
  const path = fc.oneof(fc.constantFrom(...ALL_KEYS.map((key) => key.path)), fc.string());
  const value = fc.oneof(
    fc.string(),
    fc.jsonValue().map((json) => JSON.stringify(json)),
    fc.constantFrom('0', '-1', '1e999', '.nan', 'null', '&a [*a]'),
  );
  const file = fc.oneof(
    fc.string(),
    fc.jsonValue().map((json) => JSON.stringify(json)),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(path, value), { maxLength: 4 }), file, (assignments, text) => {
      try {
        loadConfig(
          { files: ['/a'], set: assignments.map((pair) => pair.join('=')) },
          machine({ '/a': text }),
        );
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error));
        assert.ok(error.problems.length > 0);
      }
    }),
    { numRuns: 300 * Number(process.env.FUZZ_RUNS ?? 1) },
  );
});
