// A receiver of webhooks for tests, over real HTTP. It checks signatures with the library of Standard Webhooks.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import { Webhook } from 'standardwebhooks';

export const SECRET = `whsec_${Buffer.from('a secret that only the receiver knows').toString('base64')}`;

export interface Received {
  readonly id: string;
  readonly type: string;
  readonly doc: string;
  readonly version: number;
  readonly users: readonly string[];
}

/** A receiver that confirms what is signed, unless `refuse` answers otherwise. */
export async function receiver(t: TestContext, refuse: (response: ServerResponse) => boolean = () => false) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      if (refuse(response)) return;
      const message = verified(body, request.headers);
      received.push(message);
      response.writeHead(204).end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return { url: `http://127.0.0.1:${address.port}/hook`, received };
}

function verified(body: string, headers: IncomingHttpHeaders): Received {
  const plain = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
  const message = new Webhook(SECRET).verify(body, plain) as Omit<Received, 'id'>;
  return { id: String(headers['webhook-id']), ...message };
}

/** The messages of a document without repeats, which have the id of the first. */
export function ofDocument(received: readonly Received[], doc: string): readonly Received[] {
  const own = received.filter((message) => message.doc === doc);
  return own.filter(({ id }, index) => own.findIndex((each) => each.id === id) === index);
}
