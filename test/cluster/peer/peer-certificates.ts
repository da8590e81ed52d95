// Certificates for tests: a CA and certificates of its own, made with node:crypto alone. Ed25519, valid for a
// day.
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

export interface Authority {
  readonly cert: string;
  issue(name: string): { readonly cert: string; readonly key: string; readonly ca: string };
}

const DAY_MS = 86_400_000;
/** 1.3.101.112, Ed25519. */
const ALGORITHM = tlv(0x30, tlv(0x06, Buffer.of(0x2b, 0x65, 0x70)));

export function createAuthority(name: string): Authority {
  const ca = generateKeyPairSync('ed25519');
  const cert = certificate(name, name, ca.publicKey, ca.privateKey, true, 1);
  let serial = 1;
  return {
    cert,
    issue(subject) {
      const pair = generateKeyPairSync('ed25519');
      return {
        cert: certificate(subject, name, pair.publicKey, ca.privateKey, false, ++serial),
        key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        ca: cert,
      };
    },
  };
}

function certificate(
  subject: string,
  issuer: string,
  publicKey: KeyObject,
  signer: KeyObject,
  isAuthority: boolean,
  serial: number,
): string {
  const now = Date.now();
  const constraints = tlv(
    0x30,
    tlv(0x06, Buffer.of(0x55, 0x1d, 0x13)),
    tlv(0x01, Buffer.of(0xff)),
    tlv(0x04, tlv(0x30, isAuthority ? tlv(0x01, Buffer.of(0xff)) : Buffer.alloc(0))),
  );
  const body = tlv(
    0x30,
    tlv(0xa0, tlv(0x02, Buffer.of(2))),
    tlv(0x02, Buffer.of(serial)),
    ALGORITHM,
    distinguishedName(issuer),
    tlv(0x30, utcTime(now - DAY_MS), utcTime(now + DAY_MS)),
    distinguishedName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, tlv(0x30, constraints)),
  );
  const der = tlv(0x30, body, ALGORITHM, tlv(0x03, Buffer.of(0), sign(null, body, signer)));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function distinguishedName(name: string): Buffer {
  const commonName = tlv(0x06, Buffer.of(0x55, 0x04, 0x03));
  return tlv(0x30, tlv(0x31, tlv(0x30, commonName, tlv(0x0c, Buffer.from(name)))));
}

function utcTime(at: number): Buffer {
  const digits = new Date(at).toISOString().replace(/\D/g, '');
  return tlv(0x17, Buffer.from(`${digits.slice(2, 14)}Z`));
}

function tlv(tag: number, ...content: readonly Buffer[]): Buffer {
  const value = Buffer.concat(content);
  const { length } = value;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), value]);
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 0xff), value]);
}
