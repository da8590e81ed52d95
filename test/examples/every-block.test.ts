// The account of the code blocks in the documentation: each block has a test that runs it, or that checks the
// names in it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { packageDirectory } from '../../src/cli/version.ts';
import { blocksOf } from './blocks.ts';
import { DOCUMENTS } from './commands.ts';

/** This test checks the commands of all blocks, without naming the blocks. */
const COMMANDS = 'test/examples/commands.test.ts';
const CONFIGURATION = 'test/examples/configuration.test.ts';
const CLIENT = 'test/browser/sdk/documented.test.ts';
const YJS = 'test/examples/yjs.test.ts';
const HTTP = 'test/examples/http.test.ts';

/** For each file: a part of each block, in order, and the test that runs the block. */
const RUN_BY: Readonly<Record<string, readonly (readonly [part: string, test: string])[]>> = {
  'README.md': [
    ['npm ci && npm start', COMMANDS],
    ['Troupe is ready', CONFIGURATION],
    ['npm ci && npm test', COMMANDS],
    // test/browser/page/killed-node.long.ts follows the text below the block.
    ['npm run cluster', COMMANDS],
    // test/package/installed.long.ts runs it, with the network.
    ['npx troupe serve', COMMANDS],
    ["from 'ws'", 'test/examples/readme.test.ts'],
    ['config check', CONFIGURATION],
  ],
  // test/loadtest/run/load-test.test.ts and load-test.long.ts run the commands, with loads of a few seconds.
  'docs/capacity.md': [
    ['npm run loadtest', COMMANDS],
    ['--find-capacity', COMMANDS],
  ],
  'docs/client.md': [
    ['bindQuill(', CLIENT],
    ["from 'ws'", 'test/examples/client.test.ts'],
    ["client.on('failed'", CLIENT],
    ['useSyncExternalStore(', CLIENT],
  ],
  'docs/configuration.md': [
    ['config check', CONFIGURATION],
    ['the configuration cannot be used', CONFIGURATION],
  ],
  'docs/examples/python/README.md': [['edit.py', 'test/examples/python.test.ts']],
  // A block of JSON is the output of the commands before it.
  'docs/http.md': [
    ['curl -s -X PUT', HTTP],
    ['json', HTTP],
    ['curl -s http', HTTP],
    ['json', HTTP],
    ['curl -s -X PATCH', HTTP],
    ['json', HTTP],
    ['TAG=$(curl', HTTP],
    ['json', HTTP],
    ['curl -s -X PATCH', HTTP],
    ['json', HTTP],
    ['for attempt', HTTP],
    ['json', HTTP],
    ['curl -s -o', HTTP],
    ['json', HTTP],
    ['curl -s -X DELETE', HTTP],
    ['json', HTTP],
    ['curl -s -X DELETE', HTTP],
    ['json', HTTP],
    ["curl -s 'http", HTTP],
    ['json', HTTP],
    ["curl -s 'http", HTTP],
    ['json', HTTP],
    ['curl -s -X PUT', HTTP],
    ['json', HTTP],
    ['curl -s http', HTTP],
    ['json', HTTP],
    ['curl -s -X POST', HTTP],
    ['json', HTTP],
    ['curl -s -X POST', HTTP],
    ['json', HTTP],
    ['curl -s -o', HTTP],
    ['text', HTTP],
  ],
  'docs/operations.md': [
    ['name: node-1', CONFIGURATION],
    ['sentinels:', CONFIGURATION],
    ['SETUSER', 'test/cluster/liveness/lease-store-redis.test.ts'],
    ['GRANT', 'test/node/database/roles.test.ts'],
    ['synchronous_standby_names =', CONFIGURATION],
    ['/backups/', CONFIGURATION],
  ],
  'docs/protocol.md': [['GET /v1/socket', 'test/examples/session.test.ts']],
  'docs/security.md': [['"sub": "ada"', 'test/identity/tokens/tokens.test.ts']],
  'docs/yjs.md': [
    ['npm start', COMMANDS],
    ['new WebsocketProvider(', YJS],
    ['new HocuspocusProvider(', YJS],
    ['troupe import hocuspocus-sqlite', COMMANDS],
    ['is no name for a document (org/doc)', 'test/cli/moving/moving.test.ts'],
    ['troupe export bin', COMMANDS],
  ],
};

for (const file of DOCUMENTS) {
  test(`every code block of ${file} is run`, () => {
    const claims = RUN_BY[file] ?? [];
    const blocks = blocksOf(file);
    assert.equal(blocks.length, claims.length, 'a block that is new needs a test that runs it');
    for (const [index, [part, runner]] of claims.entries()) {
      assert.ok(
        part === blocks[index]?.language || blocks[index]?.text.includes(part),
        `block ${index} has ${part}`,
      );
      const source = readFileSync(join(packageDirectory(), runner), 'utf8');
      // All YAML of the guide is loaded.
      assert.ok(runner === COMMANDS || blocks[index]?.language === 'yaml' || source.includes(part), runner);
    }
  });
}
