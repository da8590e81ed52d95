// The base of a submit: left out, a version, and anything else.
import assert from 'node:assert/strict';
import { commits, FileNode, inBoth, outcome } from './contract.ts';

const file = new FileNode();

const add = (name: string, value: unknown) => [{ op: 'add', path: `/${name}`, value }];

inBoth('SUBMIT-2 base left out, or null, is the head on arrival', async (t, codec) => {
  const client = await file.connect(t, codec);
  const doc = file.newDoc();
  await client.open(doc, 'json');
  client.send({ type: 'submit', doc, seq: 1, op: add('a', []) });
  client.send({ type: 'submit', doc, seq: 2, op: [{ op: 'add', path: '/a/0', value: 'one' }] });
  client.send({
    type: 'submit',
    doc,
    seq: 3,
    base: null,
    op: [{ op: 'replace', path: '/a/0', value: 'two' }],
  });
  const ops = await commits(client, doc, 0, 3);
  assert.deepEqual(
    ops.map((entry) => entry.seq),
    [1, 2, 3],
  );
});

const NO_VERSIONS = [-1, 0.5, 1e300, '0', true, [0], { version: 0 }] as const;

inBoth(
  'SUBMIT-2 SUBMIT-5 a base that is no version: reject bad-op, or what became of the seq',
  async (t, codec) => {
    for (const kind of ['json', 'rich-text']) {
      const client = await file.connect(t, codec);
      const doc = file.newDoc();
      await client.open(doc, kind);
      assert.equal((await client.submit(doc, 1, [])).type, 'commit');
      const submit = (seq: number, base: unknown) => client.submit(doc, seq, [], base as number);
      assert.equal(outcome(await submit(1, 'x')), 'ack');
      for (const [at, base] of NO_VERSIONS.entries())
        assert.equal(outcome(await submit(at + 2, base)), 'reject bad-op', JSON.stringify(base));
      assert.equal((await client.submit(doc, 20, [], 1)).type, 'commit');
      assert.deepEqual(client.received, []);
    }
  },
);

inBoth('SUBMIT-2 for yjs the base is ignored, whatever it is', async (t, codec) => {
  const client = await file.connect(t, codec);
  const doc = file.newDoc();
  await client.open(doc, 'yjs');
  for (const [at, base] of [...NO_VERSIONS, 99].entries()) {
    const answer = await client.submit(doc, at + 1, Uint8Array.of(0, 0), base as number);
    assert.equal(outcome(answer), 'commit', JSON.stringify(base));
  }
});
