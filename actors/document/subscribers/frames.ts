// Server-to-client frames that a document's owner makes: `commit` once for all sockets, `opened`, and
// `presence` for readers that have missed some of it. It makes them in both subprotocols, with the
// WebSocket header. Pure.
import { Packr } from 'msgpackr';
import { parseJson } from '../../../protocol/json-text.ts';
import type { KindName, Role } from '../../../protocol/messages.ts';
import { headerLength, websocketFrame, writeHeader } from '../../../protocol/websocket-frame.ts';
import { type FrameCodec, JSON_FRAMES } from '../../link/link-messages.ts';
import { stateText } from '../../link/presence-text.ts';
import { type AnyKind, type Entry, frameText, opOf } from '../entry.ts';
import type { EncodedSnapshot } from '../snapshots/encoded-snapshot.ts';

/** The `history` of the wire: the id of one life of a document. */
export const historyOf = (id: number, tag = ''): string => id.toString(36) + (tag === '' ? '' : `-${tag}`);

export interface OpenedHead {
  readonly doc: string;
  readonly kind: KindName;
  readonly history: string;
  readonly version: number;
  readonly role: Role;
  readonly lastSeq: number | null;
  /** JSON text of each client's presence. */
  readonly presence: ReadonlyMap<string, string>;
  /** The subscriber. It is left out of `presence`. */
  readonly client: string;
  readonly id?: string | number | undefined;
  /** The document's state vector at its head, for a subscriber of `UPDATES`. */
  readonly vector?: Uint8Array | undefined;
}

export function commitFrame(
  codec: FrameCodec,
  kind: AnyKind,
  doc: string,
  version: number,
  run: readonly Entry[],
): Uint8Array {
  return codec === JSON_FRAMES
    ? opsFrame(`{"type":"commit","doc":"${doc}","version":${version}`, kind, run)
    : packedFrame({ type: 'commit', doc, version, ops: opsValue(kind, run) });
}

export function openedSince(
  codec: FrameCodec,
  kind: AnyKind,
  head: OpenedHead,
  since: number,
  run: readonly Entry[],
): Uint8Array {
  return codec === JSON_FRAMES
    ? opsFrame(`${headText(head)},"since":${since}`, kind, run)
    : packedFrame({ ...headValue(head), since, ops: opsValue(kind, run) });
}

export function openedSnapshot(codec: FrameCodec, head: OpenedHead, snapshot: EncodedSnapshot): Uint8Array {
  const value = snapshot.in(codec);
  const [before, after] = aroundSnapshot(codec, head, value.length);
  return Buffer.concat([before, value, after]);
}

/** The parts of an `opened` frame that stand before and after a snapshot of so many bytes. */
export function aroundSnapshot(
  codec: FrameCodec,
  head: OpenedHead,
  bytes: number,
): readonly [before: Uint8Array, after: Uint8Array] {
  if (codec === JSON_FRAMES)
    return [
      withHeader(Buffer.from(`${headText(head)},"snapshot":`), bytes + JSON_END.length, false),
      JSON_END,
    ];
  // `snapshot` is the last member: its value takes the place of the nil.
  const around = packr.pack({ ...headValue(head), snapshot: null });
  return [withHeader(around.subarray(0, -1), bytes, true), NOTHING];
}

/** `changes` has clients with their states as JSON text, null for a client that is gone. */
export function presenceFrame(
  codec: FrameCodec,
  doc: string,
  changes: readonly (readonly [client: string, data: string | null])[],
): Uint8Array {
  if (codec === JSON_FRAMES) {
    const states = changes.map(([client, data]) => `"${client}":${data && stateText(data)}`).join(',');
    return textFrame(`{"type":"presence","doc":"${doc}","states":{${states}}}`);
  }
  const states: Record<string, unknown> = {};
  for (const [client, data] of changes) states[client] = data === null ? null : parseJson(stateText(data));
  return packedFrame({ type: 'presence', doc, states });
}

const packr = new Packr({ useRecords: false, mapsAsObjects: true, variableMapSize: true });

const packedFrame = (message: object): Uint8Array => websocketFrame(packr.pack(message), true);

const JSON_END = Buffer.from('}');
const NOTHING = new Uint8Array();

/** The beginning of a frame that has `more` bytes behind it. */
function withHeader(begin: Uint8Array, more: number, binary: boolean): Uint8Array {
  const bytes = begin.length + more;
  const header = headerLength(bytes);
  const out = Buffer.allocUnsafe(header + begin.length);
  writeHeader(out, 0, bytes, binary);
  out.set(begin, header);
  return out;
}

function textFrame(text: string): Uint8Array {
  const bytes = Buffer.byteLength(text, 'utf8');
  const frame = Buffer.allocUnsafe(headerLength(bytes) + bytes);
  frame.write(text, writeHeader(frame, 0, bytes, false), 'utf8');
  return frame;
}

/**
 * A text frame that ends with the patches of `run`, whose bytes are copied. The alphabets of document names and
 * client ids have no characters that JSON escapes.
 */
function opsFrame(head: string, kind: AnyKind, run: readonly Entry[]): Uint8Array {
  const headBytes = Buffer.byteLength(head, 'utf8');
  const texts: Uint8Array[] = [];
  const before: string[] = [];
  let separator = ',"ops":[';
  let bytes = headBytes + OPS_END.length + (run.length === 0 ? separator.length : 0);
  for (const entry of run) {
    const text = frameText(kind, entry);
    const about = `${separator}{"client":"${entry.client}","seq":${entry.seq},"op":`;
    bytes += about.length + text.length + 1;
    texts.push(text);
    before.push(about);
    separator = ',';
  }
  const frame = Buffer.allocUnsafe(headerLength(bytes) + bytes);
  let at = writeHeader(frame, 0, bytes, false);
  at += frame.write(head, at, 'utf8');
  for (const [index, text] of texts.entries()) {
    at += frame.write(before[index] ?? '', at, 'latin1');
    frame.set(text, at);
    at += text.length;
    frame[at++] = CLOSING_BRACE;
  }
  if (run.length === 0) at += frame.write(separator, at, 'latin1');
  frame.write(OPS_END, at, 'latin1');
  return frame;
}

const OPS_END = ']}';
const CLOSING_BRACE = 0x7d;

const opsValue = (kind: AnyKind, run: readonly Entry[]): object[] =>
  run.map((entry) => ({ client: entry.client, seq: entry.seq, op: kind.wire(opOf(kind, entry)) }));

function headText(head: OpenedHead): string {
  let states = '';
  for (const [client, text] of head.presence) {
    if (client !== head.client) states += `${states === '' ? '' : ','}"${client}":${stateText(text)}`;
  }
  const id = head.id === undefined ? '' : `"id":${JSON.stringify(head.id)},`;
  return (
    `{"type":"opened",${id}"doc":"${head.doc}","kind":"${head.kind}","history":"${head.history}",` +
    `"version":${head.version},"role":"${head.role}","lastSeq":${head.lastSeq},"presence":{${states}}`
  );
}

function headValue(head: OpenedHead): object {
  const presence: Record<string, unknown> = {};
  for (const [client, text] of head.presence) {
    if (client !== head.client) presence[client] = parseJson(stateText(text));
  }
  const { doc, kind, history, version, role, lastSeq, id } = head;
  return {
    type: 'opened',
    ...(id === undefined ? {} : { id }),
    doc,
    kind,
    history,
    version,
    role,
    lastSeq,
    presence,
  };
}
