// The load tools, each with a small load, against a real node. node.long.ts replays recorded traces.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { garbageRun } from '../../loadtest/garbage/garbage.ts';
import { ORG } from '../../loadtest/garbage/garbage-scene.ts';
import { newSecret, tokensOfSecret } from '../../loadtest/garbage/garbage-tokens.ts';
import { HTTP_GARBAGE_SETTINGS, httpGarbageRun } from '../../loadtest/garbage/http-garbage.ts';
import { yjsGarbageRun } from '../../loadtest/garbage/yjs-garbage.ts';
import { presenceRun } from '../../loadtest/presence/presence.ts';
import { startTestNode } from '../support/node.ts';

test('frames of garbage and wrong tokens are answered with codes, and nobody else notices', async (t) => {
  const secret = newSecret();
  const node = await startTestNode(t, { config: { auth: { mode: 'jwt', jwt: { secret } } } });
  const tokens = await tokensOfSecret(secret, ORG);
  const result = await garbageRun({ url: node.socketUrl, frames: 800, throwers: 4, seed: 1, tokens });
  assert.deepEqual(result.faults, []);
  assert.ok(result.thrown >= 800);
  for (const code of [4400, 4401]) assert.ok((result.closes[code] ?? 0) > 0, `closes with ${code}`);
  // A document of a stranger is opened now and then only.
  for (const code of ['bad-message', 'unauthenticated'])
    assert.ok((result.answers[code] ?? 0) > 0, `${code} of ${JSON.stringify(result.answers)}`);
});

test('HTTP-1 HTTP-5 odd and broken requests are answered with codes, and nobody else notices', async (t) => {
  const secret = newSecret();
  const config = { auth: { mode: 'jwt', jwt: { secret } }, http: HTTP_GARBAGE_SETTINGS };
  const node = await startTestNode(t, { config });
  const tokens = await tokensOfSecret(secret, ORG);
  const result = await httpGarbageRun({ url: node.socketUrl, requests: 1_000, throwers: 4, seed: 1, tokens });
  assert.deepEqual(result.faults, []);
  assert.ok(result.thrown >= 1_000);
  for (const answer of ['200', '400 bad-message', '401 unauthenticated', '404 not-found'])
    assert.ok((result.answers[answer] ?? 0) > 0, answer);
});

test('HOC-8 YWS-7 garbage at the endpoints for Yjs providers is closed with codes, and nobody else notices', async (t) => {
  const node = await startTestNode(t);
  const result = await yjsGarbageRun({ url: node.socketUrl, seconds: 2, throwers: 4, seed: 1 });
  assert.deepEqual(result.faults, []);
  assert.ok(result.thrown > 50 && (result.closes[4400] ?? 0) > 0);
  assert.ok(result.editors.count > 0);
});

for (const [wire, hearing] of [
  ['contract', 11],
  // Clients of y-websocket hear themselves, too.
  ['y-websocket', 12],
] as const)
  test(`every state of readers who move reaches every other reader (${wire})`, async (t) => {
    const node = await startTestNode(t);
    const result = await presenceRun({ url: node.socketUrl, wire, readers: 12, seconds: 1, seed: 1 });
    assert.deepEqual(result.faults, []);
    assert.equal(result.received, hearing * result.sent);
    assert.ok(result.delivery.count > 0 && result.bystanders.count > 0);
  });
