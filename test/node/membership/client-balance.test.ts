// A node with more than its share of the clients sends some away, slowly, while the cluster is steady.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClientShare } from '../../../cluster/news/client-directory.ts';
import type { ClientConnection } from '../../../src/gateway/client-connection.ts';
import { balanceClients, STEADY_MS, surplus } from '../../../src/membership/client-balance.ts';
import { Scheduler } from '../../sim/scheduler.ts';

const share = (node: string, clients: number, weight = 1): ClientShare => ({ node, clients, weight });

test('clients above the share count, by weight, and a few above it do not', () => {
  assert.equal(surplus(share('a', 300), [share('b', 0), share('c', 0)]), 200);
  assert.equal(surplus(share('a', 120), [share('b', 120), share('c', 60)]), 0);
  assert.equal(surplus(share('a', 183), [share('b', 117), share('c', 0)]), 83);
  assert.equal(surplus(share('a', 200, 2), [share('b', 100)]), 0);
  assert.equal(surplus(share('a', 200), [share('b', 100, 2)]), 100);
  assert.equal(surplus(share('a', 5), [share('b', 0)]), 0, 'a handful stays where it is');
  assert.equal(surplus(share('a', 5000), []), 0, 'nobody else is there');
  assert.equal(surplus(share('a', 0), [share('b', 5000)]), 0);
  assert.equal(
    surplus(share('a', 120), [share('b', 120), share('c', 60)], true),
    20,
    'what has begun goes on',
  );
  assert.equal(surplus(share('a', 105), [share('b', 135), share('c', 60)], true), 0);
});

/** Node a with its clients, which leave as soon as they are asked to. */
function node(clients: number) {
  const clock = new Scheduler();
  const names = Array.from({ length: clients }, (_, at) => `client-${at}`);
  const told: number[] = [];
  const sent: number[] = [];
  const stage = {
    staying: clients,
    others: [share('b', 0)] as readonly ClientShare[] | undefined,
    told,
    sent,
    run: (ms: number) => clock.run({ until: () => false, untilMs: clock.now() + ms }),
    stop: (): void => undefined,
  };
  stage.stop = balanceClients({
    clock,
    log: { info: () => undefined },
    sockets: {
      get staying() {
        return stage.staying;
      },
      sendSomeAway: (count, _spreadMs, mayGo) => {
        const going = names
          .filter((client) => mayGo(client, { hasOwnId: true } as ClientConnection))
          .slice(0, count);
        stage.staying -= going.length;
        sent.push(going.length);
        return going;
      },
    },
    neighbours: {
      tellClients: (count) => void told.push(count),
      clientShares: () =>
        stage.others === undefined ? undefined : { own: share('a', stage.staying), others: stage.others },
    },
  });
  return stage;
}

test('a few at a time, down to the share and a handful, and never below it', async () => {
  const a = node(1000);
  await a.run(STEADY_MS);
  assert.deepEqual(a.sent, [], 'the others may have come just now');
  await a.run(2000);
  assert.ok(a.sent.length > 0 && a.sent.every((count) => count <= 50), a.sent.join());
  a.others = [share('b', 1000 - a.staying)];
  while (a.sent.length < 50) {
    const before = a.sent.length;
    await a.run(1000);
    a.others = [share('b', 1000 - a.staying)];
    if (a.sent.length === before) break;
  }
  assert.ok(a.staying >= 500 && a.staying <= 505, `${a.staying} of 1000 stay`);
  assert.equal(a.told.at(-1), a.staying, 'the others are told');
  a.stop();
});

test('no client is sent away while nodes come and go, or are not known', async () => {
  const a = node(1000);
  a.others = undefined;
  await a.run(20_000);
  for (let i = 0; i < 10; i++) {
    a.others = [share('b', 0), share(`c${i}`, 0)];
    await a.run(STEADY_MS / 2);
  }
  assert.deepEqual(a.sent, []);
  assert.equal(a.told.length, 45, 'its own count it tells all the same');
  await a.run(STEADY_MS);
  assert.notDeepEqual(a.sent, []);
  a.stop();
});

test('a node that once sent some away bears a little above its share again, when the nodes have changed', async () => {
  const a = node(1000);
  await a.run(STEADY_MS + 2500);
  assert.notDeepEqual(a.sent.splice(0), []);
  a.staying = 110;
  a.others = [share('b', 95), share('c', 95)];
  await a.run(STEADY_MS + 3000);
  assert.deepEqual(a.sent, []);
  a.stop();
});
