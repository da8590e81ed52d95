// The secrets of a configuration, which it removes from texts. This is the last protection before output is
// written: print.ts, problems.ts and redact.ts mask keys and URLs where they are shown, but an error of a
// driver or of a defect may still carry a secret. This module does not load the schema, which a help does not need;
// walk.ts finds the secrets of a configuration.

import { parseServiceUrl } from '../urls/service-url.ts';
import { redact } from './redact.ts';

/** Learns secrets and removes them from texts. */
export class Secrets {
  readonly #forms = new Set<string>();

  /** Learns the password of a URL, such as that of the embedded PostgreSQL. */
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

  /** Returns the text with `***` in place of each known secret and each password in a URL. */
  hide(text: string): string {
    let hidden = text;
    for (const form of this.#forms) hidden = hidden.replaceAll(form, HIDDEN);
    return redact(hidden);
  }
}

const HIDDEN = '***';
/** A shorter secret may be part of other words: hiding it would spoil texts and reveal it. */
const LEAST_LENGTH = 6;
/** Passwords that are words of Troupe's own texts. */
const WORDS = new Set(['troupe', 'postgres', 'postgresql', 'password', 'secret', 'cluster']);
