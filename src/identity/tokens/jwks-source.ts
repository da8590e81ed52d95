// Reads a JSON Web Key Set from a file or over HTTP.
import { readFile } from 'node:fs/promises';
import { fetchedText } from '../bounded-fetch.ts';
import type { JwksSource } from './jwks.ts';

const TIMEOUT_MS = 5_000;
const MOST_BYTES = 256 * 1024;

/** `source`: a URL with http or https, or a path. */
export function jwksSource(source: string): JwksSource {
  return isHttpUrl(source)
    ? { name: source, isLocal: false, read: async () => parsed(await fetched(source)) }
    : { name: source, isLocal: true, read: async () => parsed(await fileText(source)) };
}

/** The error of JSON.parse shows a part of the text, which may be a secret. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('it is not JSON');
  }
}

const isHttpUrl = (source: string): boolean => /^https?:\/\//i.test(source);

async function fileText(path: string): Promise<string> {
  const text = await readFile(path, 'utf8');
  if (text.length > MOST_BYTES) throw new Error(`${path} has more than ${MOST_BYTES} bytes`);
  return text;
}

const fetched = (url: string): Promise<string> =>
  fetchedText(url, {
    timeoutMs: TIMEOUT_MS,
    mostBytes: MOST_BYTES,
    headers: { accept: 'application/jwk-set+json, application/json' },
  });
