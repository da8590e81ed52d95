// A certificate authority, and a certificate for 127.0.0.1 that serves both server and client, made by
// openssl.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from './programs/install.ts';
import { OPENSSL } from './programs/requirements.ts';

/** The files, and the options with which a client connects. */
export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly client: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };
}

/** Writes the files into `directory`. `names`: the subjects of the certificate, in openssl's form. */
export async function makeCertificates(directory: string, names = 'IP:127.0.0.1'): Promise<Certificates> {
  const program = await findProgram(OPENSSL);
  const file = (name: string): string => join(directory, name);
  const openssl = (...args: string[]) => promisify(execFile)(program, args, { cwd: directory });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  await openssl('req', '-x509', ...key, '-subj', '/CN=test', '-keyout', 'ca.key', '-out', 'ca.pem');
  await openssl(
    'req',
    ...key.slice(0, -2),
    '-subj',
    '/CN=redis',
    '-keyout',
    'key.pem',
    '-out',
    'request.pem',
  );
  await writeFile(file('extensions'), `subjectAltName=${names}`);
  const sign = [
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    'extensions',
  ];
  await openssl('x509', '-req', '-in', 'request.pem', ...sign, '-out', 'cert.pem');
  const [ca, cert, secret] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map((name) => readFile(file(name))),
  );
  if (!ca || !cert || !secret) throw new Error('openssl wrote nothing');
  return {
    ca: file('ca.pem'),
    cert: file('cert.pem'),
    key: file('key.pem'),
    client: { ca, cert, key: secret },
  };
}
