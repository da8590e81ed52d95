// The rules for valid names: document, client and seq, with the bounds of the wire contract.

const ORG = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const DOC = /^[A-Za-z0-9._~:@-]{1,200}$/;
const CLIENT = /^[A-Za-z0-9_-]{8,64}$/;

/** Splits `org/doc`. Undefined if the text is not a document name (`bad-name`). */
export function parseDocumentName(name: unknown): { org: string; doc: string } | undefined {
  if (typeof name !== 'string') return undefined;
  const slash = name.indexOf('/');
  if (slash < 0) return undefined;
  const org = name.slice(0, slash);
  const doc = name.slice(slash + 1);
  if (!ORG.test(org) || !DOC.test(doc) || doc === '.' || doc === '..') return undefined;
  return { org, doc };
}

export const isClientId = (value: unknown): value is string =>
  typeof value === 'string' && CLIENT.test(value);

export const isSeq = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 1;

export const isVersion = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;

export const isOrganisation = (name: string): boolean => ORG.test(name);

/** True if some document's name within its organisation may begin so. */
export const isDocumentPrefix = (prefix: string): boolean => DOC.test(prefix);
