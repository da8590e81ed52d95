// Traces that take longer to replay than the one of node.test.ts, in both kinds of text.
import { endsAsItsAuthorsLeftIt } from './replay/replayed-trace.ts';

endsAsItsAuthorsLeftIt('clownschool', 'rich-text');
endsAsItsAuthorsLeftIt('clownschool', 'yjs');
