// The table of the kinds of document there are. It owns nothing else.
import type { KindName } from '../protocol/messages.ts';
import { jsonKind } from './json/json.ts';
import { richTextKind } from './rich-text/rich-text.ts';
import { yjsKind } from './yjs/yjs.ts';

export const KINDS = { json: jsonKind, 'rich-text': richTextKind, yjs: yjsKind } as const;

/** The logic of a kind. Its state, operation and undo types are its own: hold them as one kind's, never mixed. */
export const kindOf = <Name extends KindName>(name: Name): (typeof KINDS)[Name] => KINDS[name];
