// The words of `npm run loadtest` and of `troupe loadtest`: one description parses them, prints their help and completes
// them in a shell. load-test-run.ts runs what they ask for; this module loads nothing that a help does not need.
import { type Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { collect, examples, time, wholeNumber } from '../../config/command-line/command-line.ts';
import { readyMade } from '../scenarios/ready-made.ts';

const MOST_NODES = 16;

/** `program`: the words before the scenario, for the examples. */
export const describeLoadTest = (command: Command, program: string) =>
  command
    .description(
      'Put the load of a scenario on nodes, time every edit from when it was due, check every promise, and write a report.',
    )
    .argument('<SCENARIO>', `${readyMade().join(', ')}, or the path of a YAML file (docs/capacity.md)`)
    .option(
      '--target <URL>',
      'a running node, once for each (default: start nodes with an embedded PostgreSQL)',
      collect,
    )
    .option(
      '--nodes <N>',
      'nodes to start, from 2 on a cluster, which needs redis-server (default: 1)',
      wholeNumber(1, MOST_NODES),
    )
    .option('--token <JWT>', 'with the role editor for the documents ORG/* (default: none)')
    .option('--org <ORG>', 'organisation of the documents', organisation, 'loadtest')
    .option(
      '--processes <N>',
      'processes of the load (default: as many as the clients need and the machine has processors)',
      wholeNumber(),
    )
    .option('--report <FILE>', 'HTML file of the report (default: one in data/loadtest/)')
    .option('--json <FILE>', 'JSON file of the result (default: beside the report)')
    .option(
      '--compare <FILE>',
      'JSON file of an older run to put beside this one; repeatable (default: none)',
      collect,
    )
    .option(
      '--lasts <TIME>',
      'length of the run; stages, faults and criteria change in proportion (default: that of the scenario)',
      duration,
    )
    .option('--share <FACTOR>', 'of the clients and documents of the scenario, such as 0.1', factor, 1)
    .option(
      '--find-capacity',
      'raise the load until edits take too long, with one node, then two, up to --nodes; write what to buy (default: run the scenario once)',
    )
    .option(
      '--passes <N>',
      'with --find-capacity: how often the knee of each number of nodes is searched',
      wholeNumber(),
      2,
    )
    .addOption(
      new Option('--level <TIME>', 'with --find-capacity: time for which each level is measured')
        .argParser(duration)
        .default(8_000, '8s'),
    )
    .option('--most <N>', 'with --find-capacity: most clients of a level', wholeNumber(), 20_000)
    .option(
      '--prices <FILE>',
      'with --find-capacity: YAML file with the prices of a month: currency, node, postgres, redis, storedGiB (default: none)',
    )
    .option(
      '--measured <FILE>',
      'with --find-capacity: JSON file of an earlier run; make the plan from its measurements, and measure nothing (default: measure)',
    )
    .option(
      '--node-processors <N>',
      'with --find-capacity: processors of a node that is to be bought (default: those of this machine)',
      wholeNumber(),
    )
    .addHelpText(
      'after',
      `
Exit codes:
  0 passed   1 failed   2 wrong arguments   130 interrupted
  3 unsure: the load itself was too late to tell
${examples(
  `${program} smoke --compare data/loadtest/before.json`,
  `${program} office --nodes 3 --lasts 1m --share 0.1`,
  `${program} busy --find-capacity --nodes 3`,
)}`,
    );

export type LoadTestWords = ReturnType<ReturnType<typeof describeLoadTest>['opts']>;

function organisation(text: string): string {
  if (/^[a-z0-9][a-z0-9_-]{0,62}$/.test(text)) return text;
  throw new InvalidArgumentError('Expected the name of an organisation.');
}

/** Milliseconds. */
function duration(text: string): number {
  const ms = time(text);
  if (ms >= 1000) return ms;
  throw new InvalidArgumentError('Expected a time from 1s on, such as 30s or 10m.');
}

function factor(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 1000) return value;
  throw new InvalidArgumentError('Expected a number above 0, such as 0.1.');
}
