// Support for the tests of the wire contract: one node for each configuration, unique names, and ways to look at
// received messages. It says nothing about the messages that should come.
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import postgres from 'postgres';
import type { Codec } from '../../../protocol/codec.ts';
import { jsonCodec } from '../../../protocol/codec.ts';
import { startTestNode, type TestNode } from '../../support/node.ts';
import { CODECS_UNDER_TEST, type Message, WireClient } from '../../support/wire-client.ts';

export interface Op {
  client: string;
  seq: number;
  op: unknown;
}

type After = Pick<TestContext, 'after'>;

interface SharedNode {
  users: number;
  readonly closers: (() => unknown)[];
  running: Promise<TestNode> | undefined;
}

/** The nodes of this process, by their configuration. */
const nodes = new Map<string, SharedNode>();
let names = 0;

/**
 * A node for the tests of one file, started before the first and stopped after the last. Files with the same
 * configuration share it where they have one process, because a node costs more processor time to start than most
 * tests take.
 */
export class FileNode {
  #running: TestNode | undefined;

  constructor(config: object = {}) {
    const key = JSON.stringify([config, process.env.TROUPE_TEST_NODE_PRIVATE]);
    const shared: SharedNode = nodes.get(key) ?? { users: 0, closers: [], running: undefined };
    nodes.set(key, shared);
    shared.users++;
    before(async () => {
      shared.running ??= startTestNode(
        { after: (close) => void shared.closers.push(close as () => unknown) },
        { config },
      );
      this.#running = await shared.running;
    });
    after(async () => {
      if (--shared.users > 0) return;
      shared.running = undefined;
      for (const close of shared.closers.splice(0)) await close();
    });
  }

  get node(): TestNode {
    assert.ok(this.#running, 'the node is not started');
    return this.#running;
  }

  get url(): string {
    return this.node.socketUrl;
  }

  newDoc(): string {
    return `acme/doc-${++names}`;
  }

  newClient(): string {
    return `client-${++names}`.padEnd(12, '_');
  }

  /** Connects a client, which says hello and takes the welcome. */
  connect(t: After, codec: Codec = jsonCodec, client = this.newClient()): Promise<WireClient> {
    return WireClient.connect(t, this.url, { codec, client });
  }

  /** Connects a client that has not said hello. */
  connectSilent(t: After, codec: Codec = jsonCodec, protocols?: string[]): Promise<WireClient> {
    return WireClient.connect(t, this.url, { codec, ...(protocols === undefined ? {} : { protocols }) });
  }
}

/** Declares the test once in each subprotocol. */
export function inBoth(title: string, run: (t: TestContext, codec: Codec) => Promise<void>): void {
  for (const codec of CODECS_UNDER_TEST) test(`${title} [${codec.subprotocol}]`, (t) => run(t, codec));
}

/** Takes the commits of a document from just after `from` up to `to`, without a gap and without a repeat. */
export async function commits(client: WireClient, doc: string, from: number, to: number): Promise<Op[]> {
  const all: Op[] = [];
  for (let at = from; at < to; ) {
    const message = await client.next('commit', (m) => m.doc === doc);
    const ops = message.ops as Op[];
    assert.ok(ops.length > 0);
    assert.equal(message.version, at + ops.length, `a commit that follows version ${at}`);
    at += ops.length;
    all.push(...ops);
  }
  return all;
}

/** The commits of one document that have come and have not been taken. */
export const pendingCommits = (client: WireClient, doc: string): Message[] =>
  client.received.filter((m) => m.type === 'commit' && m.doc === doc);

/** Shows an error or reject by its code, and every other message by its type. */
export const outcome = (message: Message): unknown =>
  message.type === 'error' || message.type === 'reject' ? `${message.type} ${message.code}` : message.type;

/** Resolves once the owner of the document has handled all earlier messages of this client for it. */
export async function settledAt(client: WireClient, doc: string): Promise<void> {
  // A seq of 2^53 - 1 with a base above every head is refused in its turn, after all earlier messages.
  client.send({ type: 'submit', doc, seq: Number.MAX_SAFE_INTEGER, base: Number.MAX_SAFE_INTEGER, op: [] });
  await client.next('reject', (m) => m.doc === doc && m.seq === Number.MAX_SAFE_INTEGER);
}

/** Holds all commits in this database until the returned function is called. */
export async function holdCommits(t: After, storageUrl: string): Promise<() => Promise<void>> {
  const sql = postgres(storageUrl, { max: 1, fetch_types: false, onnotice: () => undefined });
  await sql`BEGIN`;
  await sql`LOCK TABLE delta IN SHARE MODE`;
  let held = true;
  const release = async (): Promise<void> => {
    if (!held) return;
    held = false;
    await sql`ROLLBACK`;
    await sql.end({ timeout: 5 });
  };
  t.after(release);
  return release;
}

/** Runs one query on the node's database. */
export async function query<T>(storageUrl: string, ask: (sql: postgres.Sql) => PromiseLike<T>): Promise<T> {
  const sql = postgres(storageUrl, { max: 1, fetch_types: false, onnotice: () => undefined });
  try {
    return await ask(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}
