// The virtual editors and the checker together, against a server that keeps the contract and against servers
// that break it in one way each. The checker must find each breach.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from '../../loadtest/checker/checker.ts';
import { readLogs } from '../../loadtest/checker/log.ts';
import type { Rule } from '../../loadtest/checker/records.ts';
import { BareClient } from '../../loadtest/clients/bare-client.ts';
import { BareEditor } from '../../loadtest/clients/editor.ts';
import { SdkEditor } from '../../loadtest/clients/editor-sdk.ts';
import { seededRandom } from '../../loadtest/clients/random-edits.ts';
import type { KindName } from '../../protocol/messages.ts';
import { untilSeen } from '../support/until.ts';
import { type FakeFaults, type FakeServer, startFakeServer } from './fake-server.ts';

interface OpenedDocument {
  readonly rules: ReadonlySet<Rule>;
  readonly committed: number;
  readonly resent: number;
}

/**
 * Two bare editors, and one on the SDK if asked for, run until `edits` have committed. `disturb` is called
 * along the way.
 */
async function session(
  kind: KindName,
  faults: FakeFaults,
  options: { edits?: number; sdk?: boolean; disturb?: (server: FakeServer, committed: number) => void } = {},
): Promise<OpenedDocument> {
  const { edits = 150, sdk = false, disturb = () => undefined } = options;
  const server = await startFakeServer(faults);
  const random = seededRandom(11);
  const doc = 'acme/session';
  let committed = 0;
  let enough = () => {};
  const reached = new Promise<void>((resolve) => {
    enough = resolve;
  });
  const clients = (['json', 'msgpack'] as const).map(
    (encoding) =>
      new BareClient({
        url: server.url,
        client: `editor-${encoding}`,
        encoding,
        random,
        backoffFirstMs: 2,
        backoffMostMs: 20,
      }),
  );
  await Promise.all(clients.map((client) => client.connect()));
  const editors = clients.map((client) => {
    const onLatency = () => {
      committed += 1;
      disturb(server, committed);
      if (committed === edits) enough();
    };
    return new BareEditor({ client, doc, kind, random, pace: { type: 'closed' }, onLatency });
  });
  for (const editor of editors) editor.start();
  const sdkEditors = sdk
    ? [
        new SdkEditor({
          urls: [server.url],
          clientId: 'editor-sdk',
          doc,
          kind,
          random,
          pace: { type: 'closed' },
        }),
      ]
    : [];
  try {
    await Promise.all(sdkEditors.map((editor) => editor.start()));
    await reached;
    await Promise.all([...editors, ...sdkEditors].map((editor) => editor.stop()));
    for (const { document } of editors) await document.opened();
    const logs = await readLogs({ url: server.url, random }, [doc]);
    const records = [
      ...clients.flatMap((client) => client.recorder.records()),
      ...sdkEditors.flatMap((editor) => editor.records()),
    ];
    const submits = records.flatMap((record) => [...record.submits.values()]);
    return {
      rules: new Set(check(logs, records).map(({ rule }) => rule)),
      committed: logs[0]?.rows.length ?? 0,
      resent: submits.filter(({ sends }) => sends > 1).length,
    };
  } finally {
    for (const client of clients) client.stop();
    for (const editor of sdkEditors) editor.close();
    await server.close();
  }
}

/** Calls `act` at every nth commit. */
const every = (nth: number, act: (server: FakeServer) => void) => {
  let next = nth;
  return (server: FakeServer, committed: number) => {
    if (committed < next) return;
    next += nth;
    act(server);
  };
};

for (const kind of ['rich-text', 'json', 'yjs'] as const) {
  test(`${kind}: a server that keeps its promises is clean, over crashes`, async () => {
    const cuts = every(30, (server) =>
      server.faults.dropEvery === undefined ? server.crash() : server.cut(),
    );
    const { rules, committed } = await session(kind, {}, { sdk: true, disturb: cuts });
    assert.deepEqual([...rules], []);
    assert.ok(committed >= 150);
  });

  test(`${kind}: submits that arrive after they were sent again commit once`, async () => {
    const { rules, resent } = await session(kind, { holdEvery: 20 });
    assert.deepEqual([...rules], []);
    assert.ok(resent > 0);
  });

  test(`${kind}: refusals for a while are no violation, and what was refused is sent again`, async () => {
    const { rules, resent } = await session(kind, { overloadEvery: 9 });
    assert.deepEqual([...rules], []);
    assert.ok(resent > 0);
  });
}

test('without the output gate a crash takes back what was told', async () => {
  const crashes = every(20, (server) => server.crash());
  const { rules } = await session('rich-text', { gate: 'out', flushMs: 5 }, { disturb: crashes });
  assert.ok(rules.has('acked-lost') || rules.has('acked-elsewhere'), [...rules].join());
});

test('without the duplicate check a patch that is sent again commits twice', async () => {
  const { rules, resent } = await session('rich-text', { duplicates: 'out', holdEvery: 20 });
  assert.ok(resent > 0);
  assert.ok(rules.has('committed-twice') || rules.has('two-fates'), [...rules].join());
});

test('without transformation patches commit as something else than they should', async () => {
  const { rules } = await session('json', { transform: 'out' });
  assert.ok(rules.has('commit-differs'), [...rules].join());
});

test('a commit that is kept from a subscriber is a gap in its stream', async () => {
  const { rules } = await session(
    'rich-text',
    { dropEvery: 10 },
    { disturb: every(20, (server) => server.cut()) },
  );
  assert.ok(rules.has('stream-gap'), [...rules].join());
});

test('an editor that is closed makes no more edits, though it waits for answers', async () => {
  const server = await startFakeServer({});
  const random = seededRandom(11);
  const client = new BareClient({ url: server.url, client: 'editor-closed', encoding: 'json', random });
  try {
    await client.connect();
    const pace = { type: 'open', perSecond: 1000 } as const;
    const editor = new BareEditor({ client, doc: 'acme/closed', kind: 'json', random, pace });
    editor.start();
    await untilSeen('edits', () => editor.counts.submitted > 3);
    editor.close();
    const { submitted, skipped } = editor.counts;
    await new Promise((next) => setTimeout(next, 50));
    assert.deepEqual([editor.counts.submitted, editor.counts.skipped], [submitted, skipped]);
  } finally {
    client.stop();
    await server.close();
  }
});
