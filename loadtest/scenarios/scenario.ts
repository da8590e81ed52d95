// Every key of a scenario of the load test: its default, its bounds, and a sentence that describes it. The unit
// is in the name. docs/capacity.md and the error messages are made from this list; read-scenario.ts reads files.
import { z } from 'zod';
import { choice, count, duration, key, list, ratio, size, text, textOrNull } from '../../config/keys/key.ts';
import { DURATION_HINT, readDuration } from '../../config/keys/units.ts';

const KiB = 1_024;
const MiB = 1_024 * KiB;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A document that is as large as the nodes allow by default could take no edit. */
const ROOM_FOR_EDITS = 128 * KiB;
const KINDS = ['rich-text', 'json', 'yjs'] as const;

const documents = z.strictObject({
  count: count(10, 1, 1_000_000, 'Documents of the run. Each run makes new ones.'),
  kinds: list(
    z.enum(KINDS),
    'a list of rich-text, json and yjs',
    'Kinds of the documents, given to them in turn. An empty list: all three.',
  ),
  initialBytes: size(
    0,
    0,
    16 * MiB - ROOM_FOR_EDITS,
    'Size to which each document is filled before the run begins, in bytes as `limits.documentBytes` counts them.',
  ),
  checked: count(
    100,
    1,
    1_000_000,
    'Documents that the checker compares with their logs after the run, evenly chosen among those that have an editor, then among the others. The report states how many there were. Clients of the others keep fewer records.',
  ),
});

const clients = z.strictObject({
  editors: count(100, 0, 1_000_000, 'Clients that type.'),
  readers: count(0, 0, 1_000_000, 'Clients that have a document open and only read.'),
  skew: ratio(
    0,
    0,
    3,
    'How unevenly the clients are spread over the documents. 0: the same number on each. Otherwise the nth document gets a share in proportion to 1/n^skew, as in organisations, where few documents have many readers.',
  ),
  encoding: choice(
    'both',
    ['json', 'msgpack', 'both'],
    'Subprotocol of the clients. `both`: every other client has the other one.',
  ),
});

const typing = z.strictObject({
  model: choice(
    'bursts',
    ['bursts', 'random', 'even', 'trace'],
    'When an editor types. `bursts`: several edits in quick succession, then a pause. `random`: at random, independent of each other. `even`: at constant intervals. `trace`: with the pauses and the texts of a recorded trace. No model waits for answers.',
  ),
  everyMs: duration(
    10 * SECOND,
    10,
    DAY,
    'Time from one edit of an editor to its next, on average over bursts and pauses. A trace has its own times, and ignores it.',
  ),
  burstEdits: ratio(8, 1, 1_000, 'Edits of a burst, on average.'),
  burstEveryMs: duration(200, 10, MINUTE, 'Time between two edits of a burst.'),
  characters: count(
    0,
    0,
    100_000,
    'Characters of the text that an edit puts in. 0: a word. Edits of a `trace` have the text of the trace.',
  ),
  trace: textOrNull(
    /\S/,
    'a path',
    'File of a recorded trace (`.json` or `.json.gz` of the editing-traces collection), relative to the scenario. Every editor begins at another place of it. `rich-text` documents only.',
  ),
});

const presence = z.strictObject({
  everyMs: duration(
    0,
    0,
    DAY,
    'Time from one presence message of a client to its next, whatever it does. 0: none of these. Editors and readers both send them.',
  ),
  typingMs: duration(
    0,
    0,
    DAY,
    'Least time from one presence message of an editor that types to its next, which goes with an edit, as a cursor moves. 0: none of these.',
  ),
});

const http = z.strictObject({
  requestsPerSecond: count(
    0,
    0,
    100_000,
    'HTTP reads a second, of all processes of the load together, at a constant rate over the whole run. 0: none. They need the package autocannon.',
  ),
  writesPerSecond: count(
    0,
    0,
    100_000,
    'HTTP writes a second, also at a constant rate: a PATCH with an Idempotency-Key on each of up to a hundred documents of each process in turn, those of `documents.checked` first. One that is answered 429 or 503, or not at all, is sent again in place of the next. A document of kind `rich-text` or `yjs` grows by some 15 characters with each.',
  ),
  connections: count(
    10,
    1,
    10_000,
    'Connections that the reads share, and as many that the writes share; at most one for each request a second.',
  ),
  paths: list(
    z.string().regex(/^\/[^\s#]*$/),
    'a list of paths that begin with /',
    'Paths that are asked for in turn with GET. `{doc}` stands for documents of the run, as in `/v1/docs/{doc}`. An empty list: `/` and `/healthz`.',
  ),
});

const churn = z.strictObject({
  stayMs: duration(
    0,
    0,
    DAY,
    'Time that a client stays connected, on average. Then its connection is cut without a close frame. 0: clients stay.',
  ),
  awayMs: duration(2 * SECOND, 0, HOUR, 'Time that it stays away, on average.'),
});

const stage = z.strictObject({
  lastsMs: duration(MINUTE, 100, 30 * DAY, 'Length of the stage.'),
  change: choice(
    'step',
    ['step', 'ramp'],
    '`step`: the values of this stage hold from its beginning. `ramp`: they are reached at its end, in a straight line from those of the stage before (0 before the first), so that clients arrive at a constant rate.',
  ),
  clients: ratio(1, 0, 1, 'Share of the clients that are connected.'),
  typing: ratio(1, 0, 1_000, 'Factor of the rate of edits. A trace ignores it.'),
});

const fault = z.strictObject({
  atMs: duration(0, 0, 30 * DAY, 'Time of the fault after the beginning of the run.'),
  do: choice(
    'drop-clients',
    ['drop-clients', 'kill-node', 'stop-node', 'freeze-node'],
    '`drop-clients`: their connections are cut at once. `kill-node`: kill -9. `stop-node`: SIGTERM, which drains. `freeze-node`: SIGSTOP. A node is touched only if the run started it; otherwise the scenario is refused.',
  ),
  share: ratio(1, 0, 1, '`drop-clients`: share of the connected clients.'),
  node: count(1, 1, 16, 'Number of the node, from 1.'),
  backMs: duration(
    0,
    0,
    DAY,
    'Time after which the node is started again, or goes on after a freeze. 0: it stays as it is.',
  ),
});

const bound = (byDefault: number | null, description: string) =>
  key(z.preprocess(readDuration, z.int().min(1).max(HOUR).nullable()).default(byDefault), {
    description,
    expected: `null for no bound, or ${DURATION_HINT}; from 1ms to 1h`,
    default: byDefault,
    form: 'duration',
  });
const most = (description: string) =>
  key(z.int().min(0).nullable().default(0), {
    description,
    expected: 'null for no bound, or an integer from 0',
    default: 0,
    form: 'plain',
  });

const criteria = z.strictObject({
  commitP95Ms: bound(
    200,
    'Most time from an edit to its commit as its author sees it, at the 95th percentile. The time counts from the moment at which the edit was due.',
  ),
  commitP99Ms: bound(null, 'The same at the 99th percentile.'),
  deliveryP95Ms: bound(
    null,
    'Most time from an edit to its arrival at another client, at the 95th percentile.',
  ),
  openP95Ms: bound(
    null,
    'Most time from the moment at which a client was due to the answer to its open, at the 95th percentile. Clients that were there before the run began do not count.',
  ),
  httpP95Ms: bound(
    null,
    'Most time that an HTTP read may take, at the 95th percentile. A request that took longer than the time between two of its connection stands also for those that were due meanwhile.',
  ),
  httpWriteP95Ms: bound(null, 'The same for an HTTP write, until it is answered as committed.'),
  achieved: ratio(
    0.95,
    0.01,
    1,
    'Least share of the edits that were due that must be committed, of the HTTP reads that must be answered, and of the HTTP writes that must be committed.',
  ),
  edits: count(1, 0, 1_000_000_000, 'Fewest edits that must be committed. A run with fewer has failed.'),
  errors: most(
    'Most error messages, rejections and HTTP answers from 400 on that the server may send, and HTTP requests that may stay without an answer.',
  ),
  lostConnections: most('Most connections that may be lost. Those that the run itself cut do not count.'),
});

export const scenarioSchema = z.strictObject({
  description: text('', /^[^\n]*$/, 'one line', 'What the scenario stands for, in one sentence.'),
  seed: count(
    1,
    0,
    2_147_483_647,
    'Seed of all random choices. The same seed gives the same edits at the same times.',
  ),
  documents: documents.prefault({}),
  clients: clients.prefault({}),
  typing: typing.prefault({}),
  presence: presence.prefault({}),
  http: http.prefault({}),
  churn: churn.prefault({}),
  stages: z.array(stage).min(1).max(100).prefault([{}]),
  faults: z.array(fault).max(100).prefault([]),
  criteria: criteria.prefault({}),
});

export type Scenario = z.infer<typeof scenarioSchema>;
export type Stage = Scenario['stages'][number];
export type ScenarioFault = Scenario['faults'][number];
