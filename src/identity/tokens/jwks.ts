// The public keys of a JSON Web Key Set, kept while the set changes. It decides when the set is read again and how long
// a key that has left the set is still good. It reads nothing itself and knows no claims.
//
// The set is read again when it is older than `cacheMs`, in the background, and when a token names a key that is not
// known. Reads are at least COOLDOWN_MS apart, so a flood of unknown keys is no flood of reads: within that time such a
// token is answered `unavailable`, because its key may have been published since. A read that fails changes nothing.
import {
  createLocalJWKSet,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
  type JWK,
  type JWTVerifyOptions,
  type JWTVerifyResult,
  jwtVerify,
  type LocalJWKSet,
} from 'jose';
import { StartError } from '../../../config/fatal.ts';
import { KeysUnavailable, type TokenKeys } from './token-keys.ts';

export interface JwksOptions {
  readonly source: JwksSource;
  /** ms that never go back. */
  readonly now: () => number;
  /** How old the set may be before it is read again. */
  readonly cacheMs: number;
  /** How long a key that has left the set is still good. */
  readonly retiredMs: number;
  readonly onProblem: (message: string) => void;
}

export interface JwksSource {
  /** Names the source in messages. */
  readonly name: string;
  /** The source must be usable when the node starts. */
  readonly isLocal: boolean;
  /** Reads the set. Rejects if it cannot be read. */
  read(): Promise<unknown>;
}

/** A shared secret is never in the list, so that a public key cannot be taken for one. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
const COOLDOWN_MS = 10_000;
/** Keys of one set that are used. A larger set is refused. */
const MOST_KEYS = 100;
/** Former sets that are kept. The oldest is dropped first. */
const MOST_RETIRED = 8;
const LEAST_RSA_BYTES = 256;

interface RetiredSet {
  readonly keys: LocalJWKSet;
  readonly until: number;
}

export class Jwks implements TokenKeys {
  readonly #options: JwksOptions;
  #keys: readonly JWK[] = [];
  #current: LocalJWKSet | undefined;
  #retired: RetiredSet[] = [];
  /** When the last read began, and when the last good one did. */
  #triedAt = Number.NEGATIVE_INFINITY;
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<boolean> | undefined;

  constructor(options: JwksOptions) {
    this.#options = options;
  }

  /** Reads the set for the first time. Rejects with StartError if a file has no usable set. */
  async start(): Promise<void> {
    const { source } = this.#options;
    if (!source.isLocal) {
      await this.#read();
      return;
    }
    try {
      this.#take(await source.read());
    } catch (error) {
      throw new StartError(`auth.jwt.jwks: ${reasonOf(error)}`);
    }
    this.#triedAt = this.#options.now();
    this.#readAt = this.#triedAt;
  }

  async verify(token: string, options: JWTVerifyOptions): Promise<JWTVerifyResult> {
    if (this.#options.now() - this.#readAt > this.#options.cacheMs) {
      const read = this.#read();
      if (this.#current === undefined) await read;
    }
    const failure = await this.#attempt(token, options);
    if ('payload' in failure) return failure;
    if (!isUnknownKey(token, failure.error)) throw failure.error;
    if (!(await this.#read())) {
      const wait = Math.max(0, this.#triedAt + COOLDOWN_MS - this.#options.now());
      throw new KeysUnavailable('the key of this token is not known yet', wait);
    }
    const again = await this.#attempt(token, options);
    if ('payload' in again) return again;
    throw again.error;
  }

  /** Tries the current set, then the retired ones. */
  async #attempt(token: string, options: JWTVerifyOptions): Promise<JWTVerifyResult | { error: unknown }> {
    const now = this.#options.now();
    this.#retired = this.#retired.filter(({ until }) => until > now);
    let failure: unknown;
    for (const keys of [this.#current, ...this.#retired.map((each) => each.keys)]) {
      if (keys === undefined) continue;
      try {
        return await jwtVerify(token, keys, { ...options, algorithms: ALGORITHMS });
      } catch (error) {
        // A key that has failed says more than a set that does not have the key.
        if (failure === undefined || !(error instanceof errors.JWKSNoMatchingKey)) failure = error;
        if (!isWrongKey(error)) break;
      }
    }
    return { error: failure ?? new errors.JWKSNoMatchingKey() };
  }

  /** True if the set has been read. False if the read has failed, or if the last one was too recent. */
  #read(): Promise<boolean> {
    if (this.#reading !== undefined) return this.#reading;
    const began = this.#options.now();
    if (began - this.#triedAt < COOLDOWN_MS) return Promise.resolve(false);
    this.#triedAt = began;
    const { source, onProblem } = this.#options;
    this.#reading = source
      .read()
      .then((set) => {
        this.#take(set);
        this.#readAt = began;
        return true;
      })
      .catch((error: unknown) => {
        onProblem(`the keys of ${source.name} cannot be read: ${reasonOf(error)}`);
        return false;
      })
      .finally(() => {
        this.#reading = undefined;
      });
    return this.#reading;
  }

  /** Throws if the value is no set, or has no key that can be used. */
  #take(value: unknown): void {
    const keys = usableKeys(value);
    const texts = new Set(keys.map((key) => JSON.stringify(key)));
    const gone = this.#keys.filter((key) => !texts.has(JSON.stringify(key)));
    const current = createLocalJWKSet({ keys });
    if (gone.length > 0) {
      const until = this.#options.now() + this.#options.retiredMs;
      this.#retired.unshift({ keys: createLocalJWKSet({ keys: gone }), until });
      this.#retired.length = Math.min(this.#retired.length, MOST_RETIRED);
    }
    this.#keys = keys;
    this.#current = current;
  }
}

/** Keys that cannot verify, such as secrets, private and short keys, are left out. */
function usableKeys(value: unknown): JWK[] {
  const { keys } = (typeof value === 'object' && value !== null ? value : {}) as Partial<JSONWebKeySet>;
  if (!Array.isArray(keys)) throw new Error('it is no JSON Web Key Set: expected {"keys": [...]}');
  if (keys.length > MOST_KEYS) throw new Error(`it has more than ${MOST_KEYS} keys`);
  const usable = keys.filter(isUsable);
  if (usable.length === 0) throw new Error('it has no public key for signatures');
  return usable;
}

function isUsable(key: unknown): key is JWK {
  if (typeof key !== 'object' || key === null) return false;
  const { kty, use, n, d } = key as Partial<JWK>;
  if (d !== undefined || (use !== undefined && use !== 'sig')) return false;
  if (kty === 'RSA') return typeof n === 'string' && Buffer.from(n, 'base64url').length >= LEAST_RSA_BYTES;
  return kty === 'EC' || kty === 'OKP';
}

/** Another set may have the right key. */
const isWrongKey = (error: unknown): boolean =>
  error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWSSignatureVerificationFailed;

/** The key of the token may have been published after the last read. */
function isUnknownKey(token: string, error: unknown): boolean {
  if (error instanceof errors.JWKSNoMatchingKey) return true;
  return (
    error instanceof errors.JWSSignatureVerificationFailed && decodeProtectedHeader(token).kid === undefined
  );
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // fetch tells the reason as the cause.
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
