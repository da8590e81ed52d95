// Rich-text documents as text, Markdown and HTML. No content of a document becomes markup of its own.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { JobOutcome } from '../../src/compute/job-pool.ts';
import { startFormatPool } from '../../src/http/documents/formats/format-pool.ts';
import { FORMATS, formatted } from '../../src/http/documents/formats/formats.ts';
import { FileApi, json } from './api-client.ts';

const file = new FileApi();

const html = (delta: unknown): string => formatted(delta, 'html');
const markdown = (delta: unknown): string => formatted(delta, 'markdown');

const DOCUMENT = [
  { insert: 'The plan' },
  { insert: '\n', attributes: { header: 1 } },
  { insert: 'Read ' },
  { insert: 'this', attributes: { bold: true, italic: true } },
  { insert: ' at ' },
  { insert: 'home', attributes: { link: 'https://example.com/a?b=1&c=2' } },
  { insert: '.\none' },
  { insert: '\n', attributes: { list: 'ordered' } },
  { insert: 'inner' },
  { insert: '\n', attributes: { list: 'bullet', indent: 1 } },
  { insert: 'two' },
  { insert: '\n', attributes: { list: 'ordered' } },
  { insert: 'a < b' },
  { insert: '\n', attributes: { 'code-block': true } },
  { insert: 'c && d' },
  { insert: '\n', attributes: { 'code-block': true } },
  { insert: 'said' },
  { insert: '\n', attributes: { blockquote: true } },
];

test('DOC-12 HTML has the blocks and marks of the document', () => {
  assert.equal(
    html(DOCUMENT),
    '<h1>The plan</h1>' +
      '<p>Read <strong><em>this</em></strong> at <a href="https://example.com/a?b=1&#x26;c=2">home</a>.</p>' +
      '<ol><li>one<ul><li>inner</li></ul></li><li>two</li></ol>' +
      '<pre><code>a &#x3C; b\nc &#x26;&#x26; d\n</code></pre>' +
      '<blockquote><p>said</p></blockquote>',
  );
});

test('DOC-12 Markdown and text have them too, as far as they can', () => {
  assert.equal(
    markdown(DOCUMENT),
    [
      '# The plan',
      '',
      'Read **_this_** at [home](https://example.com/a?b=1\\&c=2).',
      '',
      '1. one',
      '   * inner',
      '2. two',
      '',
      '```',
      'a < b',
      'c && d',
      '```',
      '',
      '> said',
      '',
    ].join('\n'),
  );
  assert.equal(
    formatted(DOCUMENT, 'text'),
    'The plan\nRead this at home.\none\ninner\ntwo\na < b\nc && d\nsaid\n',
  );
});

const ATTACKS: readonly unknown[] = [
  { insert: '<script>alert(1)</script><img src=x onerror=alert(1)>\n' },
  { insert: 'x', attributes: { link: 'javascript:alert(1)' } },
  { insert: 'x', attributes: { link: ' JaVaScRiPt:alert(1)' } },
  { insert: 'x', attributes: { link: 'data:text/html,<script>alert(1)</script>' } },
  { insert: 'x', attributes: { link: '"><script>alert(1)</script>' } },
  { insert: { image: 'javascript:alert(1)' } },
  { insert: { image: '" onerror="alert(1)' } },
  { insert: { video: 'https://example.com/"><script>' } },
  {
    insert: 'x',
    attributes: { bold: '<script>', color: 'red;}</style><script>', onclick: 'alert(1)', style: 'x' },
  },
  { insert: '\n', attributes: { header: '<script>', list: '"><script>', 'code-block': '</code><script>' } },
];

test('DOC-12 no content of a document becomes markup, in HTML and in what Markdown makes of it', () => {
  for (const attack of ATTACKS) {
    const delta = [attack, { insert: 'end\n' }];
    for (const whole of [html(delta), markdown(delta)]) {
      assert.doesNotMatch(whole, /(?:href|src)="\s*(?:javascript|data):/i, whole);
      // The value of an attribute ends at its quote, whatever is in it.
      const text = whole.replace(/="[^"]*"/g, '=""');
      const tags = [...text.matchAll(/(?<!\\)<\/?([a-z0-9]+)/gi)].map(([, tag]) => tag);
      assert.ok(!tags.includes('script') && !tags.includes('iframe'), text);
      assert.doesNotMatch(text, /\]\(<?\s*(?:javascript|data):/i, text);
      assert.doesNotMatch(text, /(?<!\\)<[a-z]+[^>]*\son[a-z]+=/i, text);
      assert.match(text, /end/);
    }
  }
});

test('DOC-12 over HTTP a format has its media type, runs nothing, and is for rich-text alone', async () => {
  const { node, api, org } = await file.use();
  await api.call(`PUT /v1/docs/${org}/text`, json({ kind: 'rich-text', content: DOCUMENT }));
  for (const [format, type] of [
    ['text', 'text/plain; charset=utf-8'],
    ['markdown', 'text/markdown; charset=utf-8'],
    ['html', 'text/html; charset=utf-8'],
  ] as const) {
    const answer = await fetch(new URL(`/v1/docs/${org}/text?format=${format}`, node.url));
    assert.equal(answer.headers.get('content-type'), type);
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    assert.match(answer.headers.get('content-security-policy') ?? '', /default-src 'none'.*; sandbox$/);
    assert.match(answer.headers.get('etag') ?? '', /\.1"$/);
    assert.equal(await answer.text(), formatted(DOCUMENT, format));
  }
  await api.call(`PUT /v1/docs/${org}/data`, json({ kind: 'json' }));
  assert.equal((await api.call(`GET /v1/docs/${org}/data?format=html`)).refused, '409 wrong-kind');
  assert.equal((await api.call(`GET /v1/docs/${org}/text?format=pdf`)).refused, '400 bad-message');
});

/** A document of these bytes and more, with marks and lists. */
function large(bytes: number): unknown[] {
  const delta: unknown[] = [];
  for (let size = 0; size < bytes; size += 90)
    delta.push(
      { insert: 'a < b', attributes: { bold: true } },
      { insert: '\n', attributes: { list: 'bullet' } },
    );
  return delta;
}

test('DOC-12 over HTTP a document above 256 KiB has every format', async () => {
  const { node, api, org } = await file.use();
  const content = large(260 * 1024);
  await api.call(`PUT /v1/docs/${org}/large`, json({ kind: 'rich-text', content }));
  const texts: string[] = [];
  for (const format of FORMATS) {
    const answer = await fetch(new URL(`/v1/docs/${org}/large?format=${format}`, node.url));
    assert.equal(answer.status, 200);
    texts.push(await answer.text());
  }
  // Not between the requests: the node turns in this thread, and refuses requests when it is held up.
  for (const [i, format] of FORMATS.entries()) assert.equal(texts[i], formatted(content, format));
});

test('DOC-12 a thread writes large documents: one that takes too long is too-large, one that nobody waits for is stopped, and too many are overloaded', async (t: TestContext) => {
  const pieces = [Buffer.from(JSON.stringify(large(64 * 1024)))];
  const wanted = new AbortController();
  const start = (timeoutMs: number) => {
    const pool = startFormatPool({ timeoutMs, waiting: 1, onEnded: () => undefined });
    t.after(() => pool.stop());
    return (signal = wanted.signal) => pool.write(pieces, 'markdown', signal);
  };
  assert.equal(codeOf(await start(1)()), 'too-large');
  const write = start(60_000);
  const given = new AbortController();
  const [gone, waits, tooMany] = [write(given.signal), write(), write()];
  assert.equal(codeOf(await tooMany), 'overloaded');
  given.abort(new Error('the client has gone'));
  await assert.rejects(gone, /the client has gone/);
  assert.equal(codeOf(await waits), 'written');
});

const codeOf = (outcome: JobOutcome): string => (outcome.ok ? 'written' : outcome.code);
