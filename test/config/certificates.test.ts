// The files of certificates and keys: a problem with a file is reported at the key that names the file.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkCertificates } from '../../config/certificates.ts';
import { ConfigError } from '../../config/fatal.ts';
import { configFrom } from '../../config/load.ts';
import { createAuthority } from '../cluster/peer/peer-certificates.ts';

type Tls = Readonly<Partial<Record<'cert' | 'key' | 'ca', string>>>;

const member = (link: Tls, redis: Tls = {}) =>
  configFrom({
    storage: { url: 'postgres://db/troupe' },
    cluster: {
      redis: { url: 'rediss://redis', tls: redis },
      secret: 'sixteen characters',
      link: { tls: link },
    },
  });

function problemsOf(config: ReturnType<typeof member>): readonly string[] {
  try {
    checkCertificates(config);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message.split('\n');
  }
}

test('files that are missing, hold something else or do not belong together are problems of their keys', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-certificates-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const write = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  const authority = createAuthority('ca');
  const issued = authority.issue('a');
  const files = {
    cert: write('cert', issued.cert),
    key: write('key', issued.key),
    ca: write('ca', issued.ca + createAuthority('other').cert),
  };
  const other = write('other', authority.issue('b').key);
  const text = write('text', 'root:x:0:0\n');
  const broken = write('broken', issued.cert.replace(/\n.{64}\n/, '\nAAAA\n'));
  const missing = join(directory, 'missing');
  const cases: [link: Tls, redis: Tls, problems: string[]][] = [
    [files, files, []],
    [{}, { ca: files.ca }, []],
    [
      { cert: missing, key: missing, ca: missing },
      { ca: missing },
      ['link.tls.cert', 'link.tls.key', 'link.tls.ca', 'redis.tls.ca'].map(
        (key) => `cluster.${key}: cannot read ${missing}: ENOENT: no such file or directory`,
      ),
    ],
    [
      { cert: text, key: files.cert, ca: text },
      {},
      [
        `cluster.link.tls.cert: expected a certificate (PEM) in ${text}: there is none`,
        `cluster.link.tls.key: expected a private key without a passphrase (PEM) in ${files.cert}: there is none`,
        `cluster.link.tls.ca: expected certificates (PEM) in ${text}: there is none`,
      ],
    ],
    [
      { ...files, key: other },
      {},
      [
        `cluster.link.tls.key: expected the key of the certificate in ${files.cert}; that in ${other} is another's`,
      ],
    ],
  ];
  for (const [link, redis, problems] of cases) assert.deepEqual(problemsOf(member(link, redis)), problems);
  assert.match(
    problemsOf(member(files, { ca: broken }))[0] ?? '',
    /^cluster\.redis\.tls\.ca: expected certificates/,
  );
});

test('a node that is alone uses no file of its cluster, and the files of its own listener', () => {
  const files = { cert: '/no', key: '/no', ca: '/no' };
  const { cert, key } = files;
  checkCertificates(configFrom({ cluster: { link: { tls: files } } }));
  assert.deepEqual(problemsOf(configFrom({ listen: { tls: { cert, key } } })), [
    'listen.tls.cert: cannot read /no: ENOENT: no such file or directory',
    'listen.tls.key: cannot read /no: ENOENT: no such file or directory',
  ]);
});
