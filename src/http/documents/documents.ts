// The routes of documents: create, read, patch, delete, undelete. Each passes through the document's actor, from any
// node (document-requests.ts).
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { parseJson } from '../../../protocol/json-text.ts';
import { parseDocumentName } from '../../../protocol/names.ts';
import { callerOf, type DocumentName, documentOf, roleOf } from '../api/access.ts';
import { JSON_PATCH } from '../api/bodies.ts';
import { Refusal } from '../api/refusals.ts';
import type { ApiRoom } from '../api/room.ts';
import { whileWanted } from '../past/asking.ts';
import { contentAt, isOfPast, oldContent } from '../past/old-content.ts';
import { WHICH } from '../past/schemas.ts';
import type { Author, Content, Place } from './document-requests.ts';
import type { FormatPool } from './formats/format-pool.ts';
import { FORMATS, type Format, MEDIA_TYPES } from './formats/formats.ts';
import { contentPatch, patchOf } from './patches.ts';
import { CONTENT, DOCUMENT, errors, IDEMPOTENCY_KEY, KIND, PLACE, VERSION } from './schemas.ts';
import { ANY, etag, ifOf, unlessOf } from './tags.ts';

const PATH = '/docs/:org/:doc';
/** The rest of a body beside its content or its patch. */
const ENVELOPE_BYTES = 4 * 1024;
/** A string may take six characters of JSON for one of the document. Most take one. */
const ESCAPED = 2;

export const documentRoutes: ApiRoom = (app, { config: { limits, retention }, parts }) => {
  const newDocument = z.union([
    z.strictObject({ kind: KIND, content: z.unknown().optional() }),
    z.strictObject({
      copyOf: z.string().describe('`org/doc`, another document that the caller may read'),
      version: VERSION.optional().describe('The version of that document. The default is its head'),
    }),
  ]);
  app.put(
    PATH,
    {
      bodyLimit: ESCAPED * limits.documentBytes + ENVELOPE_BYTES,
      schema: {
        summary: 'Create a document',
        tags: ['documents'],
        params: DOCUMENT,
        headers: IDEMPOTENCY_KEY,
        body: newDocument,
        response: { 201: CONTENT.omit({ content: true }), ...errors(400, 403, 404, 409, 410, 413, 422) },
      },
      config: { access: 'editor' },
    },
    async (request, reply) => {
      const { name } = documentOf(request);
      const { body } = request;
      const { documents, past } = parts();
      const readSource = async (copyOf: string, version: number | undefined): Promise<Content> => {
        const from = await sourceOf(request, copyOf);
        return version === undefined
          ? await documents.readWhole(from.name)
          : await contentAt(past, from, { version }, reply);
      };
      const source = 'copyOf' in body ? await readSource(body.copyOf, body.version) : undefined;
      try {
        const kind = source?.kind ?? ('kind' in body ? body.kind : 'json');
        const content =
          source === undefined ? ('content' in body ? body.content : undefined) : contentOf(source);
        const op =
          content === undefined
            ? null
            : patchOf(contentPatch(kind, content), limits, ESCAPED * limits.documentBytes);
        const place = await documents.create(name, author(request), kind, op);
        return await placed(reply, place)
          .code(201)
          .header('location', `/v1/docs/${name}`)
          .send({ doc: name, kind, ...place });
      } finally {
        source?.release();
      }
    },
  );

  app.get(
    PATH,
    {
      schema: {
        summary: 'Read a document',
        description: 'At its head, or as it was at a version, at a time, or at a named version.',
        tags: ['documents'],
        params: DOCUMENT,
        querystring: WHICH.extend({
          format: z.enum(FORMATS).optional().describe('A rich-text document as text, Markdown or HTML'),
        }),
        response: {
          200: CONTENT,
          304: z.null().describe('The caller has this version'),
          ...errors(400, 404, 409, 410, 413),
        },
      },
      config: { access: 'viewer' },
    },
    async (request, reply) => {
      const { name } = documentOf(request);
      const unless = unlessOf(request);
      const { documents, past, formats } = parts();
      const read = (): Promise<Content | Place> =>
        isOfPast(request.query)
          ? oldContent(past, documentOf(request), request.query, unless, reply)
          : documents.read(name, unless);
      const found = await read();
      placed(reply, found);
      if (!('content' in found)) return await reply.code(304).send(null);
      if (unless.includes(ANY)) {
        found.release();
        return await reply.code(304).send(null);
      }
      const { format } = request.query;
      return format === undefined
        ? await sendContent(reply, name, found)
        : await sendAs(reply, found, format, formats);
    },
  );

  app.patch(
    PATH,
    {
      bodyLimit: ESCAPED * limits.opBytes + ENVELOPE_BYTES,
      schema: {
        summary: 'Commit a patch',
        description:
          `A list of steps as \`${JSON_PATCH}\` for a json document; \`{op, base?}\` as application/json for every kind. ` +
          'Without `base` the patch is made on the head.',
        tags: ['documents'],
        params: DOCUMENT,
        querystring: z.strictObject({}),
        headers: IDEMPOTENCY_KEY,
        body: z.union([
          z.array(z.unknown()).describe('A JSON Patch (RFC 6902)'),
          z.strictObject({ op: z.unknown(), base: VERSION.optional() }),
        ]),
        response: { 200: PLACE, ...errors(400, 403, 404, 409, 410, 412, 413, 422) },
      },
      config: { access: 'editor' },
    },
    async (request, reply) => {
      const { name } = documentOf(request);
      const { body } = request;
      const isJsonPatch = request.headers['content-type']?.startsWith(JSON_PATCH) === true;
      if (Array.isArray(body) !== isJsonPatch)
        throw new Refusal(
          'bad-message',
          `the body is a list of steps as ${JSON_PATCH}, or {op, base} as application/json`,
        );
      const { op, base } = Array.isArray(body) ? { op: body, base: undefined } : body;
      const ifTags = ifOf(request);
      const write = { ...author(request), op: patchOf(op, limits, limits.opBytes), base, ifTags };
      const place = await parts().documents.write(name, write);
      return await placed(reply, place).send({ version: place.version });
    },
  );

  app.delete(
    PATH,
    {
      schema: {
        summary: 'Delete a document',
        description:
          'It can be brought back for `retention.trashMs`. With `erase=true` every row of it is gone.',
        tags: ['documents'],
        params: DOCUMENT,
        querystring: z.strictObject({ erase: z.enum(['true', 'false']).optional() }),
        response: { 204: z.null().describe('It is gone'), ...errors(400, 403, 404) },
      },
      config: { access: 'owner' },
    },
    async (request, reply) => {
      const { org, doc, name } = documentOf(request);
      const { documents, store } = parts();
      const { sub } = callerOf(request);
      if (request.query.erase !== 'true') await documents.remove(name, sub);
      else {
        const wasThere = await documents.remove(name, sub).then(
          () => true,
          (error: unknown) => {
            if (error instanceof Refusal && error.code === 'not-found') return false;
            throw error;
          },
        );
        const erased = await store.erase(org, doc);
        if (!wasThere && erased === 0) throw new Refusal('not-found', NO_DELETED);
      }
      return await reply.code(204).send(null);
    },
  );

  app.post(
    `${PATH}/undelete`,
    {
      schema: {
        summary: 'Bring back the document of this name that was deleted last',
        tags: ['documents'],
        params: DOCUMENT,
        response: {
          204: z.null().describe('It is back, with its history and versions'),
          ...errors(400, 403, 404, 409),
        },
      },
      config: { access: 'owner' },
    },
    async (request, reply) => {
      await parts().documents.bringBack(documentOf(request).name, retention.trashMs, callerOf(request).sub);
      return await reply.code(204).send(null);
    },
  );
};

const NO_DELETED = 'there is no such document, and none of this name was deleted';

const author = (request: FastifyRequest): Author => {
  const { 'idempotency-key': key } = request.headers;
  return { user: callerOf(request).sub, key: typeof key === 'string' ? key : undefined };
};

/** The caller may read the document that is to be copied. */
async function sourceOf(request: FastifyRequest, copyOf: string): Promise<DocumentName> {
  const found = parseDocumentName(copyOf);
  if (found === undefined) throw new Refusal('bad-name', 'copyOf is no name of a document');
  await roleOf(callerOf(request), copyOf, 'viewer');
  return { ...found, name: copyOf };
}

const contentOf = ({ content }: Content): unknown => parseJson(Buffer.concat(content).toString());

function placed(reply: FastifyReply, { history, version }: Place): FastifyReply {
  return reply.header('etag', etag(history, version));
}

/** Sends a rich-text document in another form. A browser that shows it runs nothing and asks for nothing but images. */
async function sendAs(
  reply: FastifyReply,
  { kind, content, release }: Content,
  format: Format,
  formats: FormatPool,
): Promise<FastifyReply> {
  releaseAtEnd(reply, release);
  if (kind !== 'rich-text')
    throw new Refusal('wrong-kind', `only rich-text has formats, and this document is ${kind}`);
  const written = await formats.write(content, format, whileWanted(reply));
  if (!written.ok) throw new Refusal(written.code, written.message, AGAIN_MS);
  return await reply
    .header('content-type', `${MEDIA_TYPES[format]}; charset=utf-8`)
    .header('content-security-policy', SHOWN_POLICY)
    .send(Buffer.from(written.bytes.buffer, written.bytes.byteOffset, written.bytes.length));
}

const AGAIN_MS = 500;

const SHOWN_POLICY =
  "default-src 'none'; img-src http: https:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox";

/** Sends the document as JSON. Its content is text already, and is not read. */
export async function sendContent(reply: FastifyReply, name: string, found: Content): Promise<FastifyReply> {
  const { kind, history, version, content, release } = found;
  const head = JSON.stringify({ doc: name, kind, history, version }).slice(0, -1);
  releaseAtEnd(reply, release);
  return await reply
    .header('content-type', 'application/json; charset=utf-8')
    .send(Buffer.concat([Buffer.from(`${head},"content":`), ...content, Buffer.from('}')]));
}

function releaseAtEnd({ raw }: FastifyReply, release: () => void): void {
  // A reader who has gone leaves no event behind.
  if (raw.destroyed) release();
  else raw.once('close', release);
}
