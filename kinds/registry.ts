// The table of all kinds of document. It owns nothing else.
import type { KindName } from '../protocol/messages.ts';
import { jsonKind } from './json/json.ts';
import { richTextKind } from './rich-text/rich-text.ts';
import { yjsKind } from './yjs/yjs.ts';

export const KINDS = { json: jsonKind, 'rich-text': richTextKind, yjs: yjsKind } as const;

/**
 * Returns the logic of a kind. Its state, operation and undo types are its own and must never be mixed with
 * another kind's.
 */
export const kindOf = <Name extends KindName>(name: Name): (typeof KINDS)[Name] => KINDS[name];
