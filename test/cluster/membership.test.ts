// A node's runs, one after the other. The test starts and fences them.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Router } from '../../cluster/shards/router.ts';
import { type JoinedRun, Membership, type MembershipOptions } from '../../src/membership/membership.ts';

interface Begun {
  readonly signal: AbortSignal;
  readonly fence: () => void;
  readonly started: () => void;
  readonly failed: () => void;
  stopped: boolean;
}

/** A membership, and the runs that it has begun. */
function membership() {
  const begun: Begun[] = [];
  const startRun: MembershipOptions['startRun'] = (options) =>
    new Promise<JoinedRun>((resolve, reject) => {
      const one: Begun = {
        signal: options.signal,
        fence: options.onFenced,
        started: () => {
          resolve({
            address: `address ${begun.indexOf(one)}`,
            controller: {
              isRouted: true,
              isCutOff: false,
              status: () => ({ state: 'live', members: [], orphans: 0, moving: new Map() }),
              drain: () => Promise.resolve(),
              clients: { setOwn: () => undefined, shares: () => undefined, otherUrls: () => undefined },
              unreachedShards: () => [],
              tellRights: () => undefined,
            },
            refuseBelow: () => undefined,
            stop: () => {
              one.stopped = true;
              return Promise.resolve();
            },
          });
        },
        failed: () => reject(new Error('not joined')),
        stopped: false,
      };
      begun.push(one);
    });
  const options = {
    router: new Router(),
    gateway: { messages: () => undefined, lost: () => undefined, changed: () => undefined },
    log: () => undefined,
    startRun,
  };
  return { begun, node: new Membership(options) };
}

/** Lets every settled promise run its reactions. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

for (const how of ['started', 'failed'] as const) {
  test(`a run that is fenced while it starts, and then has ${how}, is followed by one other`, async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { begun, node } = membership();
    const starting = node.start();
    begun[0]?.fence();
    await turn();
    t.mock.timers.tick(60_000);
    await turn();
    assert.equal(begun.length, 1, 'no second one beside it');
    begun[0]?.[how]();
    await turn();
    assert.equal(begun[0]?.stopped, how === 'started');
    assert.equal(node.isMember, false);
    t.mock.timers.tick(500);
    await turn();
    assert.equal(begun.length, 2);
    begun[1]?.started();
    await turn();
    t.mock.timers.tick(100);
    await starting;
    assert.equal(node.isMember, true);
    assert.equal(node.address, 'address 1');
    await node.stop();
    assert.equal(begun.length, 2);
  });
}

/** A membership that was fenced once and is about to rejoin. */
async function rejoining(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { begun, node } = membership();
  const starting = node.start();
  begun[0]?.started();
  await starting;
  begun[0]?.fence();
  await turn();
  return { begun, node };
}

for (const how of ['stop', 'drain'] as const) {
  test(`${how}: a run that starts over is given up at once, and none follows`, async (t) => {
    const { begun, node } = await rejoining(t);
    t.mock.timers.tick(500);
    await turn();
    assert.equal(begun.length, 2);
    const done = how === 'stop' ? node.stop() : node.drain(1000);
    assert.equal(begun[1]?.signal.aborted, true);
    begun[1]?.failed();
    await done;
    await node.stop();
    t.mock.timers.tick(60_000);
    await turn();
    assert.equal(begun.length, 2);
    assert.equal(node.isMember, false);
  });

  test(`${how}: one that heeds no signal and has started after all is ended`, async (t) => {
    const { begun, node } = await rejoining(t);
    t.mock.timers.tick(500);
    await turn();
    const done = how === 'stop' ? node.stop() : node.drain(1000);
    begun[1]?.started();
    await done;
    await node.stop();
    assert.equal(begun[1]?.stopped, true);
    assert.equal(node.isMember, false);
  });

  test(`${how}: nobody waits for the back-off of a run that was fenced`, async (t) => {
    const { begun, node } = await rejoining(t);
    await (how === 'stop' ? node.stop() : node.drain(1000));
    await node.stop();
    t.mock.timers.tick(60_000);
    await turn();
    assert.equal(begun.length, 1);
  });
}

test('stop: the very first run is given up as well, and start tells it', async () => {
  const { begun, node } = membership();
  const starting = node.start();
  const stopping = node.stop();
  assert.equal(begun[0]?.signal.aborted, true);
  begun[0]?.failed();
  await assert.rejects(starting, /not joined/);
  await stopping;
  assert.equal(begun.length, 1);
});

test('a node that is a member starts no second run: the assertion of its modes ends the attempt', async () => {
  const { begun, node } = membership();
  const starting = node.start();
  begun[0]?.started();
  await starting;
  await assert.rejects(node.start(), /does not go from member to starting/);
  assert.equal(begun.length, 1);
  assert.equal(node.isMember, true);
  await node.stop();
});
