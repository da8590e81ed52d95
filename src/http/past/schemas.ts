// The shapes of requests and answers about a document's past.
import { z } from 'zod';
import { DOCUMENT, VERSION } from '../documents/schemas.ts';

/** Text that a person reads, without control characters. */
export const VERSION_NAME = z
  .string()
  .regex(/^[^\p{Cc}\p{Cs}]{1,100}$/u, '1 to 100 characters, no control characters');

export const NAMED_PARAMS = DOCUMENT.extend({ name: VERSION_NAME });

const AT = z.iso.datetime().describe('ISO 8601, UTC');

export const AUTHOR = z.object({ user: z.string(), at: AT, version: VERSION });

export const PATCH = z.object({
  version: VERSION,
  client: z.string(),
  user: z.string(),
  at: AT,
  op: z.unknown().describe('The patch as committed. For yjs: base64 of the update'),
});

export const NAMED_VERSION = z.object({
  name: z.string(),
  version: VERSION,
  user: z.string().describe('The user who gave the name'),
  at: AT.describe('When the name was given. ISO 8601, UTC'),
});

/** A version in a query string. Number would take also empty text, `0x1` and `1e0` for one. */
export const QUERIED_VERSION = z.preprocess(
  (text) => (typeof text === 'string' && !/^\d+$/.test(text) ? undefined : Number(text)),
  z.int('a version is digits').min(0),
);

/** Which version is meant: one of these, or none for the head. */
export const WHICH = z.strictObject({
  version: QUERIED_VERSION.optional().describe('As it was at this version'),
  at: z.iso.datetime({ offset: true }).optional().describe('As it was at this time'),
  name: VERSION_NAME.optional().describe('A named version'),
});
