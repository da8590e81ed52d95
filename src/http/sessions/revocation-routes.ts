// The routes by which an administrator ends tokens before their time and has rights asked again (docs/protocol.md, REVOKE).
import { z } from 'zod';
import { StoreUnavailable } from '../../../actors/storage/store.ts';
import { parseDocumentName } from '../../../protocol/names.ts';
import type { RightsChange } from '../../identity/store.ts';
import { isSubject } from '../../identity/tokens/token-user.ts';
import { Refusal } from '../api/refusals.ts';
import type { ApiRoom, RoomOptions } from '../api/room.ts';

/** A user whose tokens are refused until a far time could not be let in again. */
const MOST_AHEAD_MS = 24 * 3_600_000;

const SUBJECT = z
  .string()
  .refine(isSubject, 'expected text of 1 to 255 characters without control characters');
/** Numbers below it are seconds: as milliseconds they would be times of 1973 and before, and would revoke nothing. */
const LEAST_MS = 1e11;
const BEFORE = z
  .union([z.int().min(0), z.iso.datetime({ offset: true })])
  .describe(
    'Tokens that were issued before this time are not valid: milliseconds or seconds since 1970, or ISO 8601. Left out: now.',
  );

const REVOCATION = z.union([
  z.strictObject({ sub: SUBJECT.describe('All tokens of this user.'), before: BEFORE.optional() }),
  z.strictObject({
    jti: SUBJECT.describe('The token with this claim jti.'),
    before: BEFORE.optional().describe('Without effect: one token is revoked, whenever it was issued.'),
  }),
]);

const timeOf = (before: z.infer<typeof BEFORE>): number => {
  if (typeof before === 'string') return Date.parse(before);
  return before < LEAST_MS ? before * 1000 : before;
};

const RECHECK = z.strictObject({
  org: z.string().describe('The organisation.'),
  doc: z.string().optional().describe('One document of it. Left out: all of them.'),
  sub: SUBJECT.optional().describe('One user. Left out: all of them.'),
});

export const revocationRoutes: ApiRoom = (app, options) => {
  app.post(
    '/revocations',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'Revoke tokens',
        description: 'Ends all earlier tokens of a user, or one token, on every node.',
        body: REVOCATION,
        response: { 200: REVOCATION },
      },
    },
    async ({ body }) => {
      if ('jti' in body) {
        await add(options, { kind: 'token', tokenId: body.jti });
        return body;
      }
      const now = Date.now();
      const { sub } = body;
      const before = body.before === undefined ? now : timeOf(body.before);
      if (before > now + MOST_AHEAD_MS)
        throw new Refusal('bad-message', 'before: a time that is no more than a day ahead');
      await add(options, { kind: 'user', sub, beforeMs: before });
      return { sub, before };
    },
  );
  app.post(
    '/recheck',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'Ask for rights again',
        description:
          'The roles in a document, or in all documents of an organisation, are asked again on every node.',
        body: RECHECK,
        response: { 200: RECHECK },
      },
    },
    async ({ body }) => {
      const { org, doc, sub } = body;
      if (parseDocumentName(`${org}/${doc ?? 'x'}`) === undefined)
        throw new Refusal('bad-name', 'no name of an organisation or a document');
      await add(options, { kind: 'recheck', org, doc, sub });
      return body;
    },
  );
};

async function add({ parts }: RoomOptions, change: RightsChange): Promise<void> {
  const { administration } = parts();
  if (administration === undefined) throw new Refusal('not-found', 'there are no tokens with auth.mode none');
  try {
    if (await administration.changes.add(change)) return;
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    throw new Refusal(
      'unavailable',
      'the database is out of reach, so it is not known whether this was done',
      1_000,
    );
  }
  throw new Refusal('overloaded', 'too many revocations are remembered');
}
