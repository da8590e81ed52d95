// Searches for old seqs over random logs: the answers agree with the log, and the reads are bounded and
// shared.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_SEARCHES, SeqSearches } from '../../../actors/loading/seq-search.ts';
import { type SeqPage, StoreUnavailable } from '../../../actors/storage/store.ts';
import { type Random, seededRandom } from '../../../loadtest/clients/random-edits.ts';

const CLIENTS = ['ann', 'bob', 'cid'] as const;
const PAGE = 7;

interface Row {
  readonly client: string;
  readonly seq: number;
}

/** A log of `length` versions without those up to `folded`. The seqs of each client rise with holes. */
function logOf(random: Random, length: number, folded = 0) {
  const seqs = new Map<string, number>();
  const rows: Row[] = [];
  const append = (): void => {
    const client = CLIENTS[Math.floor(CLIENTS.length * random() ** 3)] ?? 'ann';
    const seq = (seqs.get(client) ?? 0) + 1 + Math.floor(3 * random());
    seqs.set(client, seq);
    rows.push({ client, seq });
  };
  for (let i = 0; i < length; i++) append();
  let reads = 0;
  let underWay = 0;
  let most = 0;
  return {
    append,
    lastSeq: (client: string) => seqs.get(client) ?? 0,
    versionOf: (client: string, seq: number) => {
      const version = rows.findIndex((row) => row.client === client && row.seq === seq) + 1;
      return version > folded ? version : undefined;
    },
    get reads() {
      return reads;
    },
    get most() {
      return most;
    },
    read: async (_doc: number, client: string, upTo: number): Promise<SeqPage> => {
      reads++;
      most = Math.max(most, ++underWay);
      await new Promise(setImmediate);
      underWay--;
      const end = Math.min(upTo, rows.length);
      const from = Math.max(folded + 1, end - PAGE + 1);
      if (end <= folded) return { from: 1, pairs: [] };
      const pairs: (readonly [number, number])[] = [];
      for (let version = end; version >= from; version--) {
        const row = rows[version - 1];
        if (row?.client === client) pairs.push([row.seq, version]);
      }
      return { from, pairs };
    },
  };
}

test('ONCE-2 every seq is found as the version that it has in the log, and no other is, also while the log grows', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = seededRandom(seed);
    const log = logOf(random, 120, Math.floor(40 * random()));
    const searches = new SeqSearches(log.read);
    for (let i = 0; i < 150; i++) {
      const client = CLIENTS[Math.floor(CLIENTS.length * random())] ?? 'ann';
      const seq = 1 + Math.floor((log.lastSeq(client) + 2) * random());
      if (random() < 0.2) log.append();
      assert.equal(
        await searches.find(1, client, seq),
        log.versionOf(client, seq),
        `seed ${seed}: ${client} ${seq}`,
      );
    }
  }
});

test('the log is read through once: then each old seq costs a page at most, and one that was not there none', async () => {
  const log = logOf(seededRandom(1), 1_000);
  const searches = new SeqSearches(log.read);
  await searches.find(1, 'ann', 1);
  assert.ok(log.reads <= Math.ceil(1_000 / PAGE) + 1);
  for (let seq = 1; seq < log.lastSeq('ann'); seq += 17) {
    const before = log.reads;
    assert.equal(await searches.find(1, 'ann', seq), log.versionOf('ann', seq));
    assert.ok(log.reads - before <= 1, `seq ${seq} cost ${log.reads - before} pages`);
  }
});

test('pages are read one at a time, and a short search does not wait for a long one', async () => {
  const log = logOf(seededRandom(2), 2_000);
  const searches = new SeqSearches(log.read);
  const ended: string[] = [];
  const long = searches.find(1, 'ann', 1).then(() => ended.push('long'));
  const late = log.lastSeq('bob');
  const short = searches.find(2, 'bob', late).then(() => ended.push('short'));
  await Promise.all([long, short]);
  assert.deepEqual(ended, ['short', 'long']);
  assert.equal(log.most, 1);
});

test('past their bound searches are refused; one that fails fails alone', async () => {
  let fail = true;
  const searches = new SeqSearches(async () => {
    await new Promise(setImmediate);
    if (fail) {
      fail = false;
      throw new StoreUnavailable('away');
    }
    return { from: 1, pairs: [] };
  });
  const first = searches.find(1, 'ann', 1);
  const all = Array.from({ length: MAX_SEARCHES }, (_, i) => searches.find(1, `client-${i}`, 1));
  await assert.rejects(searches.find(1, 'bob', 1), StoreUnavailable);
  await assert.rejects(first, StoreUnavailable);
  assert.ok((await Promise.all(all)).every((version) => version === undefined));
});
