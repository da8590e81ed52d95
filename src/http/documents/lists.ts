// The list of an organisation's documents. It shows those that the caller may read, and looks at no others: the caller's
// grants are ranges of names, and only these are read.
import { z } from 'zod';
import type { NameRange } from '../../../actors/storage/store.ts';
import type { Role } from '../../../protocol/messages.ts';
import { isDocumentPrefix, isOrganisation } from '../../../protocol/names.ts';
import type { User } from '../../identity/user.ts';
import { callerOf, roleOf } from '../api/access.ts';
import { Refusal } from '../api/refusals.ts';
import type { ApiRoom } from '../api/room.ts';
import { errors, KIND, VERSION } from './schemas.ts';

const MOST = 1_000;
const USUAL = 100;

const LISTED = z.object({
  doc: z.string().describe('`org/doc`'),
  kind: KIND,
  version: VERSION,
  bytes: z.int().min(0).describe('What the newest snapshot and the patches since it take in the store'),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime().describe('When the last patch was committed'),
  createdBy: z.string().nullable().describe('The user who created it, if that is known'),
  deletedAt: z.iso.datetime().optional(),
});

export const listRoutes: ApiRoom = (app, { parts }) => {
  app.get(
    '/docs/:org',
    {
      schema: {
        summary: 'List the documents of an organisation',
        tags: ['documents'],
        params: z.object({ org: z.string() }),
        querystring: z.strictObject({
          cursor: z.string().max(400).optional().describe('`next` of the page before'),
          limit: z.coerce.number().int().min(1).max(MOST).optional(),
          prefix: z.string().max(200).optional().describe('The beginning of the names'),
          deleted: z
            .enum(['true', 'false'])
            .optional()
            .describe('Documents that can be brought back, for their owners'),
        }),
        response: { 200: z.object({ docs: z.array(LISTED), next: z.string().optional() }), ...errors(400) },
      },
      config: { access: 'caller' },
    },
    async (request) => {
      const { org } = request.params;
      const { cursor, limit = USUAL, prefix = '', deleted } = request.query;
      if (!isOrganisation(org)) throw new Refusal('bad-name', 'no name of an organisation');
      if (prefix !== '' && !isDocumentPrefix(prefix)) throw new Refusal('bad-name', 'no beginning of a name');
      const caller = callerOf(request);
      const isDeleted = deleted === 'true';
      const after = cursor === undefined ? undefined : readCursor(cursor);
      const ranges = rangesOf(caller, org, prefix);
      const rows = await parts().store.list(org, { ranges, after, limit: limit + 1, isDeleted });
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      const least = isDeleted ? 'owner' : 'viewer';
      const shown = await Promise.all(page.map(({ name }) => mayList(caller, `${org}/${name}`, least)));
      return {
        docs: page
          .filter((_, at) => shown[at])
          .map(({ name, kind, version, bytes, createdAt, updatedAt, createdBy, deletedAt }) => ({
            doc: `${org}/${name}`,
            kind,
            version,
            bytes,
            createdAt: createdAt.toISOString(),
            updatedAt: updatedAt.toISOString(),
            createdBy: createdBy === '' ? null : createdBy,
            ...(deletedAt === null ? {} : { deletedAt: deletedAt.toISOString() }),
          })),
        ...(rows.length > limit && last !== undefined ? { next: cursorOf(last) } : {}),
      };
    },
  );
};

async function mayList(caller: User, name: string, least: Role): Promise<boolean> {
  if (caller.isAdmin) return true;
  const role = await roleOf(caller, name, least).catch((error: unknown) => {
    if (error instanceof Refusal && error.code !== 'unavailable') return undefined;
    throw error;
  });
  return role !== undefined;
}

/** The caller's grants in the organisation, cut to the prefix: ranges of names that do not overlap, in their order. */
export function rangesOf(caller: User, org: string, prefix: string): readonly NameRange[] {
  const patterns = caller.isAdmin ? ['*'] : caller.patternsIn(org);
  const prefixes = patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1));
  const widest = prefixes.filter((one) => !prefixes.some((other) => other !== one && one.startsWith(other)));
  const cut = widest.flatMap((one) =>
    one.startsWith(prefix) ? [one] : prefix.startsWith(one) ? [prefix] : [],
  );
  const names = patterns.filter(
    (pattern) =>
      !pattern.endsWith('*') && pattern.startsWith(prefix) && !cut.some((one) => pattern.startsWith(one)),
  );
  const ranges = [
    ...cut.map((one) => ({ from: one, isPrefix: true })),
    ...names.map((name) => ({ from: name, isPrefix: false })),
  ];
  return ranges.sort((a, b) => (a.from < b.from ? -1 : 1));
}

/** The id of a document says nothing to anyone; the name is one that the caller was shown. */
const cursorOf = ({ name, id }: { readonly name: string; readonly id: number }): string =>
  Buffer.from(JSON.stringify([name, id])).toString('base64url');

function readCursor(cursor: string): { readonly name: string; readonly id: number } {
  try {
    const read: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    const [name, id] = z.tuple([z.string().refine(isDocumentPrefix), z.int()]).parse(read);
    return { name, id };
  } catch {
    throw new Refusal('bad-message', 'cursor: the `next` of another page');
  }
}
