// Reads a JSON Web Key Set from a file or over HTTP. A request follows no redirect, so an answer cannot lead it to
// another host, and its time and its size are bounded.
import { readFile } from 'node:fs/promises';
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

async function fetched(url: string): Promise<string> {
  const response = await fetch(url, {
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { accept: 'application/jwk-set+json, application/json' },
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the answer has status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    // Leaving the loop cancels the rest of the body.
    if (bytes > MOST_BYTES) throw new Error(`the answer has more than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
