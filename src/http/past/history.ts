// The routes of a document's history: its patches page by page, and the authors of its content. They read what is
// durable, without the document's actor.
import { z } from 'zod';
import { patchText } from '../../../actors/document/entry.ts';
import { tagOf } from '../../../actors/link/calls.ts';
import type { KindName } from '../../../protocol/messages.ts';
import type { Page } from '../../past/past.ts';
import { documentOf } from '../api/access.ts';
import { Refusal } from '../api/refusals.ts';
import type { ApiRoom } from '../api/room.ts';
import { DOCUMENT, errors, KIND, VERSION } from '../documents/schemas.ts';
import { etag, unlessOf } from '../documents/tags.ts';
import { gained, pastOf, sendJson, whileWanted } from './asking.ts';
import { AUTHOR, PATCH, QUERIED_VERSION } from './schemas.ts';

const MOST = 1_000;
const USUAL = 100;

export const historyRoutes: ApiRoom = (app, { parts }) => {
  app.get(
    '/docs/:org/:doc/history',
    {
      schema: {
        summary: 'The patches of a document, in order',
        description: 'A page may have fewer patches than `limit`. There is more as long as it has `next`.',
        tags: ['history'],
        params: DOCUMENT,
        querystring: z.strictObject({
          from: QUERIED_VERSION.optional().describe('The first version. Default: the first that is kept'),
          to: QUERIED_VERSION.optional().describe('The last version. Default: the head'),
          limit: z.coerce.number().int().min(1).max(MOST).optional(),
          cursor: z
            .string()
            .regex(/^\d{1,16}$/)
            .optional()
            .describe('`next` of the page before'),
        }),
        response: {
          200: z.object({ ops: z.array(PATCH), next: z.string().optional() }),
          ...errors(400, 404, 410),
        },
      },
      config: { access: 'viewer' },
    },
    async (request, reply) => {
      const { past } = parts();
      const { from, to, limit = USUAL, cursor } = request.query;
      const document = await pastOf(past, documentOf(request));
      const first = cursor === undefined ? from : Math.max(Number(cursor), from ?? 0);
      if (first === 0) throw new Refusal('bad-message', 'the first version is 1');
      const page = await gained(past.page(document, { from: first, to, limit }));
      return sendJson(reply, pageText(document.kind, page));
    },
  );

  app.get(
    '/docs/:org/:doc/authors',
    {
      schema: {
        summary: 'The authors of the content at the head',
        description:
          'For rich-text: the inserts of the document, each with its `author`. For json: the author of each value by its ' +
          'pointer, where it differs from that of the value around it.',
        tags: ['history'],
        params: DOCUMENT,
        querystring: z.strictObject({}),
        response: {
          200: z.object({
            doc: z.string(),
            kind: KIND,
            history: z.string(),
            version: VERSION,
            authors: z.union([
              z.array(z.looseObject({ author: AUTHOR.optional() })),
              z.record(z.string(), AUTHOR.nullable()),
            ]),
          }),
          304: z.null().describe('The caller has this version'),
          ...errors(400, 404, 409, 410, 413),
        },
      },
      config: { access: 'viewer' },
    },
    async (request, reply) => {
      const { past } = parts();
      const named = documentOf(request);
      const document = await pastOf(past, named);
      const { kind, history, head } = document;
      reply.header('etag', etag(history, head));
      if (unlessOf(request).includes(tagOf(history, head))) return await reply.code(304).send(null);
      const authors = await gained(past.authors(document, whileWanted(reply)));
      const start = JSON.stringify({ doc: named.name, kind, history, version: head }).slice(0, -1);
      return sendJson(reply, Buffer.from(`${start},"authors":`), authors, Buffer.from('}'));
    },
  );
};

/** The patches are text already and are not read. */
function pageText(kind: KindName, { patches, next }: Page): Buffer {
  const parts: Uint8Array[] = [];
  let before = '{"ops":[';
  for (const { version, client, user, at, op } of patches) {
    const start = JSON.stringify({ version, client, user, at: new Date(at).toISOString() }).slice(0, -1);
    parts.push(Buffer.from(`${before}${start},"op":`), patchText(kind, op));
    before = '},';
  }
  if (patches.length === 0) parts.push(Buffer.from(before));
  const end = next === undefined ? '' : `,"next":${JSON.stringify(String(next))}`;
  parts.push(Buffer.from(`${patches.length === 0 ? '' : '}'}]${end}}`));
  return Buffer.concat(parts);
}
