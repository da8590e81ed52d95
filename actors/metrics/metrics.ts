// All metrics of a node: name, type, meaning and labels. This is the only list: docs/metrics.md and `/metrics`
// are made from it. The file counts nothing.
import { CLOSE_CODES, FINAL_SUBMIT_CODES, OPEN_SUBMIT_CODES } from '../../protocol/errors.ts';
import { Layout } from './layout.ts';

const LATENCY_SECONDS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5, 10,
];
const ANSWER_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
const DELAY_SECONDS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
const BATCH_EDITS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];
const BATCH_BYTES = [256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304];

/** The reasons for which a node closes a socket, by the close code. */
export const CLOSE_REASONS: ReadonlyMap<number, string> = new Map(
  Object.entries(CLOSE_CODES).map(([name, code]) => [
    code,
    name.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`),
  ]),
);

const layout = new Layout();

export const METRICS = declare();
/** In the order of docs/metrics.md. */
export const ALL_METRICS = layout.all;
/** Cells in which a thread tells the main thread about itself (thread-sampler.ts). */
export const OF_THREAD = {
  /** The number by which the operating system knows the thread. 0 until the thread has told it. */
  osThread: layout.cell(),
  /** Its processor time, as it was added to the counter last, s. */
  cpuSeconds: layout.cell(),
  /** When its event loop last gave a sign of life, by `monotonicMs`. */
  beatMs: layout.cell(),
};
export const CELLS = layout.cells;

function declare() {
  layout.section('Edits');
  const edits = {
    editsTaken: layout.counter(
      'troupe_edits_taken_total',
      "Edits that this node's gateway has taken from clients and keeps until their owner has answered. An edit that is sent again counts again.",
    ),
    editsCommitted: layout.counter(
      'troupe_edits_committed_total',
      "Edits that this node's workers have committed, from clients of all nodes. The sum over all nodes counts every edit of the cluster once.",
    ),
    editsRejected: layout.counter(
      'troupe_edits_rejected_total',
      "Edits of this node's clients that were rejected for good (`reject`), by the code that the client was told.",
      { label: { name: 'code', values: FINAL_SUBMIT_CODES } },
    ),
    editsLeftOpen: layout.counter(
      'troupe_edits_left_open_total',
      "Edits of this node's clients that were answered with an error after which the client sends the same edit again, by the code that the client was told.",
      { label: { name: 'code', values: OPEN_SUBMIT_CODES } },
    ),
    editsRepeated: layout.counter(
      'troupe_edits_repeated_total',
      "Edits of this node's clients that had been committed before and were acknowledged again (`ack`).",
    ),
    editSeconds: layout.histogram(
      'troupe_edit_commit_seconds',
      LATENCY_SECONDS,
      'Time from the reading of an edit at this node\'s gateway until the gateway sends its commit. The share of edits below 200 ms is the bucket `le="0.2"` divided by the count.',
    ),
    deliveries: layout.counter(
      'troupe_deliveries_total',
      'Frames with commits that this node has written to sockets: one for each frame and reader.',
    ),
    deliveredBytes: layout.counter(
      'troupe_delivered_bytes_total',
      'Bytes of the frames with commits that this node has written to sockets.',
    ),
  };

  layout.section('Sockets');
  const sockets = {
    sockets: layout.reading('gauge', 'troupe_sockets', 'WebSockets that are open on this node.'),
    socketsAccepted: layout.counter(
      'troupe_sockets_accepted_total',
      'WebSockets that this node has accepted.',
    ),
    socketsClosed: layout.counter(
      'troupe_sockets_closed_total',
      'WebSockets that this node has closed, by the reason. `slow-reader`: the reader did not keep up (4508). Sockets that clients close, or that break, are not counted.',
      { label: { name: 'reason', values: [...CLOSE_REASONS.values()] } },
    ),
    subscriptions: layout.reading(
      'gauge',
      'troupe_subscriptions',
      "Documents that this node's sockets have open, each counted once for each socket.",
    ),
    documentsOpen: layout.reading(
      'gauge',
      'troupe_documents_open',
      "Documents that at least one of this node's sockets has open.",
    ),
    outboxBytes: layout.gauge(
      'troupe_outbox_bytes',
      'Bytes that wait in this node until the readers of its sockets take them. Measured once a second.',
    ),
    patchBytes: layout.reading(
      'gauge',
      'troupe_patches_under_way_bytes',
      'Bytes of patches between their socket and their answer. Above `gateway.patchBytes` sockets that send many are not read for a while.',
    ),
  };

  layout.section('HTTP');
  const http = {
    httpRequests: layout.reading(
      'counter',
      'troupe_http_requests_total',
      'Requests that this node has answered over HTTP, by route and class of status. `none`: a path without a route.',
      ['route', 'status'],
    ),
  };

  layout.section('Commits');
  const commits = {
    commitSeconds: layout.histogram(
      'troupe_commit_seconds',
      ANSWER_SECONDS,
      'Time that PostgreSQL took to commit a batch of edits, retries included.',
    ),
    commitEdits: layout.histogram(
      'troupe_commit_batch_edits',
      BATCH_EDITS,
      'Edits in a batch that was committed. Larger batches cost less per edit; they form when edits wait.',
    ),
    commitBytes: layout.histogram(
      'troupe_commit_batch_bytes',
      BATCH_BYTES,
      'Bytes of a batch that was committed: its patches, and 128 bytes for each.',
    ),
    commitFailures: layout.counter(
      'troupe_commit_failures_total',
      'Batches that were not committed as a whole. `refused`: PostgreSQL refused patches of some documents, and committed the others. `fenced`: the session of the worker had ended. `gap`: PostgreSQL has lost commits.',
      { label: { name: 'outcome', values: ['refused', 'fenced', 'gap'] } },
    ),
    commitWaitingBytes: layout.gauge(
      'troupe_commit_waiting_bytes',
      'Bytes of edits that wait in the workers for the next batch. Above `commit.queueBytes`, for each worker, edits are refused with `overloaded`.',
    ),
  };

  layout.section('Documents');
  const documents = {
    mailboxes: layout.gauge(
      'troupe_mailboxes',
      "Documents that have an actor with a mailbox in this node's workers.",
    ),
    mailboxMessages: layout.gauge(
      'troupe_mailbox_messages',
      'Messages that wait in the mailboxes, for their document to be loaded or for its turn at the thread.',
      { label: { name: 'reason', values: ['load', 'turn'] } },
    ),
    mailboxBytes: layout.gauge('troupe_mailbox_bytes', 'Bytes of the messages that wait in the mailboxes.', {
      label: { name: 'reason', values: ['load', 'turn'] },
    }),
    documentsResident: layout.gauge(
      'troupe_documents_resident',
      "Documents that are in the memory of this node's workers.",
    ),
    documentBytes: layout.gauge(
      'troupe_document_bytes',
      'Approximate bytes of the documents in memory. Above `actors.memoryBytes`, for each worker, quiet documents are unloaded.',
    ),
    loads: layout.counter(
      'troupe_loads_total',
      'Documents that workers have asked PostgreSQL for. `missing`: there is no such document.',
      { label: { name: 'outcome', values: ['loaded', 'missing', 'failed'] } },
    ),
    loadSeconds: layout.histogram(
      'troupe_load_seconds',
      ANSWER_SECONDS,
      'Time from the first message for a document that is not in memory until the document is loaded or found missing, waiting included.',
    ),
    snapshots: layout.counter('troupe_snapshots_total', 'Snapshots of documents that were written.'),
    documentFailures: layout.counter(
      'troupe_document_failures_total',
      'Failures in the handling of a document, each of which reset the document. After the third failure of one document it is quarantined.',
    ),
    slowLinks: layout.counter(
      'troupe_links_overflowed_total',
      'Times that the gateway of a node fell so far behind a worker that its documents were opened again.',
    ),
  };

  layout.section('Cluster');
  const cluster = {
    ready: layout.reading('gauge', 'troupe_ready', '1 while `/readyz` answers 200, else 0.'),
    shardsOwned: layout.reading('gauge', 'troupe_shards_owned', "Shards that this node's workers own."),
    shardsMoving: layout.reading(
      'gauge',
      'troupe_shards_moving',
      'Shards of this node that are placed on another node or worker and have not been handed over yet.',
    ),
    shardsUnowned: layout.reading(
      'gauge',
      'troupe_shards_unowned',
      'Shards of the cluster without an owner, as this node sees it. Their documents wait.',
    ),
    shardsHandedOver: layout.counter(
      'troupe_shards_handed_over_total',
      'Shards that this node has handed over to another worker or node.',
    ),
    shardsTaken: layout.counter(
      'troupe_shards_taken_total',
      'Shards that workers of this node have come to own. `claimed`: they had no owner, as after the death of a node. `handed`: another worker or node handed them over.',
      { label: { name: 'how', values: ['claimed', 'handed'] } },
    ),
    nodesFenced: layout.counter(
      'troupe_nodes_fenced_total',
      'Other nodes that this node has fenced because they were dead or cut off, by the evidence.',
      {
        label: { name: 'evidence', values: ['refused', 'lease', 'observers', 'database', 'predecessor'] },
      },
    ),
    selfFenced: layout.counter(
      'troupe_fenced_total',
      'Times that this node was fenced by another one and started over.',
    ),
    workerEnds: layout.counter(
      'troupe_worker_ends_total',
      'Worker threads that ended and were replaced. `error`: an exception, no memory, or a hang; `fenced`, `gap`: as with batches.',
      { label: { name: 'end', values: ['error', 'fenced', 'gap'] } },
    ),
    members: layout.reading(
      'gauge',
      'troupe_peers',
      'Other live nodes of the cluster, by the state of the link to them.',
      ['link'],
    ),
  };

  layout.section('Events');
  const events = {
    eventsTold: layout.counter(
      'troupe_events_total',
      'Events (created, changed, deleted) that this node has written. The sum over all nodes counts every event of the cluster once.',
    ),
    webhooks: layout.counter(
      'troupe_webhooks_total',
      'Requests of this node to receivers of webhooks. `delivered`: confirmed. `failed`: not confirmed, and tried again. `parked`: given up after `webhooks.retryForMs`, beside `failed`; `troupe webhooks retry` sends them again.',
      { label: { name: 'outcome', values: ['delivered', 'failed', 'parked'] } },
    ),
    eventReaders: layout.reading(
      'gauge',
      'troupe_event_readers',
      'Readers of server-sent events that this node has.',
    ),
  };

  layout.section('PostgreSQL and Redis');
  const stores = {
    postgresUp: layout.gauge(
      'troupe_postgres_up',
      '1 if PostgreSQL has answered the last question of this node, asked once a second, else 0.',
    ),
    postgresSeconds: layout.histogram(
      'troupe_postgres_answer_seconds',
      ANSWER_SECONDS,
      'Time that PostgreSQL took to answer that question. Unanswered questions are not counted.',
    ),
    replicaReads: layout.reading(
      'counter',
      'troupe_replica_reads_total',
      'Reads that may go to `storage.replicas`, by where they were answered. `replica`: by a replica. By `storage.url`: `behind`, because the replica had not replayed what the answer must show; `away`, because it did not answer in time or refused; `resting`, because each replica was behind or away within the last second. Absent without replicas.',
      ['outcome'],
    ),
    redisUp: layout.gauge(
      'troupe_redis_up',
      "1 if the last renewal of this node's lease in Redis has succeeded, else 0. Absent without a cluster.",
    ),
    redisSeconds: layout.histogram(
      'troupe_redis_answer_seconds',
      ANSWER_SECONDS,
      "Time that a renewal of this node's lease in Redis took. Failed renewals are not counted.",
    ),
  };

  layout.section('Threads');
  const threads = {
    threadCpu: layout.counter(
      'troupe_thread_cpu_seconds_total',
      'Processor time of each thread. `other`: all threads without a name here, such as those that fold snapshots and collect garbage. Only on Linux.',
      { from: 'each' },
    ),
    threadBusy: layout.counter(
      'troupe_thread_busy_seconds_total',
      "Time in which the thread's event loop was working and not waiting for events.",
      { from: 'each' },
    ),
    threadSilence: layout.reading(
      'gauge',
      'troupe_thread_silence_seconds',
      "Time since the last sign of life of the thread's event loop. Signs come every 0.1 s. A worker that is silent for `worker.stallMs` is replaced.",
      ['thread'],
    ),
    loopDelay: layout.histogram(
      'troupe_event_loop_delay_seconds',
      DELAY_SECONDS,
      'How late a timer of the thread fires that is due every 0.1 s: the time that an event waits until the thread handles it. A turn that is longer than that counts once for each time that was due in it.',
      { from: 'each' },
    ),
    heapUsed: layout.gauge('troupe_heap_used_bytes', "JavaScript heap that the thread's objects use.", {
      from: 'each',
    }),
    heapLimit: layout.gauge(
      'troupe_heap_limit_bytes',
      'The size to which the JavaScript heap of the thread may grow.',
      { from: 'each' },
    ),
    externalBytes: layout.gauge(
      'troupe_external_memory_bytes',
      'Memory outside of the JavaScript heap that objects of the thread hold, such as buffers.',
      { from: 'each' },
    ),
  };

  layout.section('Process');
  const process = {
    buildInfo: layout.reading(
      'gauge',
      'troupe_build_info',
      'Always 1. The labels have the versions of Troupe and of Node.',
      ['version', 'node_version'],
    ),
    processCpu: layout.reading(
      'counter',
      'process_cpu_seconds_total',
      'Processor time of the whole process, user and system.',
    ),
    processMemory: layout.reading(
      'gauge',
      'process_resident_memory_bytes',
      'Memory of the process that is in physical memory.',
    ),
    processStart: layout.reading(
      'gauge',
      'process_start_time_seconds',
      'When the process started, in seconds since 1970.',
    ),
    processFiles: layout.reading(
      'gauge',
      'process_open_fds',
      'File descriptors that the process has open, sockets included. Only on Linux 6.2 or later.',
    ),
    processMaxFiles: layout.reading(
      'gauge',
      'process_max_fds',
      'File descriptors that the process may have open. Only on Linux.',
    ),
  };
  return {
    ...edits,
    ...sockets,
    ...http,
    ...commits,
    ...documents,
    ...cluster,
    ...events,
    ...stores,
    ...threads,
    ...process,
  };
}
