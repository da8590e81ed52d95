// Server-sent events: `GET /v1/events/{org}` and `GET /v1/events/{org}/{doc}`. A reader gets the events of the documents in
// which it has a right at that moment. It is asked for its rights again and again, and ended when it has none any more.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Role } from '../../../protocol/messages.ts';
import { parseDocumentName } from '../../../protocol/names.ts';
import type { Reader, Reading, ToldEvent } from '../../events/feed.ts';
import { type Identity, isUser } from '../../identity/identity.ts';
import { decidedRole, type RoleAnswer, type User } from '../../identity/user.ts';
import { callerOf } from '../api/access.ts';
import { Refusal } from '../api/refusals.ts';
import type { ApiRoom } from '../api/room.ts';

/** How often a reader has to show again who it is. */
const RECHECK_MS = 1_000;
/** How often a reader is told where it is, if nothing else is told. Proxies close what is silent. */
const HEARTBEAT_MS = 15_000;
const OVERLOADED_MS = 5_000;
/** Events of one reader that may wait for a service which decides about roles. */
const MOST_UNDECIDED = 1_000;

const EVENT_STREAM = 'text/event-stream; charset=utf-8';
const LAST_EVENT = /^(0|[1-9]\d{0,15})$/;
const headers = z.looseObject({
  'last-event-id': z.string().optional().describe('The id of the last event that the reader has had.'),
});
const stream = {
  200: z
    .string()
    .describe(
      'text/event-stream of the events `created`, `changed` and `deleted`, with `data: {doc, version, users, at}`',
    ),
};

export const eventRoutes: ApiRoom = (app, { config, parts }) => {
  const serve = async (
    request: FastifyRequest,
    reply: FastifyReply,
    org: string,
    doc?: string,
  ): Promise<void> => {
    const found = parts().events;
    if (found === undefined) throw new Refusal('not-found', 'this node tells no events: events.enabled');
    const { feed, renew } = found;
    if (feed.size >= config.events.readers)
      throw new Refusal('overloaded', 'this node has too many readers of events', OVERLOADED_MS);
    // An answer without a body would never be ended.
    if (request.method === 'HEAD') {
      await reply.header('content-type', EVENT_STREAM).send();
      return;
    }
    const only = doc === undefined ? undefined : `${org}/${doc}`;
    const stream = new EventStream(request, reply, renew, { only, most: config.events.readerBytes });
    const reading = await feed.read(org, lastEventId(request), stream);
    if (reading === undefined)
      throw new Refusal('version-too-old', 'events after this one are gone: read the documents anew');
    stream.begin(reading);
  };
  app.get(
    '/events/:org',
    {
      schema: {
        summary: 'Events of the documents of an organisation',
        params: z.object({ org: z.string() }),
        headers,
        response: stream,
      },
      config: { access: 'caller', lasts: true },
    },
    async (request, reply) => {
      const { org } = request.params;
      if (parseDocumentName(`${org}/x`) === undefined)
        throw new Refusal('bad-name', 'no name of an organisation');
      await serve(request, reply, org);
    },
  );
  app.get(
    '/events/:org/:doc',
    {
      schema: {
        summary: 'Events of a document',
        params: z.object({ org: z.string(), doc: z.string() }),
        headers,
        response: stream,
      },
      config: { access: 'viewer', lasts: true },
    },
    async (request, reply) => serve(request, reply, request.params.org, request.params.doc),
  );
};

function lastEventId(request: FastifyRequest): number | undefined {
  const id = request.headers['last-event-id'];
  if (id === undefined || id === '') return undefined;
  if (typeof id !== 'string' || !LAST_EVENT.test(id)) throw new Refusal('bad-message', 'no id of an event');
  return Number(id);
}

/** One answer that goes on. */
class EventStream implements Reader {
  readonly #reply: FastifyReply;
  readonly #renew: Identity['renew'];
  readonly #only: string | undefined;
  readonly #most: number;
  readonly #timers: NodeJS.Timeout[] = [];
  #user: User;
  #isAsking = false;
  /** Events that wait for a service which decides about roles. */
  #undecided = 0;
  /** Whether the last of them has been told. */
  #told = Promise.resolve(true);

  constructor(
    request: FastifyRequest,
    reply: FastifyReply,
    renew: Identity['renew'],
    { only, most }: { readonly only: string | undefined; readonly most: number },
  ) {
    this.#reply = reply;
    this.#renew = renew;
    this.#only = only;
    this.#most = most;
    this.#user = callerOf(request);
  }

  begin(reading: Reading): void {
    const { raw } = this.#reply;
    const sent = Object.entries(this.#reply.getHeaders()).filter(([, value]) => value !== undefined);
    this.#reply.hijack();
    // The reader has gone while its place was looked for.
    if (raw.destroyed) {
      reading.end();
      return;
    }
    raw.writeHead(200, {
      ...Object.fromEntries(sent),
      'content-type': EVENT_STREAM,
      'cache-control': 'no-store',
      // Such as nginx, which would gather events.
      'x-accel-buffering': 'no',
    });
    // An id without data tells where a reader is that has had no event yet.
    raw.write(`id: ${reading.from}\n\n`);
    raw.on('close', reading.end);
    raw.on('error', reading.end);
    this.#timers.push(
      setInterval(() => this.#ask(reading), RECHECK_MS),
      setInterval(() => {
        // The position is beyond the events that wait. A comment keeps the connection open too.
        raw.write(this.#undecided > 0 ? ':\n\n' : `id: ${reading.position()}\n\n`);
      }, HEARTBEAT_MS),
    );
    reading.begin();
  }

  take(event: ToldEvent): boolean | Promise<boolean> {
    if (!this.#keepsUp()) return false;
    if (this.#only !== undefined && event.doc !== this.#only) return true;
    if (this.#undecided === 0) {
      const role = this.#user.roleIn(event.doc);
      if (!(role instanceof Promise)) return this.#tell(event, role);
    }
    // A service decides about roles. Events behind one that waits for it wait too, so that their order stays.
    if (this.#undecided >= MOST_UNDECIDED) return false;
    this.#undecided++;
    const told = this.#told
      .then(async (isTold) => isTold && this.#tell(event, await this.#user.roleIn(event.doc)))
      .finally(() => this.#undecided--);
    this.#told = told;
    return told;
  }

  /** False if the reader has gone, does not keep up, or has a role that cannot be decided. It comes back and goes on here. */
  #tell({ id, type, doc, version, users, at }: ToldEvent, answer: Role | undefined | RoleAnswer): boolean {
    if (answer === 'unavailable' || !this.#keepsUp()) return false;
    if (decidedRole(answer) === undefined) return true;
    this.#reply.raw.write(
      `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify({ doc, version, users, at })}\n\n`,
    );
    return true;
  }

  /** Whether the reader is there and takes what it is sent. */
  #keepsUp(): boolean {
    const { raw } = this.#reply;
    return !raw.destroyed && !raw.writableEnded && raw.writableLength <= this.#most;
  }

  end(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#reply.raw.end();
  }

  #ask(reading: Reading): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    void this.#renew(this.#user)
      .then(async (found) => {
        // A node or a service that cannot tell now is asked again.
        if (!isUser(found)) return found.code === 'unavailable' ? undefined : reading.end();
        if (found.expiresAt <= Date.now()) return reading.end();
        this.#user = found;
        if (this.#only === undefined) return;
        const answer = await found.roleIn(this.#only);
        if (answer !== 'unavailable' && decidedRole(answer) === undefined) reading.end();
      })
      .catch(reading.end)
      .finally(() => {
        this.#isAsking = false;
      });
  }
}
