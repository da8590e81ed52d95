// The example of Lexical over y-websocket, in Chromium.
import { testExample } from './two-windows.ts';

testExample({
  name: 'lexical',
  editor: '.text',
  caretName: 'body > div span, main > div span',
  decoration: 'br',
  settled: 'Connected',
});
