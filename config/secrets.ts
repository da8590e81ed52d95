// The secrets of a configuration, and texts without them. The last wall before anything is written: what is shown of
// keys and URLs is masked where it is made (print.ts, problems.ts, redact.ts), and an error of a driver or of a defect
// may carry a secret all the same.
import { redact } from './redact.ts';
import type { Config } from './schema.ts';
import { parseServiceUrl } from './service-url.ts';
import { ALL_KEYS, valueAt } from './walk.ts';

/** Learns secrets and takes them out of texts. */
export class Secrets {
  readonly #forms = new Set<string>();

  learn(config: Config): void {
    for (const { path, secret, url } of ALL_KEYS) {
      const value = valueAt(config, path);
      if (typeof value !== 'string') continue;
      if (secret) this.add(value);
      if (url) this.addUrl(value);
    }
  }

  /** A URL such as that of the embedded PostgreSQL. */
  addUrl(url: string): void {
    const parsed = parseServiceUrl(url, /./);
    if ('problem' in parsed) return;
    for (const secret of [parsed.password, parsed.query.get('password')])
      if (secret !== undefined) this.add(secret);
  }

  add(secret: string): void {
    if (secret.length < LEAST_LENGTH || WORDS.has(secret.toLowerCase())) return;
    const json = JSON.stringify(secret).slice(1, -1);
    for (const form of [secret, encodeURIComponent(secret), json]) this.#forms.add(form);
  }

  /** The text with `***` for each secret that is known, and for each password in a URL. */
  hide(text: string): string {
    let hidden = text;
    for (const form of this.#forms) hidden = hidden.replaceAll(form, HIDDEN);
    return redact(hidden);
  }
}

const HIDDEN = '***';
/** A shorter one is a part of other words: to hide it would spoil texts and tell it. */
const LEAST_LENGTH = 6;
/** Passwords that are words of Troupe's own texts. */
const WORDS = new Set(['troupe', 'postgres', 'postgresql', 'password', 'secret', 'cluster']);
