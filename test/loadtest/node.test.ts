// The load tools, each with a small load, against a real node. node.long.ts replays recorded traces.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { garbageRun } from '../../loadtest/garbage/garbage.ts';
import { ORG } from '../../loadtest/garbage/garbage-scene.ts';
import { newSecret, tokensOfSecret } from '../../loadtest/garbage/garbage-tokens.ts';
import { HTTP_GARBAGE_SETTINGS, httpGarbageRun } from '../../loadtest/garbage/http-garbage.ts';
import { yjsGarbageRun } from '../../loadtest/garbage/yjs-garbage.ts';
import { presenceRun } from '../../loadtest/presence/presence.ts';
import { FileNode } from '../gateway/wire/contract.ts';
import { fuzzRuns } from '../support/fuzz-runs.ts';

const REQUESTS = fuzzRuns(1_000);

const secret = newSecret();
/**
 * The nodes of this file: one with tokens, and one that lets everyone in. Runs on one node have seeds of their own, since
 * their documents are named after the seed.
 */
const guarded = new FileNode({ auth: { mode: 'jwt', jwt: { secret } }, ...HTTP_GARBAGE_SETTINGS });
const open = new FileNode();

test('frames of garbage and wrong tokens are answered with codes, and nobody else notices', async () => {
  const tokens = await tokensOfSecret(secret, ORG);
  const result = await garbageRun({ url: guarded.url, frames: 800, throwers: 4, seed: 1, tokens });
  assert.deepEqual(result.faults, []);
  assert.ok(result.thrown >= 800);
  for (const code of [4400, 4401]) assert.ok((result.closes[code] ?? 0) > 0, `closes with ${code}`);
  // A document of a stranger is opened now and then only.
  for (const code of ['bad-message', 'unauthenticated'])
    assert.ok((result.answers[code] ?? 0) > 0, `${code} of ${JSON.stringify(result.answers)}`);
});

test('HTTP-1 HTTP-5 odd and broken requests are answered with codes, and nobody else notices', async () => {
  const tokens = await tokensOfSecret(secret, ORG);
  const result = await httpGarbageRun({ url: guarded.url, requests: REQUESTS, throwers: 4, seed: 2, tokens });
  assert.deepEqual(result.faults, []);
  assert.ok(result.thrown >= REQUESTS);
  for (const answer of ['200', '400 bad-message', '401 unauthenticated', '404 not-found'])
    assert.ok((result.answers[answer] ?? 0) > 0, answer);
});

test('HOC-8 YWS-7 garbage at the endpoints for Yjs providers is closed with codes, and nobody else notices', async () => {
  const result = await yjsGarbageRun({ url: open.url, seconds: 2, throwers: 4, seed: 1 });
  assert.deepEqual(result.faults, []);
  assert.ok(result.thrown > 50 && (result.closes[4400] ?? 0) > 0);
  assert.ok(result.editors.count > 0);
});

for (const [wire, hearing, seed] of [
  ['contract', 11, 2],
  // Clients of y-websocket hear themselves, too.
  ['y-websocket', 12, 3],
] as const)
  test(`every state of readers who move reaches every other reader (${wire})`, async () => {
    const result = await presenceRun({ url: open.url, wire, readers: 12, seconds: 1, seed });
    assert.deepEqual(result.faults, []);
    assert.equal(result.received, hearing * result.sent);
    assert.ok(result.delivery.count > 0 && result.bystanders.count > 0);
  });
