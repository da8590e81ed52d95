// Entity tags of documents, in the headers of HTTP. A tag is that of actors/link/calls.ts, in quotes.
import type { FastifyRequest } from 'fastify';
import { tagOf } from '../../../actors/link/calls.ts';
import { Refusal } from '../api/refusals.ts';

export const etag = (history: string, version: number): string => `"${tagOf(history, version)}"`;

/** `*` stands for any document that exists. */
export const ANY = '*';

/** The tags of If-None-Match, weak or not. */
export function unlessOf({ headers }: FastifyRequest): readonly string[] {
  const text = headers['if-none-match'];
  return text === undefined ? [] : tagsIn(text.replaceAll('W/', ''), 'If-None-Match');
}

/** The tags of If-Match. Undefined if the request has none. Weak tags are never the same. */
export function ifOf({ headers }: FastifyRequest): readonly string[] | undefined {
  const text = headers['if-match'];
  return text === undefined ? undefined : tagsIn(text.replace(/W\/"[^"]*"/g, '""'), 'If-Match');
}

const LIST = /^\s*(?:\*|"[\x21\x23-\x7e]*"(?:\s*,\s*"[\x21\x23-\x7e]*")*)\s*$/;

function tagsIn(text: string, header: string): readonly string[] {
  if (!LIST.test(text))
    throw new Refusal('bad-message', `${header}: entity tags in quotes, with commas between them`);
  if (text.trim() === ANY) return [ANY];
  return [...text.matchAll(/"([^"]*)"/g)].map(([, tag = '']) => tag);
}
