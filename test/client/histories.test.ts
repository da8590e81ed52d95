// Thousands of random histories against the simulated server. FUZZ_RUNS multiplies their number.
import { test } from 'node:test';
import type { KindName } from '../../client/index.ts';
import { type HistoryOptions, ROUGH, runHistory } from './histories.ts';

const RUNS = 12 * Number(process.env.FUZZ_RUNS ?? 1);
const FIRST_SEED = Number(process.env.FUZZ_SEED ?? 1);
const KINDS: readonly KindName[] = ['rich-text', 'json', 'yjs'];

function histories(title: string, options: Omit<HistoryOptions, 'seed' | 'kind'>): void {
  for (const kind of KINDS) {
    test(`${kind}: ${title}`, () => {
      for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
        try {
          runHistory({ ...options, kind, seed });
        } catch (error) {
          throw new Error(`seed ${seed} of ${JSON.stringify({ ...options, kind })}`, { cause: error });
        }
      }
    });
  }
}

histories('clients on a good network converge, and views follow change events', {});
histories('clients converge through drops, restarts, refusals, snapshots and time offline', {
  faults: ROUGH,
});
histories('what was called saved is in the log exactly once, and nothing is lost unless reported', {
  audit: true,
  faults: ROUGH,
});
histories('clients converge after the document was rewound to another life', {
  rewinds: true,
  faults: { ...ROUGH, reject: 0 },
});
histories('clients converge when the server has forgotten them and trimmed the history', {
  audit: true,
  trims: true,
  faults: ROUGH,
});
