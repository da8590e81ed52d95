// `troupe cluster release DOC`: asks all nodes to return a quarantined document to service and to forget its
// failures, and waits until each has answered. It neither reads nor changes the document.
import { pause, systemClock } from '../../../actors/clock.ts';
import { encodeOperatorEvent, operatorEvent } from '../../../cluster/operator-events.ts';
import { EXIT, type ExitCode, StartError } from '../../../config/fatal.ts';
import type { Config } from '../../../config/schema.ts';
import { showDuration } from '../../../config/units.ts';
import { withCluster } from '../database.ts';
import { type Output, plural } from '../output.ts';
import { readNodes } from './nodes.ts';

export interface ReleaseOptions {
  readonly doc: string;
  readonly timeoutMs: number;
}

const LOOK_EVERY_MS = 50;
/** The question is repeated after so many looks, because it or its answer may be lost. */
const LOOKS_PER_QUESTION = 10;

export function release(config: Config, { doc, timeoutMs }: ReleaseOptions, io: Output): Promise<ExitCode> {
  return withCluster(config, async (store) => {
    /** By run: whether the document was quarantined there at the first question. */
    const answers = new Map<string, boolean>();
    const events = await store.listen({
      onEvent: (text) => {
        const event = operatorEvent(text);
        if (event?.type === 'released' && event.doc === doc && !answers.has(event.run))
          answers.set(event.run, event.wasQuarantined);
      },
      onGap: () => undefined,
    });
    try {
      const until = systemClock.now() + timeoutMs;
      for (let look = 0; ; look++) {
        const nodes = await readNodes(store);
        if (nodes.length === 0) throw new StartError('no node runs');
        const silent = nodes.filter(({ run }) => !answers.has(run)).map(({ node }) => node);
        if (silent.length === 0) break;
        if (systemClock.now() >= until)
          throw new StartError(
            `no answer within ${showDuration(timeoutMs)} from ${silent.join(', ')}; the other nodes have released ${doc}`,
          );
        if (look % LOOKS_PER_QUESTION === 0)
          await store.notify(encodeOperatorEvent({ type: 'release', doc }));
        await pause(systemClock, LOOK_EVERY_MS);
      }
    } finally {
      await events.close();
    }
    const released = [...answers.values()].filter(Boolean).length;
    io.stdout.write(
      released === 0
        ? `${doc} was not quarantined on any node; its failures are forgotten.\n`
        : `${doc} is in service again. It was quarantined on ${plural(released, 'node')}.\n`,
    );
    return EXIT.ok;
  });
}
