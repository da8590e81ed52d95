// The routes that bring something of a document's past back, each as one new patch: restore a version, revert patches.
// The patch is made beside the actor, for the head that was read, and submitted as a client's is.
//
// If the head has moved meanwhile the patch is made again. A document that is edited all the time gets the patch as
// any other: transformed past what was committed since it was made.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { tagOf } from '../../../actors/link/calls.ts';
import { JSON_OP, type LinkOp, UPDATE_OP } from '../../../actors/link/link-messages.ts';
import type { PastDocument } from '../../../actors/storage/past-store.ts';
import { ERROR_CODES } from '../../../protocol/errors.ts';
import type { KindName } from '../../../protocol/messages.ts';
import type { PatchFromPast } from '../../past/past.ts';
import { callerOf, documentOf } from '../api/access.ts';
import { Refusal } from '../api/refusals.ts';
import type { ApiParts, ApiRoom } from '../api/room.ts';
import type { Author, DocumentRequests, Place, Write } from '../documents/document-requests.ts';
import { DOCUMENT, errors, IDEMPOTENCY_KEY, PLACE, VERSION } from '../documents/schemas.ts';
import { etag } from '../documents/tags.ts';
import { gained, pastOf, whileWanted } from './asking.ts';
import { NothingDone } from './nothing-done.ts';
import { VERSION_NAME } from './schemas.ts';

export const bringingBackRoutes: ApiRoom = (app, { config: { limits }, parts }) => {
  const idle = new NothingDone(limits.clientMemoryMs);
  app.post(
    '/docs/:org/:doc/restore',
    {
      schema: {
        summary: 'Bring the content of an earlier version back, as a new patch',
        tags: ['history'],
        params: DOCUMENT,
        headers: IDEMPOTENCY_KEY,
        body: z.union([z.strictObject({ version: VERSION }), z.strictObject({ name: VERSION_NAME })]),
        response: { 200: PLACE, ...errors(400, 403, 404, 409, 410, 413, 422) },
      },
      config: { access: 'owner' },
    },
    async (request, reply) => {
      const { past } = parts();
      const { body } = request;
      const wanted = whileWanted(reply);
      return bringBack({ ...parts(), idle }, request, reply, async (document) => {
        const version = await gained(past.version(document, body));
        return gained(past.patchToRestore(document, version, wanted));
      });
    },
  );

  app.post(
    '/docs/:org/:doc/revert',
    {
      schema: {
        summary: 'Take back what some patches did, as a new patch, and keep everything else',
        tags: ['history'],
        params: DOCUMENT,
        headers: IDEMPOTENCY_KEY,
        body: z.strictObject({
          from: VERSION.min(1).describe('The first patch to take back'),
          to: VERSION.min(1).describe('The last patch to take back'),
          user: z.string().max(1_000).optional().describe('Only the patches of this user'),
        }),
        response: { 200: PLACE, ...errors(400, 403, 404, 409, 410, 413, 422) },
      },
      config: { access: 'editor' },
    },
    async (request, reply) => {
      const { past } = parts();
      const wanted = whileWanted(reply);
      return bringBack({ ...parts(), idle }, request, reply, (document) =>
        gained(past.patchToRevert(document, request.body, wanted)),
      );
    },
  );
};

/** How often the patch is made for a head that must not have moved. */
const TRIES = 3;

async function bringBack(
  { past, documents, idle }: Pick<ApiParts, 'past' | 'documents'> & { readonly idle: NothingDone },
  request: FastifyRequest,
  reply: FastifyReply,
  make: (document: PastDocument) => Promise<PatchFromPast>,
): Promise<FastifyReply> {
  const named = documentOf(request);
  const { 'idempotency-key': key } = request.headers;
  const hasKey = typeof key === 'string';
  const author: Author = { user: callerOf(request).sub, key: hasKey ? key : undefined };
  for (let attempt = 1; ; attempt++) {
    const document = await pastOf(past, named);
    const { history } = document;
    const before = hasKey ? idle.find(history, author) : undefined;
    if (before !== undefined) return placed(reply, { history, version: before });
    const made = await make(document).catch((error: unknown) => {
      if (hasKey && error instanceof Refusal && !ERROR_CODES[error.code]) return error;
      throw error;
    });
    if (made instanceof Refusal || made.op === undefined) {
      const nothing = { ...author, op: linkOp(document.kind, undefined) };
      const done = hasKey ? await doneBefore(documents, named.name, nothing) : undefined;
      if (done !== undefined) return placed(reply, done);
      if (made instanceof Refusal) throw made;
      idle.add({ history, version: made.base }, author);
      return placed(reply, { history, version: made.base });
    }
    const { base, op } = made;
    const ifTags = attempt < TRIES ? [tagOf(history, base)] : undefined;
    try {
      const write = { ...author, op: linkOp(document.kind, op), base, ifTags };
      return placed(reply, await documents.write(named.name, write));
    } catch (error) {
      if (!(error instanceof Refusal && error.code === 'precondition-failed' && attempt < TRIES)) throw error;
    }
  }
}

/**
 * The place of the patch with this key, if the request has come before. The patch may be impossible to make again, because
 * the name of the version has been taken away, or the history has been folded; or it would change nothing any more.
 */
async function doneBefore(
  documents: Pick<DocumentRequests, 'write'>,
  name: string,
  write: Author & Pick<Write, 'op'>,
): Promise<Place | undefined> {
  try {
    // No head has one of these tags, so nothing is committed now.
    return await documents.write(name, { ...write, ifTags: [] });
  } catch (error) {
    if (error instanceof Refusal && error.code === 'precondition-failed') return undefined;
    throw error;
  }
}

const EMPTY_JSON = Buffer.from('[]');
const EMPTY_UPDATE = Uint8Array.of(0, 0);

const linkOp = (kind: KindName, op: Uint8Array | undefined): LinkOp =>
  kind === 'yjs'
    ? [UPDATE_OP, new Uint8Array(op ?? EMPTY_UPDATE)]
    : [JSON_OP, new Uint8Array(op ?? EMPTY_JSON)];

const placed = (reply: FastifyReply, { history, version }: Place): FastifyReply =>
  reply.header('etag', etag(history, version)).send({ version });
