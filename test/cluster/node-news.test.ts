// The news of a node: its messages about itself, their ways, and the counts of clients of other nodes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lease } from '../../cluster/liveness/lease-store.ts';
import { Members } from '../../cluster/liveness/members.ts';
import { Announcements } from '../../cluster/news/announcements.ts';
import { ClientDirectory } from '../../cluster/news/client-directory.ts';
import type { ControlMessage } from '../../cluster/news/control-messages.ts';
import { OwnNews } from '../../cluster/news/own-news.ts';
import { OwnSlots } from '../../cluster/shards/own-slots.ts';
import { ShardMap } from '../../cluster/shards/shard-map.ts';
import { FakePeer } from './fake-peer.ts';

const LEASE: Lease = {
  run: 'run-a',
  node: 'a',
  address: 'a:1',
  session: 1,
  state: 'live',
  weight: 1,
  workers: [],
  timeline: 1,
};

/** The members b and c, of which only b is connected. */
function cluster() {
  const members = new Members();
  members.sync(
    ['b', 'c'].map((node, index) => ({
      id: 10 + index,
      run: node,
      node,
      slot: -1,
      address: `${node}:1`,
      state: 'live',
    })),
  );
  const b = new FakePeer();
  const learn = (run: string, state: Lease['state'] = 'live') =>
    members.learn({ ...LEASE, run, node: run, address: `${run}:1`, state, weight: 2 }, 0);
  learn('b');
  const known = members.get('b');
  assert.ok(known !== undefined);
  known.peer = b;
  return { members, b, learn };
}

test('a message to all nodes also goes through the database while a member is not connected', () => {
  const { members, b } = cluster();
  const published: string[] = [];
  const notified: string[] = [];
  const announcements = new Announcements({
    network: { peers: () => [b] },
    leases: {
      publish: (text) => {
        published.push(text);
        return Promise.reject(new Error('Redis is away'));
      },
    },
    store: {
      notify: (event) => {
        notified.push(event);
        return Promise.reject(new Error('the database is away'));
      },
    },
    members,
  });
  const message: ControlMessage = { type: 'fenced', run: 'run-x' };
  announcements.toPeers({ type: 'clients', count: 1 });
  announcements.everywhere(message);
  assert.deepEqual(b.sent, [{ type: 'clients', count: 1 }, message]);
  assert.deepEqual(published, [JSON.stringify(message)]);
  assert.deepEqual(notified, ['fenced']);
  members.remove('c');
  announcements.everywhere(message);
  assert.deepEqual(notified, ['fenced'], 'every member has been reached');
});

test('a peer that connects is told the state, the shards, the clients, the URL and what is out of service', () => {
  const own = new OwnSlots();
  const map = new ShardMap();
  own.up(0, 7, { offer: () => true, send: () => undefined });
  map.apply([[3, 7, 2]]);
  const all: ControlMessage[] = [];
  const leases: Lease[] = [];
  const news = new OwnNews({
    view: { own, map },
    announcements: { toPeers: (message) => all.push(message), everywhere: (message) => all.push(message) },
    lease: () => LEASE,
    clients: () => 4,
    setLease: (lease) => leases.push(lease),
    clientUrl: 'wss://a.example',
    quarantined: () => [{ doc: 'acme/bad', forMs: 10, round: 1 }],
  });
  news.databaseReached(false);
  const joining: Lease = { ...LEASE, state: 'joining' };
  news.leaseChanged(joining);
  news.leaseChanged(LEASE);
  assert.deepEqual(leases, [joining, LEASE]);
  assert.deepEqual(all, [
    { type: 'database', reached: false },
    { type: 'state', lease: LEASE },
  ]);
  const b = new FakePeer();
  news.greet(b);
  assert.deepEqual(b.sent, [
    { type: 'state', lease: LEASE },
    { type: 'map', entries: [[3, 7, 2]] },
    { type: 'database', reached: false },
    { type: 'clients', count: 4 },
    { type: 'quarantined', doc: 'acme/bad', forMs: 10, round: 1 },
    { type: 'url', url: 'wss://a.example' },
  ]);
});

test('clients are counted for nodes that serve; one node that has not said leaves all shares open', () => {
  const { members, b, learn } = cluster();
  const changes: number[] = [];
  let isServing = false;
  const clients = new ClientDirectory({
    members,
    node: 'a',
    weight: 1,
    isServing: () => isServing,
    onChange: (count) => changes.push(count),
  });
  clients.setOwn(5);
  clients.setOwn(5);
  assert.deepEqual(changes, [5]);
  assert.equal(clients.shares(), undefined, 'this node does not serve');
  isServing = true;
  assert.equal(clients.shares(), undefined, 'b has not said');
  clients.setCount(b, 3);
  const shares = {
    own: { node: 'a', clients: 5, weight: 1 },
    others: [{ node: 'b', clients: 3, weight: 2 }],
  };
  assert.deepEqual(clients.shares(), shares, 'c does not serve yet');
  learn('c');
  assert.equal(clients.shares(), undefined, 'c serves and is not connected');
  assert.equal(clients.otherUrls(), undefined, 'no node has a URL');
  clients.setUrl(b, 'wss://b.example');
  assert.deepEqual(clients.otherUrls(), ['wss://b.example']);
  learn('b', 'draining');
  assert.equal(clients.otherUrls(), undefined, 'b leaves');
});
