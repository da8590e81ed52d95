// A child of children.ts: runs the seeds that it is sent, one after the other, and tells of each.
import type { Task, Told } from './children.ts';
import { runSeed } from './run.ts';

process.on('message', (task: Task) => {
  serve(task).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});

// Nobody is left to be told: the parent was killed.
process.on('disconnect', () => process.exit());

async function serve({ seeds, seconds, mutation }: Task): Promise<void> {
  for (const seed of seeds) {
    const result = await runSeed({ seed, seconds, ...(mutation === undefined ? {} : { mutation }) });
    process.send?.({ ...result, counts: [...result.counts] } satisfies Told);
  }
}
