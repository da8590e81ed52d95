// Recorded traces, replayed on a real node in both kinds of text.
import { endsAsItsAuthorsLeftIt } from './replay/replayed-trace.ts';

endsAsItsAuthorsLeftIt('sveltecomponent', 'rich-text');
endsAsItsAuthorsLeftIt('clownschool', 'rich-text');
endsAsItsAuthorsLeftIt('clownschool', 'yjs');
