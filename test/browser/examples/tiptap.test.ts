// The example of Tiptap over @hocuspocus/provider, in Chromium.
import { testExample } from './two-windows.ts';

testExample({
  name: 'tiptap',
  editor: '.tiptap',
  caretName: '.collaboration-carets__label',
  decoration: '.collaboration-carets__caret',
  settled: 'Saved',
});
