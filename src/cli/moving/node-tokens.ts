// The token by which `troupe import` and `troupe export` are known to a node: from a file, or signed with the
// node's own secret where the configuration has one.
import { readFile } from 'node:fs/promises';
import { StartError } from '../../../config/fatal.ts';
import type { Config } from '../../../config/schema.ts';
import { signToken } from '../token.ts';

export interface NodeTokens {
  /** A token with all rights in this organisation's documents. Undefined if the node needs none. */
  forOrg(org: string): Promise<string | undefined>;
}

const SUB = 'troupe-command';
const LIFE_MS = 300_000;
/** A token is used for this part of its life. */
const USED = 0.5;

export function nodeTokens({ auth }: Config, file: string | undefined): NodeTokens {
  // A file is read for each request, so that another program can renew its token.
  if (file !== undefined)
    return {
      forOrg: async () => {
        const text = await readFile(file, 'utf8').catch((error: Error) => {
          throw new StartError(error.message, { cause: error });
        });
        return text.trim();
      },
    };
  if (auth.mode === 'none') return { forOrg: async () => undefined };
  const { secret, longestMs } = auth.jwt;
  if (secret === null)
    throw new StartError(
      'the node demands tokens, and the configuration has no auth.jwt.secret to sign one: give --token-file',
    );
  const lifeMs = Math.min(LIFE_MS, longestMs);
  const signed = new Map<string, { readonly token: Promise<string>; readonly until: number }>();
  return {
    forOrg: async (org) => {
      const known = signed.get(org);
      if (known !== undefined && Date.now() < known.until) return await known.token;
      const claims = { sub: SUB, docs: { [`${org}/*`]: 'owner' }, displayName: undefined, admin: false };
      const token = signToken({ ...auth.jwt, secret }, { ...claims, expiresMs: lifeMs });
      signed.set(org, { token, until: Date.now() + lifeMs * USED });
      return await token;
    },
  };
}
