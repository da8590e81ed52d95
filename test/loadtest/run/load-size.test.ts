// The size of a load: a scenario made shorter or smaller, clients that arrive document by document, and the limits of the system.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { crowdOf } from '../../../loadtest/run/generator/crowd.ts';
import { MetricsReader, parseMetrics } from '../../../loadtest/run/servers/metrics-reader.ts';
import {
  demandRoom,
  localAddress,
  MOST_FROM_ADDRESS,
  mostSockets,
} from '../../../loadtest/run/servers/open-files.ts';
import { type Counters, UsageReader, usageBetween } from '../../../loadtest/run/servers/usage.ts';
import { parseScenario } from '../../../loadtest/scenarios/read-scenario.ts';
import { resize } from '../../../loadtest/scenarios/resize.ts';

test('a shorter run has its stages, faults and counted criteria in proportion, and its rates as before', () => {
  const scenario = parseScenario(
    `clients: {editors: 100, readers: 0}
documents: {count: 10}
stages: [{lastsMs: 60s, change: ramp}, {lastsMs: 4m}]
faults: [{atMs: 150s, do: drop-clients}]
criteria: {edits: 1000, errors: null, lostConnections: 30}`,
    'x.yaml',
  );
  const short = resize(scenario, { lastsMs: 30_000 });
  assert.deepEqual(
    short.stages.map(({ lastsMs }) => lastsMs),
    [6_000, 24_000],
  );
  assert.equal(short.faults[0]?.atMs, 15_000);
  assert.deepEqual([short.criteria.edits, short.clients.editors, short.typing], [100, 100, scenario.typing]);
  const small = resize(scenario, { share: 0.1 });
  assert.deepEqual([small.clients.editors, small.clients.readers, small.documents.count], [10, 0, 1]);
  assert.deepEqual(
    [small.criteria.edits, small.criteria.errors, small.criteria.lostConnections],
    [100, null, 3],
  );
  assert.deepEqual(resize(scenario, {}), scenario);
});

test('clients that arrive by document fill one document before the next', () => {
  const scenario = parseScenario('clients: {editors: 60, readers: 30}\ndocuments: {count: 9}', 'x.yaml');
  const members = crowdOf(scenario, 2, 'by-document')
    .flat()
    .sort((left, right) => left.rank - right.rank);
  assert.deepEqual(
    members.map(({ rank }) => rank),
    Array.from({ length: 90 }, (_, index) => index),
  );
  const changes = members.filter(({ document }, index) => document !== members[index - 1]?.document);
  assert.equal(changes.length, 9);
});

test('more sockets than the processes may have are refused with the number of nodes that can', () => {
  const most = mostSockets();
  if (most === undefined) return;
  const clients = { editors: most * 2, readers: 1 };
  const refused = { name: 'UsageError', message: /need 3 nodes \(--nodes\)/ };
  assert.throws(() => demandRoom(parseScenario(`clients: ${JSON.stringify(clients)}`, 'x.yaml'), 2), refused);
  demandRoom(parseScenario(`clients: ${JSON.stringify(clients)}`, 'x.yaml'), 3);
});

test('processes of a large load on this machine have local addresses of their own', () => {
  const url = 'ws://127.0.0.1:8080/v1/socket';
  assert.equal(localAddress(url, MOST_FROM_ADDRESS, 1), undefined);
  assert.deepEqual(
    [0, 1, 2].map((process) => localAddress(url, 100_000, process)),
    ['127.0.0.2', '127.0.0.3', '127.0.0.4'],
  );
  assert.equal(localAddress('wss://docs.example.com/v1/socket', 100_000, 1), undefined);
});

test('a use is the difference of two readings, without a node that was started anew', () => {
  const reading = (at: number, main: number, other: number): Counters => ({
    at,
    machine: at / 1000,
    nodes: [
      { node: 'node-1', main, others: 2 * main, residentBytes: 100 },
      { node: 'node-2', main: other, others: 0, residentBytes: 100 },
    ],
    postgres: { cpu: main, commits: 10 * main, rows: 0, walBytes: 0, storedBytes: 0 },
    redis: undefined,
  });
  const used = usageBetween(reading(0, 1, 5), reading(10_000, 2, 1));
  assert.deepEqual(
    [used?.mainCpu, used?.othersCpu, used?.busiestMainCpu, used?.machineCpu],
    [0.1, 0.2, 0.1, 1],
  );
  assert.deepEqual([used?.postgres?.commits, used?.redis], [1, undefined]);
  assert.equal(usageBetween(reading(0, 1, 1), { ...reading(1_000, 2, 2), nodes: [] }), undefined);
});

test('the processor time of a node is read by thread, and a node that is gone is left out', {
  skip: process.platform !== 'linux',
}, async () => {
  class Node {
    readonly name: string;
    readonly #pid: number;

    constructor(name: string, pid: number) {
      this.name = name;
      this.#pid = pid;
    }

    pid(): number {
      return this.#pid;
    }
  }
  const nodes = [new Node('node-1', process.pid), new Node('node-2', 2 ** 22 + 1)];
  const { nodes: read, machine, postgres } = await new UsageReader(nodes, undefined, () => 0).read();
  assert.deepEqual(
    read.map(({ node }) => node),
    ['node-1'],
  );
  assert.ok((read[0]?.main ?? 0) > 0 && (read[0]?.residentBytes ?? 0) > 1e6);
  assert.ok((machine ?? 0) >= (read[0]?.main ?? 0));
  assert.equal(postgres, undefined);
});

/** `cpu`: seconds of the whole node, half of them of its main thread. */
const metricsText = (cpu: number, delays: number) => `# HELP process_cpu_seconds_total CPU
process_cpu_seconds_total ${cpu}
troupe_thread_cpu_seconds_total{thread="main"} ${cpu / 2}
troupe_thread_cpu_seconds_total{thread="worker-0"} ${cpu / 2}
process_resident_memory_bytes 1000
troupe_event_loop_delay_seconds_bucket{thread="main",le="0.005"} 1
troupe_event_loop_delay_seconds_sum{thread="main"} ${delays * 0.02}
troupe_event_loop_delay_seconds_count{thread="main"} ${delays}
troupe_event_loop_delay_seconds_sum{thread="worker-0"} 0
troupe_event_loop_delay_seconds_count{thread="worker-0"} ${delays}
`;

test('nodes that the run did not start are read from their metrics; a node without metrics has no figures', async (t) => {
  let text = metricsText(10, 100);
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/metrics' ? 200 : 404).end(text);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const host = `127.0.0.1:${address.port}`;
  let now = 0;
  const urls = [`ws://${host}/v1/socket`, 'ws://127.0.0.1:1/v1/socket'];
  const reader = new MetricsReader(urls, () => now);
  assert.deepEqual(await reader.read(), [
    { node: host, cpu: undefined, residentBytes: 1000, loopDelayMs: undefined },
  ]);
  now = 2_000;
  text = metricsText(11, 120);
  const [reading] = await reader.read();
  assert.equal(reading?.cpu, 0.5);
  assert.ok(Math.abs((reading?.loopDelayMs ?? 0) - 20) < 1e-6);
  const [counters] = (await new UsageReader(reader, undefined, () => now).read()).nodes;
  assert.deepEqual([counters?.main, counters?.others], [5.5, 5.5]);
  assert.equal(parseMetrics('x', 'no metrics'), undefined);
});
