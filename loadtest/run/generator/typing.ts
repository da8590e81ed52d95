// When an editor types, and for a recorded trace also the text. Determined by the random numbers alone; never
// by answers. Times are those of typing at the factor 1.
import { z } from 'zod';
import type { Random } from '../../clients/random-edits.ts';
import { UsageError } from '../../command-line/cli-options.ts';
import { readTraceFile } from '../../replay/trace.ts';
import type { Scenario } from '../../scenarios/scenario.ts';

/** One edit of a recorded trace. */
export interface Stroke {
  /** Time after the stroke before it. */
  readonly afterMs: number;
  /** Characters by which the cursor moves from the end of the stroke before it. */
  readonly move: number;
  readonly deleted: number;
  readonly inserted: string;
}

/** The endless sequence of one editor's edits. */
export interface Typing {
  /** `afterMs`: time after the edit before. `stroke`: what a trace types. */
  next(): { readonly afterMs: number; readonly stroke?: Stroke };
}

export function typingOf(
  options: Scenario['typing'],
  strokes: readonly Stroke[] | undefined,
  random: Random,
): Typing {
  const { model, everyMs } = options;
  switch (model) {
    case 'even': {
      let isFirst = true;
      return {
        next: () => {
          // Editors begin at different moments, or all edits would fall on the same one.
          const afterMs = isFirst ? random() * everyMs : everyMs;
          isFirst = false;
          return { afterMs };
        },
      };
    }
    case 'random':
      return { next: () => ({ afterMs: exponential(random, everyMs) }) };
    case 'bursts':
      return bursts(options, random);
    case 'trace':
      return fromTrace(strokes ?? [], random);
  }
}

/** Bursts have a geometric number of edits. The pauses between them make the mean come out at `everyMs`. */
function bursts({ everyMs, burstEdits, burstEveryMs }: Scenario['typing'], random: Random): Typing {
  const pauseMs = burstEdits * everyMs - (burstEdits - 1) * burstEveryMs;
  let isFirst = true;
  return {
    next: () => {
      if (isFirst) {
        isFirst = false;
        return { afterMs: exponential(random, pauseMs) };
      }
      const goesOn = random() < 1 - 1 / burstEdits;
      return { afterMs: goesOn ? burstEveryMs : exponential(random, pauseMs) };
    },
  };
}

/** The trace from a place of its own on, and again from the beginning. */
function fromTrace(strokes: readonly Stroke[], random: Random): Typing {
  let place = Math.floor(random() * strokes.length);
  return {
    next: () => {
      const stroke = strokes[place % strokes.length];
      if (stroke === undefined) throw new RangeError('the trace is empty');
      place += 1;
      return { afterMs: stroke.afterMs, stroke };
    },
  };
}

const exponential = (random: Random, mean: number): number => -Math.log(1 - random()) * mean;

/** Longest pause that is kept of a trace: its author was away during longer ones. */
const MOST_PAUSE_MS = 60_000;
/** Time between two edits of a trace without times. */
const UNTIMED_MS = 200;
/** Longest text of one edit, so that its frame stays below the limits in every encoding. */
const MOST_INSERTED = 10_000;

const traceFile = z.object({
  txns: z
    .array(
      z.object({
        time: z.string().optional(),
        patches: z.array(z.tuple([z.int().min(0), z.int().min(0), z.string()])),
      }),
    )
    .min(1),
});

/** Throws UsageError for a file that is no trace. */
export async function readStrokes(path: string): Promise<readonly Stroke[]> {
  let value: unknown;
  try {
    value = await readTraceFile(path);
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  const parsed = traceFile.safeParse(value);
  if (!parsed.success) throw new UsageError(`${path} is no trace: it has no list of txns with patches`);
  const strokes = strokesOf(parsed.data.txns);
  if (strokes.length === 0) throw new UsageError(`${path} is a trace without edits`);
  return strokes;
}

type Txns = z.infer<typeof traceFile>['txns'];

/** Recorded times are often whole seconds: transactions of the same time are spread up to the next time. */
export function strokesOf(txns: Txns): Stroke[] {
  const times = txns.map(({ time }) => (time === undefined ? Number.NaN : Date.parse(time)));
  const strokes: Stroke[] = [];
  let end = 0;
  for (let from = 0; from < txns.length; ) {
    let to = from + 1;
    while (to < txns.length && times[to] === times[from]) to += 1;
    const untilNext = (times[to] ?? Number.NaN) - (times[from] ?? Number.NaN);
    const isTimed = Number.isFinite(untilNext) && untilNext > 0;
    const afterMs = isTimed ? Math.min(MOST_PAUSE_MS, untilNext) / (to - from) : UNTIMED_MS;
    for (const { patches } of txns.slice(from, to)) {
      for (const [index, [position, deleted, inserted]] of patches.entries()) {
        const text = plain(inserted);
        strokes.push({
          afterMs: index === 0 ? afterMs : 0,
          move: position - end,
          deleted,
          inserted: text,
        });
        end = position + text.length;
      }
    }
    from = to;
  }
  return strokes;
}

/** Every character has one UTF-16 unit, so that no edit can cut one in two. */
const plain = (text: string): string => text.slice(0, MOST_INSERTED).replace(/[\ud800-\udfff]+/g, '?');
