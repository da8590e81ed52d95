// The shapes of requests and answers about documents.
import { z } from 'zod';

export const DOCUMENT = z.object({
  org: z.string().describe('The organisation'),
  doc: z.string().describe('The name of the document within it'),
});

export const KIND = z.enum(['json', 'rich-text', 'yjs']);

export const ERROR = z
  .object({
    code: z.string().describe('A code of the catalogue in docs/protocol.md'),
    message: z.string().describe('For a person'),
    retryable: z.boolean().describe('The same request may succeed when it is sent again'),
  })
  .describe('An error');

/** The errors of a route, by status. */
export function errors<Status extends number>(
  ...statuses: Status[]
): Record<Status | 401 | 429 | 503, typeof ERROR> {
  const all = {} as Record<Status | 401 | 429 | 503, typeof ERROR>;
  for (const status of [...statuses, 401, 429, 503] as const) all[status] = ERROR;
  return all;
}

export const VERSION = z.int().min(0);

/** A document as GET returns it. */
export const CONTENT = z.object({
  doc: z.string().describe('`org/doc`'),
  kind: KIND,
  history: z.string().describe('Identifies this life of the document'),
  version: VERSION.describe('The number of patches committed so far'),
  content: z
    .unknown()
    .describe('The value of a json document, the Delta of a rich-text one, the base64 of a yjs update'),
});

export const PLACE = z.object({ version: VERSION.describe('The version as which the patch has committed') });

export const IDEMPOTENCY_KEY = z
  .object({
    'idempotency-key': z
      .string()
      .regex(/^[\x20-\x7e]{1,200}$/, '1 to 200 printable characters')
      .optional(),
  })
  .describe('`Idempotency-Key`: the request is applied once, however often it is sent');
