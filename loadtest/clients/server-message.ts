// Checks field by field whether a decoded frame is a message of the contract: a client that checks its server
// must not trust a message's shape. Unknown types and unknown fields are allowed.
import type { ServerMessage } from '../../protocol/messages.ts';
import { isSeq, isVersion } from '../../protocol/names.ts';

/** The message; undefined for a type this version does not know. Throws MalformedMessage. */
export function readServerMessage(map: Record<string, unknown>): ServerMessage | undefined {
  if (typeof map.type !== 'string') throw new MalformedMessage('type', map);
  const check = CHECKS[map.type];
  if (check === undefined) return undefined;
  for (const [field, fits] of Object.entries(check)) {
    if (!fits(map[field])) throw new MalformedMessage(field, map);
  }
  const extra = map.type === 'opened' && !fitsOpened(map) ? 'since, ops or snapshot' : undefined;
  if (extra !== undefined) throw new MalformedMessage(extra, map);
  return map as object as ServerMessage;
}

export class MalformedMessage extends Error {
  override name = 'MalformedMessage';

  constructor(field: string, map: Record<string, unknown>) {
    super(`${String(map.type)}: ${field} is ${JSON.stringify(map[field])?.slice(0, 100)}`);
  }
}

type Check = Record<string, (value: unknown) => boolean>;

const isText = (value: unknown) => typeof value === 'string';
const isNumber = (value: unknown) => typeof value === 'number' && Number.isFinite(value);
const isMap = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isOptional = (fits: (value: unknown) => boolean) => (value: unknown) =>
  value === undefined || fits(value);
const isTexts = (value: unknown) => Array.isArray(value) && value.every(isText);
const isPatches = (value: unknown) =>
  Array.isArray(value) &&
  value.every((entry) => isMap(entry) && isText(entry.client) && isSeq(entry.seq) && entry.op !== undefined);

const CHECKS: Record<string, Check> = {
  welcome: { client: isText, node: isText, time: isNumber, limits: isMap, nodes: isOptional(isTexts) },
  opened: {
    doc: isText,
    kind: (value) => value === 'json' || value === 'rich-text' || value === 'yjs',
    history: isText,
    version: isVersion,
    role: isText,
    lastSeq: (value) => value === null || isVersion(value),
    presence: isMap,
  },
  commit: { doc: isText, version: isSeq, ops: (value) => isPatches(value) && (value as []).length > 0 },
  ack: { doc: isText, seq: isSeq, version: isSeq },
  reject: { doc: isText, seq: isSeq, code: isText, message: isText },
  presence: { doc: isText, states: isMap },
  role: { doc: isText, role: isText },
  closed: { doc: isText, code: isOptional(isText), message: isOptional(isText) },
  error: {
    code: isText,
    message: isText,
    retryable: (value) => typeof value === 'boolean',
    doc: isOptional(isText),
    seq: isOptional(isSeq),
    retryAfterMs: isOptional(isNumber),
  },
  draining: { reconnectInMs: isNumber },
  nodes: { nodes: isTexts },
  pong: {},
};

/** Whether it has either a snapshot, or `since` and the patches that lead from it to the version. */
function fitsOpened(map: Record<string, unknown>): boolean {
  if (map.snapshot !== undefined) return map.ops === undefined && map.since === undefined;
  return isVersion(map.since) && isPatches(map.ops);
}
