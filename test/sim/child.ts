// A child of children.ts: runs the seeds that it is sent, one after the other, and reports each run.
import type { Task, Told } from './children.ts';
import { runSeed } from './run.ts';

process.on('message', (task: Task) => {
  serve(task).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});

// The parent was killed, so no process waits for a report.
process.on('disconnect', () => process.exit());

async function serve({ seeds, seconds, mutation }: Task): Promise<void> {
  for (const seed of seeds) {
    const result = await runSeed({ seed, seconds, ...(mutation === undefined ? {} : { mutation }) });
    process.send?.({ ...result, counts: [...result.counts] } satisfies Told);
  }
}
