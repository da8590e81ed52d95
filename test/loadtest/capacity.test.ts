// The computations of a capacity test: the knee, the scalability law, the costs and the plan.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { planAgain } from '../../loadtest/capacity/capacity-command.ts';
import {
  CAPACITY_FORMAT,
  type CapacityMeasured,
  type CapacityResult,
} from '../../loadtest/capacity/find-capacity.ts';
import { KneeSearch, type Level } from '../../loadtest/capacity/knee.ts';
import { fitNonNegative } from '../../loadtest/capacity/least-squares.ts';
import { leastDisturbed } from '../../loadtest/capacity/measure-capacity.ts';
import { planOf } from '../../loadtest/capacity/plan.ts';
import { fitScalability } from '../../loadtest/capacity/scalability.ts';
import { seededRandom } from '../../loadtest/clients/random-edits.ts';
import { fitCosts, hopsOf, type Window } from '../../loadtest/model/costs.ts';
import { busyOf, type Deployment, kneeOf, p95Of, scaled } from '../../loadtest/model/model.ts';
import { readScenario } from '../../loadtest/scenarios/read-scenario.ts';

/** A service that is a queue: its times rise as its capacity is approached. */
const queueLevel = (clients: number, capacity: number, noise = 1): Level => {
  const asked = clients / 2;
  const busy = asked / capacity;
  const p95Ms = busy < 1 ? (10 / (1 - busy)) * noise : 2_000 * busy * noise;
  return { clients, asked, committed: Math.min(asked, capacity), p95Ms, errors: 0 };
};

function searched(capacity: number, noise: () => number, most = 100_000): KneeSearch {
  const search = new KneeSearch({ first: 200, most, boundMs: 200, repeats: 2 });
  for (let next = search.next(); next !== undefined; next = search.next())
    search.take(queueLevel(next, capacity, noise()));
  return search;
}

test('the knee of a queue is found where its 95th percentile meets the bound', () => {
  const search = searched(3_000, () => 1);
  // 10 / (1 - busy) = 200 at 0.95 of the capacity.
  const { knee } = search;
  assert.ok(Math.abs((knee?.clients ?? 0) / 5_700 - 1) < 0.06, `${knee?.clients}`);
  assert.ok(Math.abs((knee?.edits ?? 0) / 2_850 - 1) < 0.06);
  assert.ok(search.levels.length <= 20, `${search.levels.length} levels`);
  assert.equal(knee?.isAtLeast, false);
});

test('two searches agree within 20 % although one level in eight is disturbed', () => {
  const random = seededRandom(5);
  const noise = () => (random() < 1 / 8 ? 4 : 0.8 + random() * 0.4);
  const found = Array.from({ length: 40 }, () => searched(3_000, noise).knee?.clients ?? 0).sort(
    (left, right) => left - right,
  );
  const [low = 0, high = 0] = [found[4], found[35]];
  assert.ok(high / low < 1.2, `${low} to ${high}`);
});

test('a level that a pause of the machine spoils does not end the search', () => {
  const search = new KneeSearch({ first: 200, most: 100_000, boundMs: 200, repeats: 2 });
  const spoilt = new Set<number>();
  for (let next = search.next(); next !== undefined; next = search.next()) {
    // The first measurement of each level that is near the knee comes to 500 ms.
    const isSpoilt = next > 2_500 && next < 5_000 && !spoilt.has(next);
    if (isSpoilt) spoilt.add(next);
    const level = queueLevel(next, 3_000);
    search.take(isSpoilt ? { ...level, p95Ms: 500 } : level);
  }
  assert.ok(spoilt.size > 0, 'no level was spoilt');
  assert.ok(Math.abs((search.knee?.clients ?? 0) / 5_700 - 1) < 0.06, `${search.knee?.clients}`);
});

test('a search that comes to its most clients says that the knee is above', () => {
  const { knee } = searched(3_000, () => 1, 1_000);
  assert.deepEqual([knee?.clients, knee?.isAtLeast], [1_000, true]);
});

test('errors end a level as a long time does, and no good level gives no knee', () => {
  const search = new KneeSearch({ first: 100, most: 10_000, boundMs: 200, repeats: 0 });
  for (let next = search.next(); next !== undefined; next = search.next())
    search.take({ ...queueLevel(next, 1e6), errors: next > 1_500 ? 3 : 0 });
  assert.ok(
    (search.knee?.clients ?? 0) > 1_400 && (search.knee?.clients ?? 0) <= 1_700,
    `${search.knee?.clients}`,
  );
  const none = new KneeSearch({ first: 100, most: 10_000, boundMs: 200, repeats: 0 });
  for (let next = none.next(); next !== undefined; next = none.next())
    none.take({ ...queueLevel(next, 1e6), errors: 1 });
  assert.equal(none.knee, undefined);
});

test('least squares have no negative coefficients', () => {
  assert.deepEqual(
    fitNonNegative(
      [
        [1, 0],
        [0, 1],
        [1, 1],
      ],
      [2, 3, 5],
    ).map((value) => Math.round(value * 1e6) / 1e6),
    [2, 3],
  );
  // The best line of all falls.
  const [base = 0, slope = 0] = fitNonNegative(
    [
      [1, 1],
      [1, 2],
      [1, 3],
    ],
    [3, 2, 1],
  );
  assert.ok(base > 1 && slope === 0);
});

test('the scalability law is found again, with an interval that has the true throughput in it', () => {
  const law = (nodes: number) => (1000 * nodes) / (1 + 0.05 * (nodes - 1) + 0.002 * nodes * (nodes - 1));
  const exact = fitScalability([1, 2, 3].map((nodes) => ({ nodes, throughput: law(nodes) })));
  assert.ok(Math.abs(exact.sigma.value - 0.05) < 1e-6 && Math.abs(exact.kappa.value - 0.002) < 1e-6);
  assert.ok(Math.abs(exact.throughputOf(10).value / law(10) - 1) < 1e-6);
  const random = seededRandom(3);
  const noisy = fitScalability(
    [1, 1, 1, 2, 2, 2, 3, 3, 3].map((nodes) => ({ nodes, throughput: law(nodes) * (0.95 + random() * 0.1) })),
  );
  const { low, value, high } = noisy.throughputOf(5);
  assert.ok(low < value && value < high);
  assert.ok(low < law(5) * 1.03 && law(5) * 0.97 < high, `${low} ${law(5)} ${high}`);
});

test('nodes that get in each other’s way have a largest throughput, and no number of nodes has more', () => {
  const friction = fitScalability(
    [1, 2, 3].map((nodes) => ({ nodes, throughput: (100 * nodes) / (1 + 0.1 * nodes * (nodes - 1)) })),
  );
  assert.equal(friction.nodesFor(120), 2);
  assert.equal(friction.nodesFor(10_000), undefined);
});

/** Windows of a system whose costs are known. */
const TRUE = {
  base: 0.01,
  member: 0.03,
  peer: 0.001,
  socket: 2e-6,
  edit: 1e-4,
  delivery: 1e-5,
  open: 1e-3,
  megabyte: 0.004,
  hop: 5e-5,
};

function windowFor(
  nodes: number,
  sockets: number,
  edits: number,
  together: number,
  opens: number,
  bytes: number,
): Window {
  const deliveries = edits * together;
  const megabytes = (deliveries * bytes) / 1e6;
  const hops = edits * hopsOf(nodes, together);
  const cpu =
    nodes * TRUE.base +
    (nodes > 1 ? nodes * TRUE.member : 0) +
    nodes * (nodes - 1) * TRUE.peer +
    sockets * TRUE.socket +
    edits * TRUE.edit +
    deliveries * TRUE.delivery +
    opens * TRUE.open +
    megabytes * TRUE.megabyte +
    hops * TRUE.hop;
  const commits = edits === 0 ? 0 : 100 + edits / 20;
  const shared = { nodes, sockets, edits, deliveries, opens, megabytes, together, commits };
  return {
    ...shared,
    mainCpu: cpu,
    workersCpu: cpu / 2,
    loadCpu: cpu,
    foreignCpu: 0,
    postgresCpu: 0.01 + edits * 5e-5 + commits * 2e-4,
  };
}

const WINDOWS = [
  windowFor(1, 2000, 0, 10, 0, 100),
  windowFor(1, 500, 0, 10, 100, 100),
  windowFor(1, 200, 400, 1, 0, 100),
  windowFor(1, 400, 1600, 1, 0, 100),
  windowFor(1, 500, 100, 25, 0, 100),
  windowFor(1, 100, 100, 1, 0, 8000),
  windowFor(2, 2000, 0, 10, 0, 100),
  windowFor(2, 500, 100, 25, 0, 100),
  windowFor(2, 400, 800, 5, 0, 100),
  windowFor(3, 2000, 0, 10, 0, 100),
];

test('costs of an edit, a delivery, a socket, a byte and a hop are told apart by runs of different mixes, and so is a node in a cluster', () => {
  const { main, postgres, errors } = fitCosts(WINDOWS);
  for (const name of [
    'base',
    'member',
    'peer',
    'socket',
    'edit',
    'delivery',
    'open',
    'megabyte',
    'hop',
  ] as const)
    assert.ok(Math.abs(main[name] / TRUE[name] - 1) < 0.02, `${name}: ${main[name]}`);
  assert.ok(Math.abs(postgres.edit / 5e-5 - 1) < 0.02 && Math.abs(postgres.commit / 2e-4 - 1) < 0.02);
  assert.ok(errors.main < 1e-6);
});

test('without a run of three nodes the cost of a second one is that of a cluster, and does not grow with each node', () => {
  const { main } = fitCosts(WINDOWS.filter(({ nodes }) => nodes < 3));
  assert.equal(main.peer, 0);
  assert.ok(Math.abs(main.member / (TRUE.member + TRUE.peer) - 1) < 0.02, `${main.member}`);
});

const basis = {
  costs: fitCosts(WINDOWS),
  quietMs: 10,
  commitsPerEdit: 0.1,
  bytesPerNode: 2e8,
  bytesPerSocket: 2e4,
};
const machine: Deployment = {
  nodes: 1,
  workers: 3,
  processors: 4,
  postgresProcessors: 4,
  shared: undefined,
  sockets: undefined,
  memoryBytes: 8e9,
};
const client = { sockets: 1, edits: 0.1, together: 10, opens: 0, bytes: 100 };

test('the model is a queue at its busiest resource', () => {
  const { share } = kneeOf(basis, machine, client, 200);
  assert.ok(p95Of(basis, machine, scaled(client, share * 0.99)) < 200);
  assert.ok(p95Of(basis, machine, scaled(client, share * 1.01)) >= 200);
  const [busiest] = busyOf(basis, machine, scaled(client, share));
  assert.equal(busiest?.resource, 'main thread of a node');
  assert.ok(Math.abs((busiest?.utilisation ?? 0) - 0.95) < 0.01);
  const few = { ...machine, sockets: 500 };
  assert.deepEqual(kneeOf(basis, few, client, 200).resource, 'open files of a node');
  assert.ok(Math.abs(kneeOf(basis, few, client, 200).share - 500) < 1);
});

test('everything on one machine has less room than each on its own', () => {
  const alone = kneeOf(basis, machine, client, 200).share;
  const { share, resource } = kneeOf(basis, { ...machine, shared: 2 }, client, 200);
  assert.ok(share < alone);
  assert.equal(resource, 'processors of the machine, the load included');
});

test('the plan has one node to spare, a price, and more databases when one is too busy', () => {
  const scalability = fitScalability([1, 2, 3].map((nodes) => ({ nodes, throughput: nodes })));
  const perThousand = {
    commits: 50,
    rows: 100,
    walBytes: 1e5,
    storedBytesADay: 1e9,
    redisCommands: 9,
    redisBytes: 100,
  };
  const prices = { currency: 'EUR', node: 100, postgres: 200, redis: 50, storedGiB: 0 };
  const input = {
    basis,
    deployment: machine,
    client,
    editorsAClient: 1,
    boundMs: 200,
  };
  const { editorsANode, rows, givesOutFirst } = planOf({ ...input, scalability, perThousand, prices });
  assert.equal(givesOutFirst, 'main thread of a node');
  const [ten, hundred] = rows;
  assert.equal(ten?.nodesByLaw, Math.ceil(10_000 / editorsANode.value));
  assert.equal(ten?.nodes, Math.max(ten?.nodesByLaw ?? 0, ten?.nodesByModel ?? 0));
  assert.equal(ten?.nodesWithSpare, (ten?.nodes ?? 0) + 1);
  assert.equal(ten?.price, 100 * (ten?.nodesWithSpare ?? 0) + 200 * (ten?.postgres ?? 0) + 50);
  assert.ok((hundred?.nodes ?? 0) > (ten?.nodes ?? 0));
  assert.equal(hundred?.storedBytesADay, 1e11);
  const busy = planOf({ ...input, scalability, perThousand, prices, editors: [1_000_000] });
  assert.ok((busy.rows[0]?.postgres ?? 0) > 1 && (busy.rows[0]?.postgresUtilisation ?? 1) <= 0.7);
});

test('where the law has no number of nodes, the plan has that of the model, and none where the model has none', () => {
  // An edit is dearer by half from two nodes on, and no more with a third.
  const dearer = fitScalability(
    [1, 2 / 1.5, 3 / 1.5].map((throughput, index) => ({ nodes: index + 1, throughput })),
  );
  const input = { basis, deployment: machine, client, editorsAClient: 1, boundMs: 200, scalability: dearer };
  const more = { perThousand: undefined, prices: undefined };
  const { rows } = planOf({ ...input, ...more, editors: [1_000_000] });
  const [many] = rows;
  assert.equal(many?.nodesByLaw, undefined);
  assert.ok(many?.nodes !== undefined && many.nodes === many.nodesByModel);
  const demand = scaled(client, 1_000_000);
  const enough = { ...machine, postgresProcessors: 1e9 };
  assert.ok(p95Of(basis, { ...enough, nodes: many.nodes }, demand) < 200);
  assert.ok(p95Of(basis, { ...enough, nodes: many.nodes - 1 }, demand) >= 200);
  const oneRow = planOf({ ...input, ...more, editors: [1e15] }).rows[0];
  assert.deepEqual([oneRow?.nodes, oneRow?.nodesWithSpare, oneRow?.busiest], [undefined, undefined, '']);
});

test('a run of the costs that other programs disturb is made again, and the least disturbed counts', async () => {
  const made = async (...foreign: number[]): Promise<[counted: number | undefined, runs: number]> => {
    const lines: string[] = [];
    const base = windowFor(1, 100, 100, 1, 0, 100);
    const { window } = await leastDisturbed(
      { signal: new AbortController().signal, onPhase: (line) => lines.push(line) },
      'costs.',
      async () => ({ window: { ...base, foreignCpu: foreign[lines.length - 1] ?? 0 } }),
    );
    return [window.foreignCpu, lines.length];
  };
  assert.deepEqual(await made(0.1), [0.1, 1]);
  assert.deepEqual(await made(1.3, 0.2), [0.2, 2]);
  assert.deepEqual(await made(0.9, 0.6, 0.7, 0.8, 0), [0.6, 4]);
});

/** Sums of the same numbers in another order differ in their last digits. */
const rounded = (plan: unknown): unknown =>
  JSON.parse(JSON.stringify(plan), (_key, value: unknown) =>
    typeof value === 'number' ? Number(value.toPrecision(9)) : value,
  );

test('a plan is made again from the measurements of an earlier run, which are also there when it ended too early', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-plan-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const at = (name: string) => join(folder, name);
  const knee = { clients: 4_000, edits: 400, low: 3_900, high: 4_100, isAtLeast: false };
  const windows = [windowFor(1, 2_000, 200, 10, 0, 100), windowFor(1, 4_000, 400, 10, 0, 100)];
  const levels = windows.map((window) => ({
    clients: window.sockets,
    asked: window.edits,
    committed: window.edits,
    p95Ms: 50,
    errors: 0,
    window,
    walBytes: 1e5,
    storedBytes: 1e5,
    rows: 300,
    redisCommands: undefined,
    redisBytes: undefined,
  }));
  const { scenario: settings } = readScenario('busy');
  const measured: CapacityMeasured = {
    format: CAPACITY_FORMAT,
    scenario: 'busy',
    settings,
    startedAt: new Date().toISOString(),
    isInterrupted: true,
    measurements: {
      machine: { processors: 2, sockets: 20_000, memoryBytes: 8e9 },
      isElsewhere: false,
      searches: [1, 2].map((pass) => ({ nodes: 1, pass, knee, levels, violations: 0 })),
      costWindows: WINDOWS,
      quiet: { residentBytes: 2e8, p95Ms: 10 },
      takeover: { longestMs: 1_300, lateSeconds: 0.2 },
    },
  };
  writeFileSync(at('old.json'), JSON.stringify(measured));
  const planned = (price: number): CapacityResult => {
    const prices = { currency: 'EUR', node: price, postgres: 0, redis: 0, storedGiB: 0 };
    const files = { report: at('plan.html'), json: at('plan.json') };
    const code = planAgain(at('old.json'), { name: 'busy', prices, nodeProcessors: 4 }, files);
    assert.equal(code, 130, 'searches are missing');
    return JSON.parse(readFileSync(at('plan.json'), 'utf8'));
  };
  const [cheap, dear] = [planned(10), planned(20)];
  assert.deepEqual(cheap.measurements, JSON.parse(JSON.stringify(measured.measurements)));
  const [one, two] = [cheap.plan?.rows[0], dear.plan?.rows[0]];
  assert.ok((one?.nodesWithSpare ?? 0) > 1);
  assert.equal(one?.price, 10 * (one?.nodesWithSpare ?? 0));
  assert.equal(two?.price, 2 * (one?.price ?? 0));
  const page = readFileSync(at('plan.html'), 'utf8');
  assert.match(page, /^<!doctype html>/);
  // The searches of the two passes are the same here.
  assert.equal(cheap.passPlans.length, 2);
  for (const plan of cheap.passPlans) assert.deepEqual(rounded(plan), rounded(cheap.plan));
  assert.ok(page.includes(`Nodes for 10000 editors from each pass alone: ${one?.nodes}, ${one?.nodes}.`));
  assert.equal(cheap.beyond?.withoutOne.takeoverMs, 1_300);
  assert.match(
    page,
    /1\.3 s, the longest time of an edit .* the load itself was late in 20 % of the seconds/,
  );
  const again = { name: 'office', prices: undefined, nodeProcessors: undefined };
  const files = { report: at('x.html'), json: at('x.json') };
  assert.throws(() => planAgain(at('old.json'), again, files), /has measurements of the scenario busy/);
  writeFileSync(at('other.json'), '{}');
  assert.throws(() => planAgain(at('other.json'), again, files), /no measurements of a search/);
});
