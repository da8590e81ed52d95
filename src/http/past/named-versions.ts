// The routes of named versions: give a version a name, list the names, take one away.
import { z } from 'zod';
import type { NamedVersion } from '../../../actors/storage/past-store.ts';
import { callerOf, documentOf } from '../api/access.ts';
import { Refusal } from '../api/refusals.ts';
import type { ApiRoom } from '../api/room.ts';
import { DOCUMENT, errors, VERSION } from '../documents/schemas.ts';
import { asked, gained, pastOf, whileWanted } from './asking.ts';
import { NAMED_PARAMS, NAMED_VERSION, VERSION_NAME } from './schemas.ts';

const PATH = '/docs/:org/:doc/versions';
const MOST = 1_000;
const USUAL = 100;
const NO_NAME = 'no version has this name';

export const namedVersionRoutes: ApiRoom = (app, { parts }) => {
  app.get(
    PATH,
    {
      schema: {
        summary: 'The named versions of a document, by name',
        tags: ['history'],
        params: DOCUMENT,
        querystring: z.strictObject({
          limit: z.coerce.number().int().min(1).max(MOST).optional(),
          cursor: VERSION_NAME.optional().describe('`next` of the page before'),
        }),
        response: {
          200: z.object({ versions: z.array(NAMED_VERSION), next: z.string().optional() }),
          ...errors(400, 404),
        },
      },
      config: { access: 'viewer' },
    },
    async (request) => {
      const { past } = parts();
      const { limit = USUAL, cursor = '' } = request.query;
      const document = await pastOf(past, documentOf(request));
      const found = await asked(past.names(document, cursor, limit + 1));
      const versions = found.slice(0, limit).map(shown);
      const next = found.length > limit ? versions.at(-1)?.name : undefined;
      return next === undefined ? { versions } : { versions, next };
    },
  );

  app.get(
    `${PATH}/:name`,
    {
      schema: {
        summary: 'A named version',
        description: 'Its content is read by `GET /v1/docs/{org}/{doc}?name=`.',
        tags: ['history'],
        params: NAMED_PARAMS,
        response: { 200: NAMED_VERSION, ...errors(400, 404) },
      },
      config: { access: 'viewer' },
    },
    async (request) => {
      const { past } = parts();
      const document = await pastOf(past, documentOf(request));
      const found = await asked(past.name(document, request.params.name));
      if (found === undefined) throw new Refusal('not-found', NO_NAME);
      return shown(found);
    },
  );

  app.put(
    `${PATH}/:name`,
    {
      schema: {
        summary: 'Name a version, or move a name to it',
        tags: ['history'],
        params: NAMED_PARAMS,
        body: z.strictObject({ version: VERSION.optional().describe('Default: the head') }).nullish(),
        response: { 200: NAMED_VERSION, 201: NAMED_VERSION, ...errors(400, 403, 404, 410, 413) },
      },
      config: { access: 'owner' },
    },
    async (request, reply) => {
      const { past } = parts();
      const document = await pastOf(past, documentOf(request));
      const { version = document.head } = request.body ?? {};
      const { name } = request.params;
      const user = callerOf(request).sub;
      const { named, created } = await gained(
        past.putName(document, { name, version, user }, whileWanted(reply)),
      );
      return await reply.code(created ? 201 : 200).send(shown(named));
    },
  );

  app.delete(
    `${PATH}/:name`,
    {
      schema: {
        summary: 'Take a name away',
        tags: ['history'],
        params: NAMED_PARAMS,
        response: { 204: z.null().describe('The name is gone'), ...errors(400, 403, 404) },
      },
      config: { access: 'owner' },
    },
    async (request, reply) => {
      const { past } = parts();
      const document = await pastOf(past, documentOf(request));
      if (!(await asked(past.removeName(document, request.params.name))))
        throw new Refusal('not-found', NO_NAME);
      return await reply.code(204).send(null);
    },
  );
};

const shown = ({ at, ...named }: NamedVersion) => ({ ...named, at: new Date(at).toISOString() });
