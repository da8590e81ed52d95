// The HTTP writes of a load test, by autocannon, against a real node and against servers that refuse and that lie.
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { type TestContext, test } from 'node:test';
import { checkWithHttp } from '../../loadtest/checker/http-check.ts';
import { Figures } from '../../loadtest/run/figures.ts';
import { HttpWrites, type WrittenDocument } from '../../loadtest/run/generator/http-writes.ts';
import { FileNode } from '../gateway/wire/contract.ts';
import { untilSeen } from '../support/until.ts';
import { httpServer } from './http-server.ts';
import { run } from './run/load-run.ts';

const file = new FileNode();

test('a scenario writes documents of every kind over HTTP, and the checker finds each write in the log', async () => {
  const result = await run(
    file.url,
    `documents: {count: 6}
clients: {editors: 12}
typing: {model: even, everyMs: 500ms}
http: {writesPerSecond: 40, connections: 4}
stages: [{lastsMs: 2s}]
criteria: {commitP95Ms: null, httpWriteP95Ms: 1h, edits: 10}`,
    2,
  );
  assert.equal(result.verdict, 'passed', JSON.stringify([result.criteria, result.checked.told]));
  const { committed, writes, written } = result.totals;
  assert.ok(writes >= 50 && written >= 50, JSON.stringify(result.totals));
  // All acknowledged edits of sockets, and all writes, were looked for.
  assert.ok(result.checked.edits >= committed + written, `${result.checked.edits}`);
  assert.ok(result.times.write.count >= written);
  assert.ok(result.criteria.some(({ name }) => name === 'HTTP writes committed of those due'));
});

test('a write that is answered 503 comes again with its key and its patch, and counts once', async (t) => {
  const sent: { key: string; body: string }[] = [];
  const { urls } = await httpServer(t, (request, response) => {
    if (request.method !== 'PATCH') {
      response.end();
      return;
    }
    void bodyOf(request).then((body) => {
      sent.push({ key: String(request.headers['idempotency-key']), body });
      const isRefused = sent.length === 2;
      response.writeHead(isRefused ? 503 : 200, { 'content-type': 'application/json' });
      response.end(isRefused ? '{"code":"unavailable"}' : `{"version":${sent.length}}`);
    });
  });
  const figures = new Figures();
  const writes = start(t, { urls, figures, writesPerSecond: 10 });
  await writes.begin();
  await untilSeen('writes', () => Promise.resolve(sent.length >= 5));
  await writes.stop(performance.now() + 10_000);
  assert.deepEqual(sent[1], sent[2]);
  assert.equal(new Set(sent.map(({ key }) => key)).size, sent.length - 1);
  assert.deepEqual([...writes.errors], [['HTTP 503', 1]]);
  const [record] = writes.records();
  const again = record?.writes.find(({ key }) => key === sent[1]?.key);
  assert.deepEqual(again?.fate, { type: 'ok', version: 3 });
});

test('a server that acknowledges a write and does not keep it is found', async (t) => {
  const { urls } = await httpServer(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"version":1}');
  });
  const figures = new Figures();
  const writes = start(t, { urls, figures, writesPerSecond: 20 });
  await writes.begin();
  await untilSeen('a write', () => Promise.resolve(figures.counts.written > 0));
  await writes.stop(performance.now() + 10_000);
  const log = { doc: DOCUMENT.doc, history: 'h', kind: DOCUMENT.kind, rows: [] };
  const found = checkWithHttp([log], [], writes.records(), { others: true });
  assert.ok(found.some(({ rule }) => rule === 'acked-lost'));
});

test('documents are created before they are written, and a node that refuses is told', async (t) => {
  const asked: string[] = [];
  const { urls } = await httpServer(t, (request, response) => {
    void bodyOf(request).then((body) => {
      asked.push(`${request.method} ${request.url} ${request.headers.authorization} ${body}`);
      response.writeHead(asked.length === 1 ? 201 : 403).end();
    });
  });
  const writes = start(t, { urls, figures: new Figures(), writesPerSecond: 10, token: 'secret' });
  await writes.createDocuments();
  assert.deepEqual(asked, ['PUT /v1/docs/acme/a Bearer secret {"kind":"json"}']);
  await assert.rejects(writes.createDocuments(), /acme\/a was not created over HTTP: status 403/);
});

const DOCUMENT: WrittenDocument = { doc: 'acme/a', kind: 'json', isChecked: true };

function start(
  t: TestContext,
  options: { urls: string[]; figures: Figures; writesPerSecond: number; token?: string },
): HttpWrites {
  const { urls, figures, writesPerSecond, token } = options;
  const http = { writesPerSecond, connections: 1 };
  const writes = new HttpWrites({ urls, token, docs: [DOCUMENT], http, index: 0, processes: 1, figures });
  t.after(() => writes.stop(0));
  return writes;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}
