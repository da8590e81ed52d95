// `npm run revocations`: the time from a revocation at one node to the end of the user's sockets at the other node of a
// cluster, with Redis and without it.
import { examples, wholeNumber } from '../../config/command-line/command-line.ts';
import { lasted, runTool, toolCommand } from '../../loadtest/command-line/command.ts';
import { startTestPostgres } from '../support/postgres.ts';
import { type Ends, SOCKETS, startRevocations } from './revocations.ts';

/** docs/protocol.md, REVOKE-3. */
const WITH_REDIS_MS = 1_000;
const WITHOUT_REDIS_MS = 5_000;
/** Longer than the time between two looks of a node, so that revocations fall at all times between two. */
const MOST_PAUSE_MS = 2_500;

const command = toolCommand('revocations')
  .description(
    'Measure how soon a revocation at one node ends the sockets at another, with Redis and without it.',
  )
  .option('--rounds <N>', 'users that are revoked, with Redis and again without', wholeNumber(1), 20)
  .addHelpText('after', examples('npm run revocations -- --rounds 5'));

await runTool(command, async (signal) => {
  const closers: (() => unknown)[] = [];
  const t = { after: (close: () => Promise<void>) => void closers.push(close) };
  try {
    const postgres = await startTestPostgres();
    closers.push(() => postgres.stop());
    const revocations = await startRevocations(t, postgres.url);
    const measured = async (): Promise<readonly Ends[]> => {
      const ends: Ends[] = [];
      while (ends.length < command.opts().rounds && (await lasted(Math.random() * MOST_PAUSE_MS, signal)))
        ends.push(await revocations.round());
      return ends;
    };
    const isPrompt = report('with Redis', await measured(), WITH_REDIS_MS);
    await revocations.killRedis();
    const isPromptWithout = report('with Redis killed', await measured(), WITHOUT_REDIS_MS);
    return isPrompt && isPromptWithout ? 0 : 1;
  } finally {
    for (const close of closers.reverse()) await close();
  }
});

/** Whether each socket ended in time. */
function report(title: string, ends: readonly Ends[], mostMs: number): boolean {
  let isPrompt = true;
  for (const kind of SOCKETS) {
    const times = ends.map((each) => each[kind]).toSorted((one, other) => one - other);
    const max = times.at(-1) ?? 0;
    const median = times[Math.ceil(times.length / 2) - 1] ?? 0;
    process.stdout.write(
      `${title}: ${kind} ended after ${median.toFixed(0)} ms (p50), ${max.toFixed(0)} ms (max of ${times.length}); at most ${mostMs} ms\n`,
    );
    isPrompt &&= max <= mostMs;
  }
  return isPrompt;
}
