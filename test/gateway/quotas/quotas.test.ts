// The limits of users, organisations and addresses, at a time that the test controls.
import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { shardOf } from '../../../actors/shard.ts';
import { Addresses } from '../../../src/gateway/quotas/addresses.ts';
import { Quota, type QuotaRates } from '../../../src/gateway/quotas/quota.ts';
import { SharedQuotas } from '../../../src/gateway/quotas/shared-quotas.ts';
import type { Identity } from '../../../src/identity/identity.ts';
import { EVERYONE } from '../../../src/identity/user.ts';
import { Owner, opened, startGateway } from '../fake-owners.ts';

const NONE: QuotaRates = {
  opensPerSecond: null,
  editsPerSecond: null,
  editBytes: null,
  presencesPerSecond: null,
};
const DOC = 'acme/plan';

test('LIMIT-4 a rate gives its number in a second, tells when to come again, and goes on then', () => {
  const quota = new Quota({ ...NONE, editsPerSecond: 10 }, 0);
  for (let i = 0; i < 10; i++) assert.equal(quota.takeEdit(1_000, 0), 0);
  const wait = quota.takeEdit(1, 0);
  assert.equal(wait, 100);
  assert.ok(quota.takeEdit(1, wait - 1) > 0);
  assert.equal(quota.takeEdit(1, wait), 0);
  for (let i = 0; i < 1_000; i++) assert.equal(quota.takeOpen(0) + quota.takePresence(0), 0);
});

test('LIMIT-4 an edit that is larger than the bytes of a second is taken, and paid for later', () => {
  const quota = new Quota({ ...NONE, editBytes: 1_000 }, 0);
  assert.equal(quota.takeEdit(3_000, 0), 0);
  const wait = quota.takeEdit(1, 0);
  assert.ok(wait > 2_000 && wait < 2_100, String(wait));
  assert.equal(quota.takeEdit(1, wait), 0);
});

test('LIMIT-4 a table of quotas holds those in use alone, and nothing where nothing is limited', () => {
  const shared = new SharedQuotas({ ...NONE, editsPerSecond: 1 }, 2, () => 0);
  const quota = shared.hold('ada');
  assert.ok(quota instanceof Quota && shared.hold('ada') === quota);
  assert.equal(shared.hold('ada'), 'full');
  assert.ok(shared.hold('bob') instanceof Quota);
  shared.release('ada');
  assert.equal(shared.hold('ada'), quota);
  for (const name of ['ada', 'ada', 'bob', 'bob', 'eve']) shared.release(name);
  assert.equal(shared.size, 0);
  assert.equal(new SharedQuotas(NONE, null, () => 0).hold('ada'), undefined);
});

test('LIMIT-4 a quota that nobody holds is kept until it is full again, for sockets and for requests without one', () => {
  let now = 0;
  const shared = new SharedQuotas({ ...NONE, editsPerSecond: 2 }, null, () => now);
  const once = (name: string): number => shared.once(name, (quota) => quota.takeEdit(1, now));
  const held = shared.hold('ada');
  assert.ok(held instanceof Quota);
  assert.equal(held.takeEdit(1, now), 0);
  shared.release('ada');
  assert.equal(once('ada'), 0);
  assert.equal(once('ada'), 500);
  assert.equal(shared.hold('ada'), held);
  assert.equal(once('ada'), 500);
  shared.release('ada');
  now = 500;
  assert.equal(once('ada'), 0);
  for (let i = 0; i < 1_000; i++) assert.equal(once(`user-${i}`), 0);
  now = 2_000;
  for (let i = 0; i < 1_000; i++) once('ada');
  assert.ok(shared.size <= 2, String(shared.size));
});

function requestFrom(remoteAddress: string, forwarded?: string): IncomingMessage {
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress });
  const request = new IncomingMessage(socket);
  if (forwarded !== undefined) request.headers['x-forwarded-for'] = forwarded;
  return request;
}

test('LIMIT-5 the address of a client is told by trusted proxies alone', () => {
  const addresses = new Addresses({ sockets: 1, upgradesPerSecond: null }, ['10.0.0.0/8', '::1'], () => 0);
  for (const [peer, forwarded, expected] of [
    ['203.0.113.9', undefined, '203.0.113.9'],
    ['203.0.113.9', '198.51.100.1', '203.0.113.9'],
    ['10.1.2.3', '198.51.100.1', '198.51.100.1'],
    ['::ffff:10.1.2.3', '198.51.100.1', '198.51.100.1'],
    ['10.1.2.3', '6.6.6.6, 198.51.100.1, 10.9.9.9', '198.51.100.1'],
    ['10.1.2.3', undefined, '10.1.2.3'],
    ['::ffff:203.0.113.9', undefined, '203.0.113.9'],
    ['2001:db8:1:2:3:4:5:6', undefined, '2001:db8:1:2::/64'],
    ['2001:db8::1', undefined, '2001:db8:0:0::/64'],
    ['2001:DB8:0001:2::9', undefined, '2001:db8:1:2::/64'],
  ] as const)
    assert.equal(addresses.of(requestFrom(peer, forwarded)), expected, `${peer} ${forwarded}`);
  assert.equal(
    new Addresses({ sockets: null, upgradesPerSecond: null }, [], () => 0).of(requestFrom('203.0.113.9')),
    undefined,
  );
});

test('LIMIT-5 an address has so many sockets, and gets new ones as old ones go', () => {
  const addresses = new Addresses({ sockets: 2, upgradesPerSecond: null }, [], () => 0);
  for (let i = 0; i < 2; i++) {
    assert.equal(addresses.takeUpgrade('a'), 0);
    addresses.connected('a');
  }
  assert.ok(addresses.takeUpgrade('a') > 0);
  assert.equal(addresses.takeUpgrade('b'), 0);
  addresses.disconnected('a');
  assert.equal(addresses.takeUpgrade('a'), 0);
});

test('LIMIT-5 an address makes so many sockets a second, also when they are closed at once', () => {
  let now = 0;
  const addresses = new Addresses({ sockets: null, upgradesPerSecond: 5 }, [], () => now);
  const attempt = (): boolean => {
    if (addresses.takeUpgrade('a') > 0) return false;
    addresses.connected('a');
    addresses.disconnected('a');
    return true;
  };
  let made = 0;
  for (; now < 10_000; now += 10) if (attempt()) made++;
  assert.ok(made >= 50 && made <= 55, String(made));
});

test('LIMIT-5 a flood of addresses leaves the table bounded, and sockets that are open are counted on', () => {
  const addresses = new Addresses({ sockets: 1, upgradesPerSecond: 1 }, [], () => 0);
  addresses.takeUpgrade('open');
  addresses.connected('open');
  for (let i = 0; i < 30_000; i++) addresses.takeUpgrade(`flood ${i}`);
  assert.ok(addresses.size <= 10_001, String(addresses.size));
  assert.ok(addresses.takeUpgrade('open') > 0);
});

function startWithQuotas(
  rates: Partial<QuotaRates>,
  of: 'users' | 'organisations',
  most: number | null = null,
) {
  const identity: Identity = {
    identify: (sub = 'ada') => ({ ...EVERYONE, sub }),
    renew: async (user) => user,
  };
  const shared: SharedQuotas = new SharedQuotas({ ...NONE, ...rates }, most, () => started.now());
  const started = startGateway({ identity, [of]: shared });
  const owner = new Owner();
  started.place([DOC, 'acme/notes', 'other/x'].map(shardOf), owner);
  let clients = 0;
  const connect = (sub: string) => started.connect(`client-${++clients}`, sub);
  const open = (client: ReturnType<typeof connect>, doc = DOC): void => {
    const before = owner.opens.length;
    client.send({ type: 'open', doc, id: 7 });
    if (owner.opens.length > before) started.gateway.messages(owner, [opened(owner.opens.at(-1))]);
  };
  return { ...started, owner, connect, open, shared };
}

test('LIMIT-4 the sockets of one user share its rates, and another user has its own', () => {
  const { connect, open, owner, tick, gateway, shared } = startWithQuotas({ editsPerSecond: 2 }, 'users');
  const [one, two, other] = [connect('ada'), connect('ada'), connect('bob')];
  for (const client of [one, two, other]) open(client);
  for (const client of [one, two, one, other])
    client.submit(DOC, client === one ? owner.submits.length + 1 : 1);
  const refused = one.answers('error');
  assert.deepEqual(
    refused.map(({ code, retryable, retryAfterMs }) => [code, retryable, retryAfterMs]),
    [['rate-limited', true, 500]],
  );
  assert.equal(owner.submits.length, 3);
  tick(500);
  one.submit(DOC, refused[0]?.seq ?? 0);
  assert.equal(owner.submits.length, 4, 'the same seq goes on');
  for (const client of [one, two, other]) gateway.disconnected(client.session);
  const again = connect('ada');
  open(again);
  again.submit(DOC, 1);
  assert.equal(again.answers('error').length, 1, 'a new socket has the rate of the one before');
  gateway.disconnected(again.session);
  tick(1_000);
  for (const user of ['eve', 'eve']) gateway.disconnected(connect(user).session);
  assert.equal(shared.size, 0);
});

test('LIMIT-4 the documents of one organisation share its rates, and another organisation has its own', () => {
  const { connect, open, owner } = startWithQuotas({ editsPerSecond: 2, opensPerSecond: 2 }, 'organisations');
  const client = connect('ada');
  for (const doc of [DOC, 'acme/notes', 'other/x']) open(client, doc);
  for (const doc of [DOC, 'acme/notes', DOC, 'other/x']) client.submit(doc, 9);
  assert.equal(owner.submits.length, 3);
  open(client, DOC);
  const [edit, another] = client.answers('error');
  assert.deepEqual([edit?.code, edit?.doc], ['rate-limited', DOC]);
  assert.deepEqual([another?.code, another?.doc, another?.id], ['rate-limited', DOC, 7]);
});

test('LIMIT-4 a user has so many sockets, and the next one may come when one has gone', () => {
  const { connect, gateway } = startWithQuotas({}, 'users', 2);
  const [one] = [connect('ada'), connect('ada')];
  const third = connect('ada');
  assert.deepEqual([third.answers('error')[0]?.code, third.closeCode()], ['rate-limited', 4429]);
  assert.equal(connect('bob').closeCode(), undefined);
  gateway.disconnected(third.session);
  assert.equal(connect('ada').closeCode(), 4429, 'a socket that was refused frees nothing');
  gateway.disconnected(one.session);
  assert.equal(connect('ada').closeCode(), undefined);
});
