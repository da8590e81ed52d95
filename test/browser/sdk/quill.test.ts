// `troupe/quill` with a stock Quill in a real browser, beside a second client of the same document: the
// embeds that are shown, the chips that may be pasted, and the end of a binding.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import type { Page } from 'playwright-core';
import { WebSocket } from 'ws';
import { type RichTextDocument, TroupeClient } from '../../../client/index.ts';
import { bundle } from '../../examples/blocks.ts';
import { FileNode } from '../../gateway/wire/contract.ts';
import { type Chromium, launchChromium } from '../../support/chromium.ts';
import type { TestNode } from '../../support/node.ts';
import { EDITOR } from '../windows.ts';

const PICTURE = 'data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==';

interface Stage {
  readonly chromium: Chromium;
  readonly node: TestNode;
  /** The bundle of PAGE. */
  readonly script: string;
}

/** A page with an editor. The element of the editor names the node and the document. */
const PAGE = `import Quill from 'quill';
import { TroupeClient } from 'troupe/client';
import { bindQuill } from 'troupe/quill';
const { url, name } = document.querySelector('#editor').dataset;
const doc = new TroupeClient({ urls: [url] }).open(name, 'rich-text');
const editor = new Quill('#editor', { theme: 'snow' });
const user = { name: 'Ada', color: '#be123c' };
const app = { doc, editor, bind() { app.binding = bindQuill(editor, doc, { user }); } };
// A binding that ends before the document is there leaves nothing behind.
app.bind();
app.binding.destroy();
app.bind();
Object.assign(window, { app });
`;

/** An editor at a new document, and a second client of that document. */
async function begin(
  t: TestContext,
  { chromium, node, script }: Stage,
): Promise<{ page: Page; doc: RichTextDocument }> {
  const name = `acme/plan-${randomUUID()}`;
  const client = new TroupeClient({ urls: [node.socketUrl], webSocket: WebSocket });
  t.after(() => client.close());
  const doc = client.open(name, 'rich-text');
  await doc.ready;
  // Chromium asks for an icon, which that address does not have.
  const page = await chromium.window(t, { bypassCSP: true, expectedErrors: /status of 404/ });
  page.setDefaultTimeout(30_000);
  await page.goto(`${node.url}healthz`);
  const names = `data-url="${node.socketUrl}" data-name="${name}"`;
  await page.setContent(`<!doctype html><link rel="icon" href="data:,"><div id="editor" ${names}></div>`);
  await page.addScriptTag({ content: script });
  await page.locator(`${EDITOR}[contenteditable=true]`).waitFor();
  return { page, doc };
}

/** Resolves once the client's document is `ops`. */
async function becomes(doc: RichTextDocument, ops: object[]): Promise<void> {
  const wanted = JSON.stringify(ops);
  const deadline = AbortSignal.timeout(30_000);
  while (JSON.stringify(doc.content.ops) !== wanted) {
    await new Promise<void>((resolve, reject) => {
      const late = () => reject(new Error(`not ${wanted} but ${JSON.stringify(doc.content.ops)}`));
      deadline.addEventListener('abort', late, { once: true });
      const stop = doc.on('change', () => {
        stop();
        deadline.removeEventListener('abort', late);
        resolve();
      });
    });
  }
}

const shared = new FileNode();

test('troupe/quill', async (file) => {
  const chromium = await launchChromium(file);
  const { node } = shared;
  const { script } = await bundle(PAGE);
  const on = { chromium, node, script };

  await file.test(
    'a stock editor shows the embeds that it knows and chips for others, and all come back as they were',
    async (t) => {
      const { page, doc } = await begin(t, on);
      const embeds = [
        { insert: { image: PICTURE } },
        { insert: { video: 'https://example.com/film' } },
        { insert: { mention: { id: 7 } } },
        { insert: { foreign: '{"a":1,"b":2}' } },
      ];
      doc.edit([{ insert: 'x' }, ...embeds, { insert: 'y' }]);
      await page.locator(`${EDITOR} img[src^="data:image/gif"]`).waitFor();
      for (const name of ['video', 'mention', 'foreign'])
        await page.locator(`${EDITOR} .ql-foreign`).getByText(name).waitFor();
      await page.locator(EDITOR).press('Control+End');
      await page.keyboard.type('!');
      await becomes(doc, [{ insert: 'x' }, ...embeds, { insert: 'y!\n' }]);

      // A chip that is cut and pasted is the embed that it stands for.
      await page.keyboard.press('Control+a');
      await page.keyboard.press('Control+x');
      await becomes(doc, [{ insert: '\n' }]);
      await page.keyboard.press('Control+v');
      await becomes(doc, [{ insert: 'x' }, ...embeds, { insert: 'y!\n' }]);
    },
  );

  await file.test('pasted HTML that looks like a chip and holds no embed is its text', async (t) => {
    const { page, doc } = await begin(t, on);
    const chips = ['{', '[]', '{"a":1,"b":2}', 'null']
      .map((json) => `<span class="ql-foreign" data-embed='${json}'>t</span>`)
      .join('');
    await page.locator(EDITOR).focus();
    await page.evaluate((html) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/html', html);
      document
        .querySelector('.ql-editor')
        ?.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
    }, chips);
    await becomes(doc, [{ insert: 'tttt\n' }]);
  });

  await file.test(
    'a binding that has ended leaves the editor read-only, takes its caret away, and another one goes on',
    async (t) => {
      const { page, doc } = await begin(t, on);
      await page.locator(EDITOR).pressSequentially('One.');
      await becomes(doc, [{ insert: 'One.\n' }]);
      while (doc.cursors.size === 0)
        await new Promise<void>((resolve) => {
          const stop = doc.on('cursors', () => {
            stop();
            resolve();
          });
        });
      assert.deepEqual(
        [...doc.presence.states.values()].map(
          (data) => typeof data === 'object' && data !== null && 'name' in data && data.name,
        ),
        ['Ada'],
      );

      const gone = new Promise<void>((resolve) => {
        doc.presence.on('change', () => doc.presence.states.size === 0 && resolve());
      });
      await page.evaluate('app.binding.destroy()');
      await page.locator(`${EDITOR}[contenteditable=false]`).waitFor();
      await gone;
      assert.equal(doc.cursors.size, 0);
      doc.edit([{ retain: 4 }, { insert: ' Two.' }]);
      await page.waitForFunction("app.doc.content.ops[0].insert === 'One. Two.\\n'");
      assert.equal(await page.evaluate('app.editor.getText()'), 'One.\n');

      await page.evaluate('app.bind()');
      await page.locator(`${EDITOR}[contenteditable=true]`).getByText('One. Two.').waitFor();
      await page.locator(EDITOR).press('Control+End');
      await page.keyboard.type('!');
      await becomes(doc, [{ insert: 'One. Two.!\n' }]);
      await page.keyboard.press('Control+z');
      await page.keyboard.press('Control+z');
      await becomes(doc, [{ insert: ' Two.\n' }]);
    },
  );
});
