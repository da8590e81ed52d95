// Opens of a document that does not exist, or looks as if it did not.
import type { KindName } from '../../protocol/messages.ts';
import { isAtLeast } from '../../protocol/roles.ts';
import type { OpenRequest } from './link-messages.ts';

/** The message of `not-found`. It is the same for a document that is missing and for one without any right. */
export const NOT_FOUND = 'there is no such document';

/** The kind with which an open creates a document that is missing. Undefined if it does not, or may not. */
export const kindToCreate = ({ role, kind }: OpenRequest): KindName | undefined =>
  isAtLeast(role, 'editor') ? kind : undefined;
