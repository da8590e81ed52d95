// How the routes of this room ask for a document's past: the document, the failures as errors of HTTP, and the end of a
// request whose client has gone.
import type { FastifyReply } from 'fastify';
import { NOT_FOUND } from '../../../actors/link/missing-document.ts';
import type { PastDocument } from '../../../actors/storage/past-store.ts';
import { StoreUnavailable } from '../../../actors/storage/store.ts';
import type { Past, PastResult } from '../../past/past.ts';
import type { DocumentName } from '../api/access.ts';
import { Refusal } from '../api/refusals.ts';

const AGAIN_MS = 500;

/** Throws a Refusal with `not-found` if there is no such document. */
export async function pastOf(past: Past, { org, doc }: DocumentName): Promise<PastDocument> {
  const found = await asked(past.find(org, doc));
  if (found === undefined) throw new Refusal('not-found', NOT_FOUND);
  return found;
}

/** Throws a Refusal with `unavailable` if the database is out of reach. */
export async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof StoreUnavailable)
      throw new Refusal('unavailable', 'the database is out of reach', AGAIN_MS);
    throw error;
  }
}

/** The value of a result. Throws its failure as a Refusal. */
export async function gained<T>(result: Promise<PastResult<T>>): Promise<T> {
  const found = await asked(result);
  if (!found.ok) throw new Refusal(found.code, found.message, AGAIN_MS);
  return found.value;
}

/** Sends bytes that are JSON text already. */
export const sendJson = (reply: FastifyReply, ...parts: readonly Uint8Array[]): FastifyReply =>
  reply.header('content-type', 'application/json; charset=utf-8').send(Buffer.concat(parts));

/** Aborted when the connection of the request ends. */
export function whileWanted(reply: FastifyReply): AbortSignal {
  const end = new AbortController();
  const gone = (): void => end.abort(new Refusal('unavailable', 'the client has gone'));
  if (reply.raw.destroyed) gone();
  else reply.raw.once('close', gone);
  return end.signal;
}
