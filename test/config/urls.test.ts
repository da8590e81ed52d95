// URLs of services: the parts that are read, the URLs that are refused, and refusals that repeat no part of
// the URL.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConfigError } from '../../config/fatal.ts';
import { configFrom } from '../../config/load.ts';
import { describePostgresUrl, parsePostgresUrl } from '../../config/urls/postgres-url.ts';
import { problemOfRedisUrl } from '../../config/urls/redis-url.ts';

const PASSWORD = 'hunter2';

function serverOf(url: string) {
  const parsed = parsePostgresUrl(url);
  assert.ok('servers' in parsed, 'problem' in parsed ? parsed.problem : '');
  const [server] = parsed.servers;
  assert.ok(server);
  return server;
}

test('a URL of PostgreSQL is read into its decoded parts', () => {
  assert.deepEqual(serverOf('postgres://us%40er:p%2F%3F%23%25@db.internal:6543/tr%C3%BCppe?search_path=a'), {
    host: 'db.internal',
    port: 6543,
    user: 'us@er',
    password: 'p/?#%',
    database: 'trüppe',
    sslmode: 'disable',
    sslnegotiation: 'postgres',
    settings: { search_path: 'a' },
  });
  assert.equal(serverOf('postgresql://h').port, 5432);
  assert.equal(serverOf('postgres://u@[2001:db8::1]:5433/d').host, '2001:db8::1');
  assert.equal(serverOf('postgres://h/d?sslmode=require').sslmode, 'require');
  assert.equal(serverOf('postgres://h/d?sslrootcert=system').sslmode, 'verify-full');
  assert.equal(serverOf('postgres://h/d?password=p%26').password, 'p&');
});

test('a URL of several hosts names a server for each', () => {
  const parsed = parsePostgresUrl('postgres://u:p%40s@a:1,b,c:3/db?sslmode=require');
  assert.ok('servers' in parsed);
  assert.deepEqual(
    parsed.servers.map(({ host, port, password, sslmode }) => [host, port, password, sslmode]),
    [
      ['a', 1, 'p@s', 'require'],
      ['b', 5432, 'p@s', 'require'],
      ['c', 3, 'p@s', 'require'],
    ],
  );
});

test('a Unix socket is named as for libpq, by its directory', () => {
  for (const url of [
    'postgres:///troupe?host=/var/run/postgresql',
    'postgres://%2Fvar%2Frun%2Fpostgresql/troupe',
  ]) {
    const { host, port, user, database } = serverOf(url);
    assert.deepEqual([host, port, user, database], ['/var/run/postgresql', 5432, undefined, 'troupe']);
  }
  const owned = serverOf(`postgres://u:${PASSWORD}@/troupe?host=/run/pg&port=5433`);
  assert.deepEqual([owned.host, owned.port, owned.user, owned.password], ['/run/pg', 5433, 'u', PASSWORD]);
  assert.equal(describePostgresUrl('postgres:///d?host=/run/pg'), '/run/pg:5432, database d');
});

const POSTGRES: readonly (readonly [url: string, problem: RegExp])[] = [
  [`postgres://u:${PASSWORD}#x@h/d`, /with a # in it/],
  [`postgres://u:${PASSWORD}/x@h/d`, /with an @ behind a \/ or \?/],
  [`postgres://u:${PASSWORD}?x@h/d`, /with an @ behind a \/ or \?/],
  [`postgres://u:${PASSWORD}%@h/d`, /with a % that begins no character/],
  [`postgres://u:${PASSWORD}%zz@h/d`, /with a % that begins no character/],
  [`postgres://u:${PASSWORD}%ff@h/d`, /with a % that begins no character/],
  [`postgres://u:${PASSWORD}@x@h/d`, /with more than one @/],
  [`postgres://u:${PASSWORD} x@h/d`, /with white space in it/],
  [`postgres://u:${PASSWORD}@/d`, /without a host/],
  [`postgres://u:${PASSWORD}@`, /without a host/],
  ['postgres:///d', /without a host/],
  [`postgres://u:${PASSWORD}`, /not host or host:port/],
  [`postgres://:${PASSWORD}@h/d`, /without a user name/],
  [`postgres://u:${PASSWORD}@h:0/d`, /not host or host:port/],
  [`postgres://u:${PASSWORD}@h:70000/d`, /not host or host:port/],
  [`postgres://u:${PASSWORD}@h:5432:1/d`, /not host or host:port/],
  [`postgres://u:${PASSWORD}@a,,b/d`, /not host or host:port/],
  [`postgres://u:${PASSWORD}@h/d/e`, /with a second \/ in its path/],
  [`postgres://u:${PASSWORD}@h/d?application_name=x`, /with application_name, by which Troupe finds/],
  [`postgres://u:${PASSWORD}@h/d?connect_timeout=3`, /storage\.connectTimeoutMs/],
  [`postgres://u:${PASSWORD}@h/d?sslmode=${PASSWORD}`, /with an sslmode other than/],
  [`postgres://u:${PASSWORD}@h/d?sslrootcert=/ca.pem`, /NODE_EXTRA_CA_CERTS/],
  [`postgres://u:${PASSWORD}@h/d?target_session_attrs=standby`, /with target_session_attrs/],
  [`postgres://u:${PASSWORD}@h/d?${PASSWORD}!=1`, /no setting of PostgreSQL/],
  [`mysql://u:${PASSWORD}@h/d`, /of another scheme/],
  [PASSWORD, /of another scheme/],
];

test('a URL of PostgreSQL that cannot be meant is refused at its key, and not shown', () => {
  for (const [url, problem] of POSTGRES) refuses({ storage: { url } }, /^storage\.url: expected/, problem);
});

const REDIS: readonly (readonly [url: string, problem: RegExp])[] = [
  [`redis://u:${PASSWORD}#x@h`, /with a # in it/],
  [`redis://u:${PASSWORD}/x@h`, /with an @ behind a \/ or \?/],
  [`rediss://u:${PASSWORD}?x@h`, /with an @ behind a \/ or \?/],
  [`redis://u:${PASSWORD}%@h`, /with a % that begins no character/],
  [`redis://u:${PASSWORD}@`, /without a host/],
  [`redis://u:${PASSWORD}@a,b`, /with several hosts/],
  [`redis://u:${PASSWORD}@h/first`, /whose path is not the number of a database/],
  [`http://u:${PASSWORD}@h`, /of another scheme/],
];

test('a URL of Redis that cannot be meant is refused at its key, and not shown', () => {
  for (const [url, problem] of REDIS)
    refuses({ cluster: { redis: { url } } }, /^cluster\.redis\.url: expected/, problem);
  assert.equal(problemOfRedisUrl(`redis://:${PASSWORD}@[::1]:6379/3?family=6`), undefined);
});

test('whatever a URL is, it is read or refused, and a refusal has no part of the password', () => {
  const url = fc
    .tuple(fc.constantFrom('u:', ':', 'u@', ''), fc.string(), fc.constantFrom('@h/d', '/d', '@', '?host=/x'))
    .map(([user, rest, end]) => `postgres://${user}${PASSWORD}${rest}${end}`);
  fc.assert(
    fc.property(url, (text) => {
      const parsed = parsePostgresUrl(text);
      if ('problem' in parsed) assert.ok(!parsed.problem.includes(PASSWORD));
      else assert.ok(parsed.servers.length > 0);
    }),
  );
});

function refuses(value: object, ...said: readonly RegExp[]): void {
  assert.throws(
    () => configFrom(value),
    (error) => {
      assert.ok(error instanceof ConfigError);
      for (const pattern of said) assert.match(error.message, pattern);
      assert.ok(!error.message.includes(PASSWORD), error.message);
      return true;
    },
  );
}
