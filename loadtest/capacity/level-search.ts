// One search of a knee: a load of many levels on one target, and the figures of each level.
import type { Window } from '../model/costs.ts';
import { runLoadTest } from '../run/load-test.ts';
import { mostSockets } from '../run/servers/open-files.ts';
import type { Target } from '../run/servers/target.ts';
import type { MeasuredStretch, SteeredLoad } from '../run/steering.ts';
import type { NamedScenario } from '../scenarios/read-scenario.ts';
import { resize } from '../scenarios/resize.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { windowFrom } from './cost-runs.ts';
import { isGood, type Knee, KneeSearch, type Level } from './knee.ts';

export interface SearchOptions extends NamedScenario {
  readonly token: string | undefined;
  readonly org: string;
  readonly processes: number | undefined;
  /** Most clients of a level. */
  readonly most: number;
  /** Seconds of a level. */
  readonly levelSeconds: number;
  readonly signal: AbortSignal;
  readonly onPhase: (line: string) => void;
}

const REPEATS = 2;
/** Clients of the first level, as a share of the most. */
const FIRST_SHARE = 1 / 32;
/** Seconds in which a new number of clients settles, and the longest time beyond them. */
const SETTLE_SECONDS = 2;
const MOST_SETTLE_SECONDS = 5;
/** Processors that other programs may use while a level fails. Above this the level is measured again, this often in a search. */
export const DISTURBING_CPU = 0.25;
const MOST_DISTURBED = 6;
/** A level, and what it used; undefined where the nodes were not read. */
export interface MeasuredLevel extends Level {
  readonly window: Window | undefined;
  readonly walBytes: number | undefined;
  readonly storedBytes: number | undefined;
  readonly rows: number | undefined;
  readonly redisCommands: number | undefined;
  readonly redisBytes: number | undefined;
}

export interface Search {
  readonly nodes: number;
  readonly pass: number;
  readonly knee: Knee | undefined;
  readonly levels: readonly MeasuredLevel[];
  /** Broken promises that the checker found after it. */
  readonly violations: number;
}

/** Searches the knee of a target, and checks everything afterwards. */
export async function search(
  options: SearchOptions,
  target: Target,
  {
    count,
    pass,
    boundMs,
    before,
  }: { count: number; pass: number; boundMs: number; before: Knee | undefined },
): Promise<Search> {
  const { scenario, token, org, processes, levelSeconds, signal, onPhase } = options;
  const { editors, readers } = scenario.clients;
  const room = Math.min(options.most, (mostSockets() ?? options.most) * Math.max(1, target.urls.length));
  const share = room / (editors + readers);
  const forever = {
    stages: [{ lastsMs: FOREVER_MS, change: 'step' as const, clients: 1, typing: 1 }],
    faults: [],
  };
  const criteria = {
    ...scenario.criteria,
    commitP95Ms: null,
    edits: 0,
    achieved: 0.01,
    errors: null,
    lostConnections: null,
  };
  const sized = resize({ ...scenario, ...forever, criteria }, { share });
  const total = sized.clients.editors + sized.clients.readers;
  const together = total / sized.documents.count;
  // The second search begins near the knee of the first.
  const wanted = before === undefined ? total * FIRST_SHARE : before.clients / 2;
  const first = Math.min(total, Math.max(enoughFor(sized, levelSeconds), Math.round(wanted)));
  const knee = new KneeSearch({ first, most: total, boundMs, repeats: REPEATS });
  const levels: MeasuredLevel[] = [];
  const measured = async (load: SteeredLoad, clients: number): Promise<MeasuredLevel> => {
    // The work that an earlier level left undone is no load of this level.
    await load.rest();
    await load.setClients(clients);
    load.goOn();
    await settle(load, boundMs);
    return levelOf(clients, await load.measure(levelSeconds), { nodes: count, together });
  };
  const steer = async (load: SteeredLoad): Promise<void> => {
    let disturbed = 0;
    for (let next = knee.next(); next !== undefined && !signal.aborted; next = knee.next()) {
      const level = await measured(load, next);
      onPhase(levelLine(count, pass, level, boundMs));
      // Once more, if other programs may have been the reason.
      const { foreignCpu = 0 } = level.window ?? {};
      if (!isGood(level, boundMs) && foreignCpu > DISTURBING_CPU && disturbed++ < MOST_DISTURBED) {
        onPhase(
          `${count} node(s), search ${pass}: other programs disturbed this level; it is measured again`,
        );
        continue;
      }
      knee.take(level);
      levels.push(level);
    }
  };
  const result = await runLoadTest({
    name: options.name,
    scenario: sized,
    target,
    token,
    org,
    processes,
    signal,
    steering: { first, steer },
  });
  const { violations } = result.checked;
  onPhase(kneeLine(count, pass, knee.knee, violations));
  return { nodes: count, pass, knee: knee.knee, levels, violations };
}

/** Fewest clients whose edits during a level are enough for a percentile. */
function enoughFor({ clients, typing }: Scenario, levelSeconds: number): number {
  const editors = clients.editors / (clients.editors + clients.readers);
  return Math.ceil((EDITS_A_LEVEL * typing.everyMs) / 1000 / levelSeconds / Math.max(editors, 0.001));
}

const EDITS_A_LEVEL = 40;
const FOREVER_MS = 30 * 24 * 3_600_000;

/** Waits until the new clients have their documents and edits take their usual time. */
async function settle(load: SteeredLoad, boundMs: number): Promise<void> {
  await load.measure(SETTLE_SECONDS);
  for (let waited = 0; waited < MOST_SETTLE_SECONDS; waited++) {
    const { times } = await load.measure(1);
    // A level that is too much itself becomes slower and slower.
    if (times.commit.p95 < boundMs || times.commit.p95 > 5 * boundMs) return;
  }
}

function levelOf(
  clients: number,
  { seconds, times, errors, usage }: MeasuredStretch,
  { nodes, together }: { nodes: number; together: number },
): MeasuredLevel {
  const sum = (of: (second: (typeof seconds)[number]) => number) =>
    seconds.reduce((total, second) => total + of(second), 0);
  const length = Math.max(1, seconds.length);
  const happened = {
    nodes,
    seconds: length,
    sockets: sum((second) => second.clients) / length,
    committed: sum(({ counts }) => counts.committed),
    delivered: sum(({ counts }) => counts.delivered),
    opens: times.open.count,
    bytesReceived: sum(({ counts }) => counts.bytesReceived),
    together,
    loadCpu: sum(({ generator }) => generator.cpu) / length,
  };
  return {
    clients,
    asked: sum(({ counts }) => counts.asked) / length,
    committed: happened.committed / length,
    p95Ms: times.commit.p95,
    errors,
    window: windowFrom(happened, usage),
    walBytes: usage?.postgres?.walBytes,
    storedBytes: usage?.postgres?.storedBytes,
    rows: usage?.postgres?.rows,
    redisCommands: usage?.redis?.commands,
    redisBytes: usage?.redis?.bytes,
  };
}

function levelLine(nodes: number, pass: number, level: MeasuredLevel, boundMs: number): string {
  const { clients, asked, committed, p95Ms, errors, window } = level;
  const cpu =
    window === undefined
      ? ''
      : `  CPU: nodes ${(window.mainCpu + window.workersCpu).toFixed(2)}, PostgreSQL ${window.postgresCpu.toFixed(2)}, load ${window.loadCpu.toFixed(2)}, other programs ${window.foreignCpu.toFixed(2)}`;
  const sign = isGood(level, boundMs) ? 'holds ' : 'too much';
  return `${nodes} node(s), search ${pass}: ${clients} clients  ${committed.toFixed(0)} of ${asked.toFixed(0)} edits/s  p95 ${p95Ms.toFixed(0)} ms  errors ${errors}${cpu}  ${sign}`;
}

function kneeLine(nodes: number, pass: number, knee: Knee | undefined, violations: number): string {
  const found =
    knee === undefined
      ? 'no level held'
      : `the knee is at ${knee.isAtLeast ? 'least ' : ''}${knee.clients} clients (${knee.low} to ${knee.high}), ${knee.edits.toFixed(0)} edits/s`;
  return `${nodes} node(s), search ${pass}: ${found}; broken promises: ${violations}`;
}
