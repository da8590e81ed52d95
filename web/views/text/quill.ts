// Quill with exactly the parts that the page uses: its core, the toolbar's formats, cursors, and the page's
// keys.

import Quill from 'quill/core.js';
import { BackgroundStyle } from 'quill/formats/background.js';
import BlockQuote from 'quill/formats/blockquote.js';
import Bold from 'quill/formats/bold.js';
import CodeBlock, { Code } from 'quill/formats/code.js';
import Header from 'quill/formats/header.js';
import Indent from 'quill/formats/indent.js';
import Italic from 'quill/formats/italic.js';
import Link from 'quill/formats/link.js';
import List from 'quill/formats/list.js';
import Strike from 'quill/formats/strike.js';
import Underline from 'quill/formats/underline.js';
import Toolbar from 'quill/modules/toolbar.js';
import QuillCursors from 'quill-cursors/core';
import { LINE_START_BINDINGS } from './typing.ts';

export { Quill };

export interface EditorOptions {
  container: HTMLElement;
  toolbar: HTMLElement;
  bounds: HTMLElement;
  placeholder: string;
  /** The link button or Ctrl+K was pressed. */
  link(): void;
  /** Puts the focus on the toolbar. */
  enterToolbar(): void;
  /** A file was dropped or pasted. */
  refuseFiles(): void;
}

export function createEditor(options: EditorOptions): Quill {
  register();
  return new Quill(options.container, {
    placeholder: options.placeholder,
    bounds: options.bounds,
    formats: [...FORMATS],
    modules: {
      cursors: {
        hideDelayMs: 1500,
        hideSpeedMs: 250,
        selectionChangeSource: null,
        boundsContainer: options.bounds,
      },
      keyboard: { bindings: bindings(options) },
      toolbar: { container: options.toolbar, handlers: { link: options.link } },
      uploader: { mimetypes: ['*'], handler: options.refuseFiles },
    },
  });
}

/** Shows a text to read. Its parts may also have a background. */
export function createReader(container: HTMLElement): Quill {
  register();
  return new Quill(container, {
    readOnly: true,
    formats: [...FORMATS, 'background'],
    modules: { toolbar: false },
  });
}

const FORMATS = [
  'bold',
  'italic',
  'underline',
  'strike',
  'code',
  'link',
  'header',
  'list',
  'indent',
  'blockquote',
  'code-block',
] as const;

type Handler = (
  this: { quill: Quill },
  range: { index: number },
  context: { format: Record<string, unknown> },
) => boolean;

/**
 * Bindings that replace Quill's own. Tab goes to the next control and never stays in the text (WCAG 2.1.2),
 * so lines are indented by Ctrl+] and Ctrl+[.
 */
function bindings(options: EditorOptions): Record<string, object | null> {
  const link: Handler = () => {
    options.link();
    return false;
  };
  const enterToolbar: Handler = () => {
    options.enterToolbar();
    return false;
  };
  const indent = (step: '+1' | '-1'): Handler =>
    function (range, context) {
      if (context.format['code-block'] === undefined) this.quill.format('indent', step, 'user');
      else if (step === '+1') this.quill.insertText(range.index, '\t', 'user');
      return false;
    };
  return {
    tab: null,
    indent: null,
    outdent: null,
    'remove tab': null,
    'indent code-block': null,
    'outdent code-block': null,
    'table tab': null,
    link: { key: 'k', shortKey: true, handler: link },
    'enter toolbar': { key: 'F10', altKey: true, handler: enterToolbar },
    'more indent': { key: ']', shortKey: true, handler: indent('+1') },
    'less indent': { key: '[', shortKey: true, handler: indent('-1') },
    ...LINE_START_BINDINGS,
  };
}

let registered = false;
function register(): void {
  if (registered) return;
  registered = true;
  Quill.debug('error');
  Quill.register({
    'formats/background': BackgroundStyle,
    'formats/bold': Bold,
    'formats/italic': Italic,
    'formats/underline': Underline,
    'formats/strike': Strike,
    'formats/code': Code,
    'formats/link': Link,
    'formats/header': Header,
    'formats/indent': Indent,
    'formats/list': List,
    'formats/blockquote': BlockQuote,
    'formats/code-block': CodeBlock,
    'modules/toolbar': Toolbar,
    'modules/cursors': QuillCursors,
  });
}
