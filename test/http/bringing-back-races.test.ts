// Restores and reverts on two nodes of a cluster, raced against edits of others and against the kill -9 of the node that owns
// the documents: each acknowledged one is in the history once, at the version of its answer, with its effect.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import jsonpatch, { type Operation } from 'fast-json-patch';
import { clientOfKey } from '../../src/http/documents/write-clients.ts';
import { racePauseMs, raceRounds } from '../support/fuzz-runs.ts';
import { untilSeen } from '../support/until.ts';
import { WireClient } from '../support/wire-client.ts';
import { json, patch } from './api-client.ts';
import { raceNodes, untilAnswered } from './race-nodes.ts';

const WRITERS = 2;
/** Between two rounds of a writer. Without it the writers would take the processors from the nodes that join and take over. */
const PAUSE_MS = racePauseMs(20);
const USER = 'anonymous';
const RESTORED = ['acme/restored-0', 'acme/restored-1'];
const REVERTED = ['acme/reverted-0', 'acme/reverted-1'];
const DOCS = [...RESTORED, ...REVERTED];

interface Change {
  readonly version: number;
  readonly client: string;
  readonly op: Operation[];
}

/** The acknowledged writes of one document. */
class Written {
  /** The version of each key. */
  readonly keys = new Map<string, number>();
  /** Values that were appended, and at which version they were taken out. */
  readonly takenOut = new Map<string, number | undefined>();
}

class Race {
  readonly #bases: () => readonly string[];
  readonly written = new Map(DOCS.map((doc) => [doc, new Written()]));
  /** Restores and reverts that were acknowledged. */
  broughtBack = 0;
  isOver = false;

  constructor(bases: () => readonly string[]) {
    this.#bases = bases;
  }

  /** Appends a value and takes it out again, by turns in each document, until the race is over. */
  async write(writer: number): Promise<void> {
    for (let n = 0; !this.isOver; n++) {
      await setTimeout(PAUSE_MS);
      const doc = DOCS[(n + writer) % DOCS.length] ?? '';
      const written = this.written.get(doc);
      assert.ok(written);
      const value = `${writer}-${n}`;
      const append = patch([{ op: 'add', path: '/list/-', value }], keyed(`append ${value}`));
      const at = await this.#twice(doc, '', { ...append, method: 'PATCH' });
      written.keys.set(`append ${value}`, at);
      written.takenOut.set(value, undefined);
      const isReverted = REVERTED.includes(doc);
      if (isReverted && n % 3 === 0) continue;
      const body = isReverted ? { from: at, to: at } : { version: 1 };
      const key = `take out ${value}`;
      const out = await this.#twice(doc, isReverted ? '/revert' : '/restore', json(body, 'POST', keyed(key)));
      assert.ok(out > at);
      written.keys.set(key, out);
      written.takenOut.set(value, out);
      this.broughtBack++;
    }
  }

  /** Sends a request and the same again, as a client does that has not got the answer. Returns the version. */
  async #twice(doc: string, path: string, init: RequestInit): Promise<number> {
    const first = await untilAnswered(this.#bases, `/v1/docs/${doc}${path}`, init);
    const { version } = (await first.json()) as { version: number };
    assert.equal(first.status, 200);
    const again = await untilAnswered(this.#bases, `/v1/docs/${doc}${path}`, init);
    assert.equal(again.headers.get('etag'), first.headers.get('etag'), 'a key has one answer');
    assert.deepEqual(await again.json(), { version });
    return version;
  }

  async history(doc: string): Promise<readonly Change[]> {
    const changes: Change[] = [];
    for (let cursor: string | undefined = '1'; cursor !== undefined; ) {
      const path: string = `/v1/docs/${doc}/history?limit=1000&cursor=${cursor}`;
      const page = (await (await untilAnswered(this.#bases, path, {})).json()) as {
        ops: Change[];
        next?: string;
      };
      changes.push(...page.ops);
      cursor = page.next;
    }
    return changes;
  }

  async content(doc: string): Promise<unknown> {
    const answer = await untilAnswered(this.#bases, `/v1/docs/${doc}`, {});
    return ((await answer.json()) as { content: unknown }).content;
  }
}

const keyed = (key: string): Record<string, string> => ({ 'idempotency-key': key });

test('HIST-5 HIST-6 DOC-6 restores and reverts through the node that lives, while their owner is killed', {
  timeout: 180_000,
}, async (t) => {
  const nodes = await raceNodes(t);
  const a = await nodes.join('a');
  const b = await nodes.joinMortal('b');
  const urls = [a.url, b.url];
  const race = new Race(() => urls);
  for (const doc of DOCS) {
    const init = json({ kind: 'json', content: { list: [] } });
    assert.equal((await untilAnswered(() => urls, `/v1/docs/${doc}`, init)).status, 201);
  }
  await nodes.hasAll(DOCS, 'b');
  const typing = typed(t, a.socketUrl, race);
  const writing = Array.from({ length: WRITERS }, (_, writer) => race.write(writer));
  await untilSeen('some are brought back', () => race.broughtBack >= raceRounds(12));
  b.kill();
  urls.pop();
  const { broughtBack } = race;
  await untilSeen('more after the takeover', () => race.broughtBack >= broughtBack + raceRounds(24));
  race.isOver = true;
  await Promise.all(writing);
  const seqs = await typing;
  assert.ok(seqs > 0);
  for (const doc of DOCS) await checkHistory(race, doc);
  for (const doc of REVERTED) {
    const { list } = (await race.content(doc)) as { list: string[] };
    const stay = [...(race.written.get(doc)?.takenOut ?? [])].filter(([, out]) => out === undefined);
    const ofWriters = list.filter((value) => !value.startsWith('socket'));
    assert.deepEqual(ofWriters.toSorted(), stay.map(([value]) => value).toSorted(), `${doc}: what stays`);
    const ofSocket = list.filter((value) => value.startsWith('socket'));
    assert.deepEqual(
      ofSocket,
      Array.from({ length: seqs }, (_, n) => `socket-${n + 1}`),
      `${doc}: the edits of the socket stay, each once`,
    );
  }
});

/** Edits every document from a socket until the race is over. Returns the number of edits of each. */
async function typed(t: TestContext, url: string, race: Race): Promise<number> {
  const socket = await WireClient.connect(t, url, { client: 'editor-1234' });
  for (const doc of DOCS) await socket.open(doc);
  let seq = 0;
  while (!race.isOver) {
    await setTimeout(PAUSE_MS);
    seq++;
    const op = [{ op: 'add', path: '/list/-', value: `socket-${seq}` }];
    for (const { type } of await Promise.all(DOCS.map((doc) => socket.submit(doc, seq, op))))
      assert.ok(type === 'commit' || type === 'ack', type);
  }
  return seq;
}

/** Each key is in the history once, at its version. A value that was taken out is gone from there on. */
async function checkHistory(race: Race, doc: string): Promise<void> {
  const written = race.written.get(doc);
  assert.ok(written);
  const changes = await race.history(doc);
  const ofKeys = new Map([...written.keys].map(([key, version]) => [clientOfKey(USER, key).client, version]));
  const byHttp = changes.filter(({ version, client }) => version > 1 && client.startsWith('http-'));
  // A restore has nothing to do where the one of another writer came first.
  const committed = new Set(byHttp.map(({ client }) => client));
  for (const key of written.keys.keys()) {
    const { client } = clientOfKey(USER, key);
    if (committed.has(client)) continue;
    assert.ok(RESTORED.includes(doc) && key.startsWith('take out'), `${doc}: ${key}`);
    ofKeys.delete(client);
  }
  assert.deepEqual(
    byHttp.map(({ client, version }) => [client, version]),
    [...ofKeys].toSorted(([, one], [, other]) => one - other),
    `${doc}: each write once`,
  );
  let content: { list: string[] } = { list: [] };
  const gone = new Set<string>();
  for (const { version, op } of changes) {
    content = jsonpatch.applyPatch(content, op, false, true).newDocument;
    for (const [value, out] of written.takenOut) if (out === version) gone.add(value);
    assert.deepEqual(
      content.list.filter((value) => gone.has(value)),
      [],
      `${doc} at ${version}: what was taken out is gone`,
    );
  }
  assert.deepEqual(await race.content(doc), content, `${doc}: the history leads to the content`);
}
