// `npm run work`: the processor time that costly patches of each kind take on this machine beside what
// `DocumentKind.work` estimates, and whether `commit` refuses them with the default limits. The constants
// of the estimates are chosen by this table. It needs no server.

import { examples } from '../../config/command-line/command-line.ts';
import { type JsonState, jsonKind } from '../../kinds/json/json.ts';
import type { Applied, DocumentKind, KindLimits } from '../../kinds/kind.ts';
import { richTextKind } from '../../kinds/rich-text/rich-text.ts';
import { yjsKind } from '../../kinds/yjs/yjs.ts';
import type { Wire } from '../../protocol/messages.ts';
import { UsageError } from '../command-line/cli-options.ts';
import { runTool, toolCommand } from '../command-line/command.ts';
import { WORK_CASES, type WorkCase } from './work-cases.ts';

const command = toolCommand('work')
  .description('List the measured time of costly patches beside the estimated time. It needs no server.')
  .option('--filter <TEXT>', 'only cases whose name contains TEXT (default: all)')
  .addHelpText('after', examples('npm run work -- --filter json'));

const LIMITS: KindLimits = { documentBytes: 16 * 1024 * 1024, depth: 100, workMs: 50 };
/** No limit, so that patches above the limit are timed too. */
const UNBOUNDED: KindLimits = { ...LIMITS, workMs: Number.POSITIVE_INFINITY };
const ROUNDS = 3;

await runTool(command, async (signal) => {
  const { filter = '' } = command.opts();
  const cases = WORK_CASES.filter(({ name }) => name.includes(filter));
  if (cases.length === 0) throw new UsageError(`no case has ${JSON.stringify(filter)} in its name`);
  process.stdout.write(row('case', 'estimate', 'took', 'refusing', 'answer'));
  for (const each of cases) {
    // A signal arrives between two cases.
    await new Promise((resolve) => setImmediate(resolve));
    if (signal.aborted) break;
    process.stdout.write(measured(each));
  }
  return 0;
});

function row(...cells: readonly string[]): string {
  return `${cells.map((cell, i) => (i === 0 ? cell.padEnd(64) : cell.padStart(12))).join('')}\n`;
}

function measured(each: WorkCase): string {
  switch (each.kind) {
    case 'json':
      return measure<JsonState, Parameters<typeof jsonKind.wire>[0], unknown>(jsonKind, each);
    case 'rich-text':
      return measure(richTextKind, each);
    case 'yjs':
      return measure(yjsKind, each);
    default:
      throw new Error(each.kind satisfies never);
  }
}

/** The best of ROUNDS: parsing, committing and encoding without the limit, then the answer with the limit. */
function measure<State, Op, Undo>(kind: DocumentKind<State, Op, Undo>, { name, ...each }: WorkCase): string {
  let took = Number.POSITIVE_INFINITY;
  let answering = Number.POSITIVE_INFINITY;
  let estimate = 0;
  let answer = '';
  for (let round = 0; round < ROUNDS; round++) {
    const past: Op[] = [];
    const undos: Undo[] = [];
    const state = kind.load(each.document());
    for (const wire of each.past()) {
      const { op, undo } = committed(kind, state, wire);
      past.push(op);
      undos.push(undo);
    }
    const patch = each.patch();
    const begun = cpuMs();
    const op = parsed(kind, patch);
    const { transformMs, applyMs } = kind.work(op, past);
    estimate = transformMs + applyMs;
    const limited = kind.commit(state, op, past, LIMITS, { undos });
    if (limited.ok) encoded(kind.wire(limited.value.op));
    answering = Math.min(answering, cpuMs() - begun);
    answer = limited.ok ? 'committed' : limited.code;
    if (limited.ok) kind.revert(state, limited.value.undo);
    const again = cpuMs();
    const result = kind.commit(state, parsed(kind, patch), past, UNBOUNDED, { undos });
    if (result.ok) encoded(kind.wire(result.value.op));
    took = Math.min(took, cpuMs() - again);
  }
  return row(name, ms(estimate), ms(took), ms(answering), answer);
}

/** The patch as the log stores it. */
function encoded(op: Wire): Wire {
  return op instanceof Uint8Array ? op : JSON.stringify(op);
}

/** Time of this process alone, so that neighbours on the machine do not count. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function ms(time: number): string {
  return `${time.toFixed(1)} ms`;
}

function parsed<State, Op, Undo>(kind: DocumentKind<State, Op, Undo>, wire: Wire): Op {
  const result = kind.parse(wire, UNBOUNDED);
  if (!result.ok) throw new Error(result.message);
  return result.value;
}

function committed<State, Op, Undo>(
  kind: DocumentKind<State, Op, Undo>,
  state: State,
  wire: Wire,
): Applied<Op, Undo> {
  const result = kind.commit(state, parsed(kind, wire), [], UNBOUNDED);
  if (!result.ok) throw new Error(result.message);
  return result.value;
}
