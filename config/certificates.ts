// Checks the files of certificates and keys that a configuration names: whether they can be read, have the
// right content, and belong together. This is the one check of the configuration that depends on files of
// this machine, so it is separate: the commands that use the files or check the configuration call it.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { isClustered } from './clustered.ts';
import { ConfigError, type Problem } from './fatal.ts';
import type { Config } from './schema.ts';

type Files = Readonly<Record<'cert' | 'key' | 'ca', string | null>>;

/** Throws ConfigError. A node without a cluster uses no files of `cluster`, and none of them is checked then. */
export function checkCertificates(config: Pick<Config, 'cluster' | 'listen'>): void {
  const { cert, key } = config.listen.tls;
  const problems = [...problemsOf('listen.tls', { cert, key, ca: null }), ...problemsOfCluster(config)];
  if (problems.length > 0) throw new ConfigError(problems);
}

function problemsOfCluster(config: Pick<Config, 'cluster'>): Problem[] {
  if (!isClustered(config)) return [];
  const { link, redis } = config.cluster;
  return [
    ...problemsOf('cluster.link.tls', link.tls),
    // check.ts refuses these keys without TLS, so the files are used if they are given.
    ...problemsOf('cluster.redis.tls', redis.tls),
  ];
}

function problemsOf(section: string, files: Files): Problem[] {
  const problems: Problem[] = [];
  const read = <T>(name: keyof Files, what: string, parse: (pem: string) => T): T | undefined => {
    const file = files[name];
    if (file === null) return undefined;
    const path = `${section}.${name}`;
    let pem: string;
    try {
      pem = readFileSync(file, 'utf8');
    } catch (error) {
      problems.push({ path, message: `cannot read ${file}: ${reason(error)}` });
      return undefined;
    }
    try {
      return parse(pem);
    } catch (error) {
      problems.push({ path, message: `expected ${what} (PEM) in ${file}: ${reason(error)}` });
      return undefined;
    }
  };
  const [cert] = read('cert', 'a certificate', certificatesIn) ?? [];
  const key = read('key', 'a private key without a passphrase', privateKeyIn);
  read('ca', 'certificates', certificatesIn);
  if (cert === undefined || key === undefined) return problems;
  if (!cert.checkPrivateKey(key)) {
    const message = `expected the key of the certificate in ${files.cert}; that in ${files.key} is another's`;
    return [...problems, { path: `${section}.key`, message }];
  }
  try {
    createSecureContext({ cert: cert.toString(), key: key.export({ type: 'pkcs8', format: 'pem' }) });
  } catch (error) {
    problems.push({
      path: `${section}.cert`,
      message: `${files.cert} cannot be used for TLS: ${reason(error)}`,
    });
  }
  return problems;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function certificatesIn(pem: string): X509Certificate[] {
  const found = pem.match(CERTIFICATE) ?? [];
  if (found.length === 0) throw new Error('there is none');
  return found.map((each) => new X509Certificate(each));
}

function privateKeyIn(pem: string): KeyObject {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) throw new Error('there is none');
  return createPrivateKey(pem);
}

/** The message without the name of the failed call. The file is named beside it. */
function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/, \w+( '.*')?$/, '');
}
