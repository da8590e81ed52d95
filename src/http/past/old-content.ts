// A document as it was, for `GET /v1/docs/{org}/{doc}` with a version, a time or a name.
import type { FastifyReply } from 'fastify';
import { tagOf } from '../../../actors/link/calls.ts';
import type { PastDocument } from '../../../actors/storage/past-store.ts';
import type { Past } from '../../past/past.ts';
import type { DocumentName, NamedDocument } from '../api/access.ts';
import { Refusal } from '../api/refusals.ts';
import type { Content, Place } from '../documents/document-requests.ts';
import { gained, pastOf, whileWanted } from './asking.ts';

export interface WhichQuery {
  readonly version?: number | undefined;
  /** ISO 8601 */
  readonly at?: string | undefined;
  readonly name?: string | undefined;
}

/** True if an earlier version is asked for. Throws a Refusal if several are. */
export function isOfPast({ version, at, name }: WhichQuery): boolean {
  const asked = [version, at, name].filter((each) => each !== undefined).length;
  if (asked > 1) throw new Refusal('bad-message', 'only one of version, at and name can be asked for');
  return asked === 1;
}

/** The document as it was, or its place alone if the caller has one of the tags. */
export async function oldContent(
  past: Past,
  named: NamedDocument,
  { version, at, name }: WhichQuery,
  unless: readonly string[],
  reply: FastifyReply,
): Promise<Content | Place> {
  const document = await pastOf(past, named);
  const { history } = document;
  const which = { version, at: at === undefined ? undefined : Date.parse(at), name };
  const found = await gained(past.version(document, which));
  // A version never changes: the tag alone tells whether the caller has it.
  if (unless.includes(tagOf(history, found))) return { history, version: found };
  return await contentOf(past, document, found, reply);
}

/** The document as it was. */
export async function contentAt(
  past: Past,
  named: DocumentName,
  { version }: { readonly version: number },
  reply: FastifyReply,
): Promise<Content> {
  const document = await pastOf(past, named);
  return await contentOf(past, document, await gained(past.version(document, { version })), reply);
}

async function contentOf(
  past: Past,
  document: PastDocument,
  version: number,
  reply: FastifyReply,
): Promise<Content> {
  const { kind, history } = document;
  const bytes = await gained(past.content(document, version, whileWanted(reply)));
  const content = kind === 'yjs' ? Buffer.from(`"${Buffer.from(bytes).toString('base64')}"`) : bytes;
  return {
    kind,
    history,
    version,
    content: [content],
    bytes: content.length,
    release: () => undefined,
  };
}
