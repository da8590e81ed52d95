// A client of the HTTP API for tests. It holds every answer against the description of the node (/v1/openapi.json).
import assert from 'node:assert/strict';
import { z } from 'zod';
import { FileNode } from '../gateway/wire/contract.ts';
import type { TestNode } from '../support/node.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
  /** Status and code of an error. */
  readonly refused: string | undefined;
}

interface Operation {
  readonly responses: Readonly<Record<string, { content?: Record<string, { schema: object }> }>>;
}
type Description = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

export class Api {
  readonly #url: string;
  readonly #description: Description;
  readonly #token: string | undefined;

  constructor(url: string, description: Description, token?: string) {
    this.#url = url;
    this.#description = description;
    this.#token = token;
  }

  static async of(url: string): Promise<Api> {
    const { paths } = (await (await fetch(new URL('/v1/openapi.json', url))).json()) as {
      paths: Description;
    };
    return new Api(url, paths);
  }

  /** The same node, with a token. */
  as(token: string): Api {
    return new Api(this.#url, this.#description, token);
  }

  /** `call`: a method and a path, such as `GET /v1/docs/acme/plan`. */
  async call(call: string, init: RequestInit = {}): Promise<Answer> {
    const [method = '', path = ''] = call.split(' ');
    const headers = new Headers(init.headers);
    if (this.#token !== undefined) headers.set('authorization', `Bearer ${this.#token}`);
    const answer = await fetch(new URL(path, this.#url), { ...init, method, headers });
    const text = await answer.text();
    const body = text === '' ? {} : JSON.parse(text);
    assert.equal(answer.headers.get('cache-control'), 'no-store', call);
    this.#hold(method, path, answer.status, text === '' ? undefined : body);
    const refused = answer.status < 400 ? undefined : `${answer.status} ${body.code}`;
    return { status: answer.status, headers: answer.headers, body, refused };
  }

  /** The answer has the shape that the description gives for its status. */
  #hold(method: string, path: string, status: number, body: unknown): void {
    const parts = path.replace(/\?.*/, '').split('/');
    const found = Object.entries(this.#description).find(([pattern]) => {
      const wanted = pattern.split('/');
      return (
        wanted.length === parts.length &&
        wanted.every((part, at) => part.startsWith('{') || part === parts[at])
      );
    });
    const response = found?.[1][method.toLowerCase()]?.responses[String(status)];
    assert.ok(response, `${method} ${path} is described with status ${status}`);
    const schema = response.content?.['application/json']?.schema;
    if (body === undefined || schema === undefined) return;
    const held = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]).safeParse(body);
    assert.ok(held.success, `${method} ${path}: ${held.error?.message}`);
  }
}

let organisations = 0;

/** A node with its API, shared as a FileNode is. */
export class FileApi {
  readonly #file: FileNode;
  #api: Promise<Api> | undefined;

  constructor(config: object = {}) {
    this.#file = new FileNode(config);
  }

  /** `org` is an organisation that no other test has. */
  async use(): Promise<{ readonly node: TestNode; readonly api: Api; readonly org: string }> {
    const { node } = this.#file;
    this.#api ??= Api.of(node.url);
    return { node, api: await this.#api, org: `acme-${++organisations}` };
  }
}

export const json = (body: unknown, method = 'PUT', headers: Record<string, string> = {}): RequestInit => ({
  method,
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json', ...headers },
});

export const patch = (steps: readonly unknown[], headers: Record<string, string> = {}): RequestInit => ({
  body: JSON.stringify(steps),
  headers: { 'content-type': 'application/json-patch+json', ...headers },
});
