// The certificate of `listen.tls`. Its files are read again every `reloadMs`, and a changed pair is used for the next
// connections, without a restart; open connections stay. A pair that cannot be used, such as one of which only half
// is written yet, is reported once, and the pair before it stays in use.
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type Server } from 'node:tls';
import type { Clock } from '../../actors/clock.ts';
import { StartError } from '../../config/fatal.ts';
import type { Config } from '../../config/schema.ts';

export interface CertificatePair {
  /** PEM: the certificate of the node, and those that lead to its authority. */
  readonly cert: string;
  /** PEM, without a passphrase. */
  readonly key: string;
}

export interface ListenerCertificateOptions {
  /** The paths of both files. */
  readonly files: CertificatePair;
  readonly reloadMs: number;
  readonly clock: Pick<Clock, 'every'>;
  readonly log: (level: 'info' | 'warn', message: string, fields: object) => void;
}

/** Undefined if the node speaks without TLS. */
export async function certificateOf(
  { cert, key, reloadMs }: Config['listen']['tls'],
  clock: Pick<Clock, 'every'>,
  logger: { info(fields: object, message: string): void; warn(fields: object, message: string): void },
): Promise<ListenerCertificate | undefined> {
  if (cert === null || key === null) return undefined;
  const log: ListenerCertificateOptions['log'] = (level, message, fields) => logger[level](fields, message);
  return await ListenerCertificate.load({ files: { cert, key }, reloadMs, clock, log }).catch(
    (error: unknown) => {
      throw new StartError(`the certificate of listen.tls cannot be used: ${String(error)}`);
    },
  );
}

export class ListenerCertificate {
  readonly #options: ListenerCertificateOptions;
  #pair: CertificatePair;
  /** The pair that was read last, which may be one that cannot be used. */
  #read: CertificatePair;
  /** The failure that was reported last, until a pair can be used again. */
  #told: string | undefined;

  /** Rejects if the files cannot be read, or hold no pair. */
  static async load(options: ListenerCertificateOptions): Promise<ListenerCertificate> {
    const pair = await readPair(options.files);
    createSecureContext(pair);
    return new ListenerCertificate(options, pair);
  }

  private constructor(options: ListenerCertificateOptions, pair: CertificatePair) {
    this.#options = options;
    this.#pair = pair;
    this.#read = pair;
  }

  get pair(): CertificatePair {
    return this.#pair;
  }

  /** Gives each changed pair to the server, until the returned function is called. */
  watch(server: Pick<Server, 'setSecureContext'>): () => void {
    let isReading = false;
    return this.#options.clock.every(this.#options.reloadMs, () => {
      if (isReading) return;
      isReading = true;
      void this.#look(server).finally(() => {
        isReading = false;
      });
    });
  }

  async #look(server: Pick<Server, 'setSecureContext'>): Promise<void> {
    const { files, log } = this.#options;
    try {
      const pair = await readPair(files);
      if (pair.cert === this.#read.cert && pair.key === this.#read.key) return;
      // A failure is final for this pair: it is tried again when a file changes.
      this.#read = pair;
      server.setSecureContext({ ...pair, ...TLS });
      this.#pair = pair;
      this.#told = undefined;
      log('info', 'the certificate of listen.tls has been replaced', { validTo: validTo(pair) });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason === this.#told) return;
      this.#told = reason;
      log('warn', 'the new certificate of listen.tls cannot be used: the one before it stays in use', {
        reason,
      });
    }
  }
}

/** Options of every TLS server of a node's clients. */
export const TLS = { minVersion: 'TLSv1.2' } as const;

async function readPair({ cert, key }: CertificatePair): Promise<CertificatePair> {
  const [certText, keyText] = await Promise.all([readFile(cert, 'utf8'), readFile(key, 'utf8')]);
  return { cert: certText, key: keyText };
}

const validTo = ({ cert }: CertificatePair): string => new X509Certificate(cert).validTo;
