// Quill with exactly what the page uses: its core, the toolbar's formats, cursors, and undo handed
// to the shared document, since Quill's own history would take back other people's edits.

import Embed from 'quill/blots/embed.js';
import Quill, { Module } from 'quill/core.js';
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
import { FOREIGN } from './display.ts';
import { LINE_START_BINDINGS } from './typing.ts';

export { Quill, type QuillCursors, type Toolbar };

export interface EditorOptions {
  container: HTMLElement;
  toolbar: HTMLElement;
  bounds: HTMLElement;
  placeholder: string;
  undo(): void;
  redo(): void;
  /** The next edit is to be undone by itself. */
  undoGroup(): void;
  /** The link button, or Ctrl+K. */
  link(): void;
  /** The focus is to go to the toolbar. */
  enterToolbar(): void;
  /** A file was dropped or pasted. */
  refuseFiles(): void;
}

export function createEditor(options: EditorOptions): Quill {
  register();
  return new Quill(options.container, {
    placeholder: options.placeholder,
    bounds: options.bounds,
    formats: [...FORMATS, FOREIGN],
    modules: {
      cursors: {
        hideDelayMs: 1500,
        hideSpeedMs: 250,
        selectionChangeSource: null,
        boundsContainer: options.bounds,
      },
      keyboard: { bindings: bindings(options) },
      history: { undo: options.undo, redo: options.redo, group: options.undoGroup },
      toolbar: { container: options.toolbar, handlers: { link: options.link } },
      uploader: { mimetypes: ['*'], handler: options.refuseFiles },
    },
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
 * Over Quill's own. Tab goes to the next control and never stays in the text (WCAG 2.1.2), so lines are
 * indented by Ctrl+] and Ctrl+[.
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

interface HistoryOptions {
  undo(): void;
  redo(): void;
  group(): void;
}

/** Quill's history module, by interface; the shared document keeps the entries. */
class SharedHistory extends Module<HistoryOptions> {
  constructor(quill: Quill, options: Partial<HistoryOptions>) {
    super(quill, options);
    const undo = (): boolean => this.undo();
    const redo = (): boolean => this.redo();
    quill.keyboard.addBinding({ key: 'z', shortKey: true }, undo);
    quill.keyboard.addBinding({ key: ['z', 'Z'], shortKey: true, shiftKey: true }, redo);
    quill.keyboard.addBinding({ key: 'y', ctrlKey: true }, redo);
    quill.root.addEventListener('beforeinput', (event) => {
      if (event.inputType !== 'historyUndo' && event.inputType !== 'historyRedo') return;
      event.preventDefault();
      if (event.inputType === 'historyUndo') undo();
      else redo();
    });
  }
  undo(): boolean {
    this.options.undo?.();
    return false;
  }
  redo(): boolean {
    this.options.redo?.();
    return false;
  }
  cutoff(): void {
    this.options.group?.();
  }
  clear(): void {}
}

/** A chip in the place of content that this editor cannot show; it can be moved and deleted. */
class ForeignEmbed extends Embed {
  static override blotName = FOREIGN;
  static override tagName = 'SPAN';
  static override className = 'foreign';
  static override create(value?: unknown): HTMLElement {
    const node = document.createElement('span');
    node.className = ForeignEmbed.className;
    const json = typeof value === 'string' ? value : '{}';
    node.dataset.embed = json;
    node.append(nameOf(json));
    return node;
  }
  static override value(node: HTMLElement): string {
    return node.dataset.embed ?? '{}';
  }
}

function nameOf(json: string): string {
  const [key = 'content'] = Object.keys(JSON.parse(json));
  return key.slice(0, 24);
}

let registered = false;
function register(): void {
  if (registered) return;
  registered = true;
  Quill.debug('error');
  Quill.register({
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
    [`formats/${FOREIGN}`]: ForeignEmbed,
    'modules/toolbar': Toolbar,
    'modules/cursors': QuillCursors,
  });
  Quill.register('modules/history', SharedHistory, true);
}
