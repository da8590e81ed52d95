// Reads the bodies of requests: JSON in UTF-8, and nothing that a route has not asked for. Its limits are those of the
// route (`bodyLimit`).
import type { FastifyInstance } from 'fastify';
import { parseJson } from '../../../protocol/json-text.ts';
import { Refusal } from './refusals.ts';

/** The media type of a JSON Patch (RFC 6902). */
export const JSON_PATCH = 'application/json-patch+json';

const utf8 = new TextDecoder('utf-8', { fatal: true });

export function takeJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    ['application/json', JSON_PATCH],
    { parseAs: 'buffer' },
    async (_request: unknown, body: Buffer) => readJson(body),
  );
}

function readJson(body: Uint8Array): unknown {
  let text: string;
  try {
    text = utf8.decode(body);
  } catch {
    throw new Refusal('bad-message', 'the body is not UTF-8');
  }
  try {
    return parseJson(text);
  } catch {
    throw new Refusal('bad-message', 'the body is not JSON');
  }
}
