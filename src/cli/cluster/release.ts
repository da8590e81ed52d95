// `troupe cluster release DOC`: asks all nodes to return a quarantined document to service and to forget its
// failures, and waits until each has answered. It neither reads nor changes the document.
import { EXIT, type ExitCode, StartError } from '../../../config/fatal.ts';
import { showDuration } from '../../../config/keys/units.ts';
import type { Config } from '../../../config/schema.ts';
import { withCluster } from '../database.ts';
import { type Output, plural } from '../output.ts';
import { askNodes } from './ask-nodes.ts';

export interface ReleaseOptions {
  readonly doc: string;
  readonly timeoutMs: number;
}

export function release(config: Config, { doc, timeoutMs }: ReleaseOptions, io: Output): Promise<ExitCode> {
  return withCluster(config, async (store) => {
    const { nodes, byRun, silent } = await askNodes(store, {
      question: { type: 'release', doc },
      answerIn: (event) =>
        event.type === 'released' && event.doc === doc
          ? { run: event.run, answer: event.wasQuarantined }
          : undefined,
      patienceMs: timeoutMs,
    });
    if (nodes.length === 0) throw new StartError('no node runs');
    if (silent.length > 0) {
      const names = silent.map(({ node }) => node).join(', ');
      throw new StartError(
        `no answer within ${showDuration(timeoutMs)} from ${names}; the other nodes have released ${doc}`,
      );
    }
    const released = [...byRun.values()].filter(Boolean).length;
    io.stdout.write(
      released === 0
        ? `${doc} was not quarantined on any node; its failures are forgotten.\n`
        : `${doc} is in service again. It was quarantined on ${plural(released, 'node')}.\n`,
    );
    return EXIT.ok;
  });
}
