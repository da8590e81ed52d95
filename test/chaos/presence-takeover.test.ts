// Two nodes, of which one owns a document and has sockets of it. It is killed, so the presence of these sockets ends together with
// the only owner that knew of it.
import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { type TestContext, test } from 'node:test';
import { NodeProcess } from '../../loadtest/nodes/node-process.ts';
import { freshDatabase } from '../support/postgres.ts';
import { startTestRedis } from '../support/redis.ts';
import { STOCK_PACKAGES } from '../support/stock-providers.ts';
import { untilSeen } from '../support/until.ts';
import { WireClient } from '../support/wire-client.ts';
import { closingInReverse } from './failover-load.ts';

const DOC = 'acme/plan';
const KINDS = ['/v1/socket', 'y-websocket 3', '@hocuspocus/provider 4'] as const;
type Kind = (typeof KINDS)[number];

interface Person {
  /** The names that this client sees, without its own. */
  sees(): ReadonlySet<string>;
}

test('PRES-4 AWARE-4 the presence of clients whose node ends together with the owner is gone for readers at other nodes, and only theirs', async (context) => {
  const t = closingInReverse(context);
  const storageUrl = await freshDatabase({ after: (drop) => t.after(async () => void (await drop())) });
  const redis = await startTestRedis(t);
  const join = async (name: string): Promise<NodeProcess> => {
    const node = await NodeProcess.start({
      storage: { url: storageUrl },
      set: [
        `node.name=${name}`,
        'workers=1',
        `cluster.redis=${redis.url}`,
        'cluster.secret=a secret of the tests',
        'cluster.link.port=0',
        `cluster.pins=[{match: ${DOC}, node: owner}]`,
      ],
    });
    t.after(() => node.kill());
    return node;
  };
  const [owner, other] = [await join('owner'), await join('other')];
  const all: Person[] = [];
  const readers = new Map<string, Person>();
  for (const kind of KINDS) {
    all.push(await person(t, owner, kind, `lost ${kind}`));
    const reader = await person(t, other, kind, `stays ${kind}`);
    readers.set(kind, reader);
    all.push(reader);
  }
  await untilSeen('everyone sees everyone', () => all.every((each) => each.sees().size === all.length - 1));
  const from = performance.now();
  await owner.kill();
  await Promise.all(
    [...readers].map(async ([kind, reader]) => {
      const lost = (): string[] => [...reader.sees()].filter((name) => name.startsWith('lost'));
      await untilSeen(
        () => `the end of ${lost().join(', ')} for ${kind}`,
        () => lost().length === 0,
      );
      context.diagnostic(`${kind}: gone after ${(performance.now() - from).toFixed(0)} ms`);
    }),
  );
  for (const [kind, reader] of readers)
    assert.deepEqual(
      [...reader.sees()].sort(),
      KINDS.filter((each) => each !== kind)
        .map((each) => `stays ${each}`)
        .sort(),
    );
});

async function person(
  t: Pick<TestContext, 'after'>,
  node: NodeProcess,
  kind: Kind,
  name: string,
): Promise<Person> {
  if (kind !== '/v1/socket') {
    const provider = STOCK_PACKAGES.find((stock) => stock.name === kind)?.start({
      port: node.port,
      doc: DOC,
    });
    assert.ok(provider, kind);
    t.after(() => provider.destroy());
    await untilSeen(`${name} is synced`, () => provider.isSynced);
    provider.setPresence({ name });
    return {
      sees: () => namesIn([...provider.presences().values()].filter((state) => state.name !== name)),
    };
  }
  const client = await WireClient.connect(t, node.socketUrl, { client: `client-${name.slice(0, 4)}` });
  const states: Record<string, unknown> = {};
  const opened = await client.open(DOC, 'yjs');
  Object.assign(states, opened.presence);
  client.send({ type: 'presence', doc: DOC, data: { name } });
  return {
    sees: () => {
      for (const message of client.received.splice(0))
        if (message.type === 'presence') Object.assign(states, message.states);
      return namesIn(Object.values(states));
    },
  };
}

const namesIn = (states: readonly unknown[]): ReadonlySet<string> =>
  new Set(
    states.flatMap((state) =>
      typeof state === 'object' && state !== null && 'name' in state && typeof state.name === 'string'
        ? [state.name]
        : [],
    ),
  );
