// The errors of the HTTP API: a code of the catalogue, its status, and the time after which a request may come again.
// Everything that a route throws becomes one of them here.
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { ERROR_CODES, type ErrorCode } from '../../../protocol/errors.ts';

/** A request is answered with this error. The message is for the person who wrote the request. */
export class Refusal extends Error {
  override name = 'Refusal';
  readonly code: ErrorCode;
  /** With codes that are retryable: the same request fails again until this time is over. */
  readonly retryAfterMs: number;

  constructor(code: ErrorCode, message: string, retryAfterMs = 0) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The status of each code. Source: docs/protocol.md, section Errors. */
export const STATUS: Readonly<Record<ErrorCode, number>> = {
  'bad-message': 400,
  'bad-name': 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  'version-unknown': 404,
  exists: 409,
  conflict: 409,
  'test-failed': 409,
  'wrong-kind': 409,
  'seq-used': 409,
  'not-open': 409,
  'version-too-old': 410,
  'precondition-failed': 412,
  'too-large': 413,
  'bad-op': 422,
  'rate-limited': 429,
  internal: 500,
  overloaded: 503,
  unavailable: 503,
};

/** Told with 429 and 503 if no other time is known. HTTP counts in whole seconds. */
const LEAST_RETRY_AFTER_S = 1;

export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
}

/** Reports an error that no client has caused. */
export type OnInternalError = (error: unknown, fields: { readonly route: string | undefined }) => void;

/** Returns the handler of everything that routes throw. */
export function errorHandler(onInternal: OnInternalError) {
  return async (
    error: FastifyError | Refusal,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<void> => {
    const { status, refusal } = read(error);
    if (refusal.code === 'internal') onInternal(error, { route: request.routeOptions.url });
    await answer(reply, refusal, status);
  };
}

/** Answers with the error. `status` if it is not the one of the code. */
export async function answer(
  reply: FastifyReply,
  refusal: Refusal,
  status = STATUS[refusal.code],
): Promise<void> {
  const { code, message, retryAfterMs } = refusal;
  if (status === 503 || status === 429)
    reply.header('retry-after', Math.max(LEAST_RETRY_AFTER_S, Math.ceil(retryAfterMs / 1_000)));
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  reply.removeHeader('etag');
  await reply
    .code(status)
    .header('content-type', 'application/json; charset=utf-8')
    .send(JSON.stringify(bodyOf(code, message)));
}

export const bodyOf = (code: ErrorCode, message: string): ErrorBody => ({
  code,
  message,
  retryable: ERROR_CODES[code],
});

function read(error: FastifyError | Refusal): { readonly status?: number; readonly refusal: Refusal } {
  if (error instanceof Refusal) return { refusal: error };
  if (hasZodFastifySchemaValidationErrors(error))
    return { refusal: new Refusal('bad-message', sentenceOf(error)) };
  const status = error.statusCode ?? 500;
  if (status === 413) return { refusal: new Refusal('too-large', 'the body is too large') };
  if (status === 415)
    return {
      status,
      refusal: new Refusal('bad-message', 'the body is of a media type that is not taken here'),
    };
  if (status >= 400 && status < 500)
    return { status, refusal: new Refusal(CODES.get(status) ?? 'bad-message', error.message) };
  return { refusal: new Refusal('internal', 'the request failed in the node') };
}

/** The codes of errors that a library answers with a status. Any other status of a wrong request is `bad-message`. */
const CODES: ReadonlyMap<number, ErrorCode> = new Map([
  [403, 'forbidden'],
  [404, 'not-found'],
  [412, 'precondition-failed'],
]);

interface Invalid {
  readonly validation: readonly { readonly instancePath: string; readonly message?: string | undefined }[];
  readonly validationContext?: string | undefined;
}

/** Such as `body /kind: Invalid option: …`. */
function sentenceOf({ validation, validationContext = 'request' }: Invalid): string {
  const parts = validation.slice(0, MOST_PARTS).map(({ instancePath, message = 'not valid' }) => {
    const place = [validationContext, instancePath.replace(/^\//, '')]
      .filter((part) => part !== '')
      .join(' ');
    return `${place}: ${message}`;
  });
  return parts.join('; ').slice(0, MOST_CHARACTERS);
}

/** A request may be wrong in many places. The first ones are told. */
const MOST_PARTS = 3;
const MOST_CHARACTERS = 500;
