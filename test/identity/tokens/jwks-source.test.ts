// Reading a key set over HTTP from servers that mean no good, and from files.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { StartError } from '../../../config/fatal.ts';
import { configFrom } from '../../../config/load.ts';
import { startIdentity } from '../../../src/identity/start-identity.ts';
import { jwksSource } from '../../../src/identity/tokens/jwks-source.ts';
import { claimsOf, newSigner } from '../../support/tokens.ts';

async function serve(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
}

function fileWith(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-jwks-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'jwks.json');
  writeFileSync(path, text);
  return path;
}

const identityOf = (jwks: string) => {
  const problems: string[] = [];
  const { auth } = configFrom({ auth: { mode: 'jwt', jwt: { jwks } } });
  const options = {
    time: Date.now,
    now: () => performance.now(),
    onProblem: (text: string) => problems.push(text),
  };
  return { problems, starting: startIdentity(auth, options) };
};

test('AUTH-3 a set is read from a URL and from a file', async (t) => {
  const signer = await newSigner('one');
  const text = JSON.stringify({ keys: [signer.jwk] });
  const url = await serve(t, (_, response) => response.end(text));
  for (const source of [url, fileWith(t, text)]) {
    const found = await (await identityOf(source).starting).identify(await signer.sign(claimsOf('ada')));
    assert.ok('sub' in found, source);
  }
});

test('AUTH-4 a redirect is not followed', async (t) => {
  let asked = 0;
  const inside = await serve(t, (_, response) => {
    asked++;
    response.end('{"keys":[]}');
  });
  const url = await serve(t, (_, response) => response.writeHead(302, { location: inside }).end());
  await assert.rejects(jwksSource(url).read(), /status 302/);
  assert.equal(asked, 0);
});

test('AUTH-4 an answer without end, and one that is no JSON, are given up, and the node starts', async (t) => {
  const endless = await serve(t, (_, response) => {
    const more = (): void => {
      while (response.write('x'.repeat(65_536)));
      response.once('drain', more);
    };
    more();
  });
  await assert.rejects(jwksSource(endless).read(), /more than 262144 bytes/);
  const wrong = await serve(t, (_, response) => response.end('-----BEGIN PRIVATE KEY-----'));
  const { problems, starting } = identityOf(wrong);
  const found = await (await starting).identify(await (await newSigner('one')).sign(claimsOf('ada')));
  assert.ok('code' in found && found.code === 'unavailable');
  assert.match(problems[0] ?? '', /it is not JSON$/);
});

test('AUTH-4 a file without a usable set ends the start with one line that shows nothing of it', async (t) => {
  for (const text of ['hunter2', '{"keys":"hunter2"}', '{"keys":[{"kty":"oct","k":"hunter2"}]}']) {
    await assert.rejects(identityOf(fileWith(t, text)).starting, (error: unknown) => {
      assert.ok(error instanceof StartError);
      assert.match(error.message, /^auth\.jwt\.jwks: /);
      return !error.message.includes('hunter2');
    });
  }
  await assert.rejects(identityOf('/nowhere/jwks.json').starting, StartError);
});
