// The measurements of the capacity test: what an edit, a delivery, a socket and a byte cost, the knees with one, two, … nodes, each more
// than once, and the time of a takeover.
import { availableParallelism, totalmem } from 'node:os';
import type { Window } from '../model/costs.ts';
import { runLoadTest } from '../run/load-test.ts';
import type { LoadResult, SocketMemory } from '../run/result.ts';
import { mostSockets } from '../run/servers/open-files.ts';
import { type Target, withTarget } from '../run/servers/target.ts';
import type { NamedScenario } from '../scenarios/read-scenario.ts';
import { COST_RUNS, PEER_RUNS, TAKEOVER_RUN, windowOfRun } from './cost-runs.ts';
import { DISTURBING_CPU, type Search, type SearchOptions, search } from './level-search.ts';

export interface MeasureOptions extends SearchOptions {
  /** URLs of running nodes; empty: the test starts one node, then two, up to `nodes`. */
  readonly urls: readonly string[];
  readonly nodes: number;
  /** How often each knee is searched. */
  readonly passes: number;
}

export interface Measurements {
  readonly machine: Machine;
  /** Whether the nodes ran already, maybe on other machines. */
  readonly isElsewhere: boolean;
  readonly searches: readonly Search[];
  readonly costWindows: readonly Window[];
  readonly quiet: Quiet;
  /** The run in which a node was killed and edits took longest; undefined: there was none. */
  readonly takeover?: MeasuredTakeover | undefined;
}

export interface MeasuredTakeover {
  /** Longest time of an edit, ms. A late load has only made it longer. */
  readonly longestMs: number;
  /** Share of the seconds in which the load itself was late. */
  readonly lateSeconds: number;
}

/** The machine of the test. */
export interface Machine {
  readonly processors: number;
  /** Most sockets of a process; undefined: no limit known. */
  readonly sockets?: number | undefined;
  readonly memoryBytes: number;
}

/** Most repetitions of a run that other programs disturb. */
const MOST_DISTURBED = 3;

/** Figures of the cost runs for a node that has little to do. */
export interface Quiet {
  readonly memory?: SocketMemory | undefined;
  readonly residentBytes: number;
  readonly p95Ms?: number | undefined;
}

/** `onMeasured` gets everything so far after each search. */
export async function measureCapacity(
  options: MeasureOptions,
  boundMs: number,
  onMeasured: (soFar: Measurements) => void = () => undefined,
): Promise<Measurements> {
  const { urls, nodes, token, passes, signal, onPhase } = options;
  const counts = urls.length > 0 ? [urls.length] : Array.from({ length: nodes }, (_, index) => index + 1);
  const machine = { processors: availableParallelism(), sockets: mostSockets(), memoryBytes: totalmem() };
  const searches: Search[] = [];
  const costWindows: Window[] = [];
  let takeover: MeasuredTakeover | undefined;
  let quiet: Quiet = { residentBytes: 0 };
  const soFar = () => ({ machine, isElsewhere: urls.length > 0, searches, costWindows, quiet, takeover });
  for (let pass = 1; pass <= passes; pass++) {
    for (const count of counts) {
      if (signal.aborted) break;
      await withTarget({ urls, nodes: count, token }, async (target) => {
        if (pass === 1 && target.nodes.length > 0) {
          for (const run of count <= 2 ? COST_RUNS : PEER_RUNS) {
            if (signal.aborted) return;
            const what = `costs with ${count} node(s): ${run.scenario.description}`;
            const { result, window } = await leastDisturbed(options, what, async () => {
              const result = await quietRun(options, run, target);
              return { result, window: windowOfRun(result, count) };
            });
            if (window !== undefined) costWindows.push(window);
            if (run.name === 'sockets' && count === 1)
              quiet = { ...quiet, memory: result.memory, residentBytes: result.usage?.residentBytes ?? 0 };
            if (run.name === 'edits' && count === 1) quiet = { ...quiet, p95Ms: result.times.commit.p95 };
          }
        }
        const before = searches.find((search) => search.nodes === count)?.knee;
        searches.push(await search(options, target, { count, pass, boundMs, before }));
        onMeasured(soFar());
        if (pass > 1 || count < 2 || target.nodes.length === 0 || signal.aborted) return;
        onPhase(`takeover with ${count} nodes: ${TAKEOVER_RUN.scenario.description}`);
        const lost = await quietRun(options, TAKEOVER_RUN, target);
        const longestMs = lost.times.commit.max;
        if (longestMs > (takeover?.longestMs ?? 0))
          takeover = { longestMs, lateSeconds: lost.generator.lateSeconds };
        onMeasured(soFar());
      });
    }
  }
  return soFar();
}

/** Makes a run of the costs, and again while other programs use the processors. Returns the one in which they used least. */
export async function leastDisturbed<Run extends { readonly window: Window | undefined }>(
  { signal, onPhase }: Pick<MeasureOptions, 'signal' | 'onPhase'>,
  what: string,
  run: () => Promise<Run>,
): Promise<Run> {
  onPhase(what);
  const foreign = ({ window }: Run): number => window?.foreignCpu ?? 0;
  let best = await run();
  for (let again = 1; foreign(best) > DISTURBING_CPU && again <= MOST_DISTURBED && !signal.aborted; again++) {
    onPhase(`${what} Other programs disturbed this run; it is made again`);
    const next = await run();
    if (foreign(next) < foreign(best)) best = next;
  }
  return best;
}

function quietRun(options: MeasureOptions, run: NamedScenario, target: Target): Promise<LoadResult> {
  const { token, org, processes, signal } = options;
  return runLoadTest({ ...run, target, token, org, processes, signal });
}
