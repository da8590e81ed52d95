// The example of CodeMirror over y-websocket, in Chromium.
import { testExample } from './two-windows.ts';

testExample({
  name: 'codemirror',
  editor: '.cm-content',
  caretName: '.cm-ySelectionInfo',
  decoration: '.cm-ySelectionCaret',
  settled: 'Connected',
});
