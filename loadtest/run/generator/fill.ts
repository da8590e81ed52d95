// Fills the documents of a load test before it begins, one after the other.
import * as Y from 'yjs';
import { PIECE_UNITS } from '../../../kinds/rich-text/piece.ts';
import type { KindName, Wire } from '../../../protocol/messages.ts';
import { BareClient } from '../../clients/bare-client.ts';
import { RunFailure } from '../../command-line/cli-options.ts';
import type { Scenario } from '../../scenarios/scenario.ts';
import { kindOf } from './crowd.ts';

export interface FillOptions {
  readonly scenario: Scenario;
  readonly target: { readonly urls: readonly string[] };
  readonly token: string | undefined;
  /** Aborted to end early; the document of that moment stays shorter. */
  readonly signal: AbortSignal;
}

/** Characters of one patch while documents are filled: below `opBytes` in every encoding. */
const FILL_CHARACTERS = 200_000;
const FILL_LINE = 'Lines of a document that was long before the run began.\n';
/** The newline of a line takes two bytes in JSON. */
const IN_JSON = (FILL_LINE.length + 1) / FILL_LINE.length;
/** A piece is counted for each half of PIECE_UNITS of a long text. Updates of kind `yjs` are counted in base64. */
const BYTES_OF_CHARACTER: Readonly<Record<KindName, number>> = {
  'rich-text': IN_JSON + '{"insert":""},'.length / (PIECE_UNITS / 2),
  json: IN_JSON,
  yjs: 4 / 3,
};

/** Fills each document with text up to its size. */
export async function fillDocuments(
  { scenario, target, token, signal }: FillOptions,
  docs: readonly string[],
): Promise<void> {
  const [url = '', ...others] = target.urls;
  const client = new BareClient({
    url,
    others,
    client: `load-fill-${docs[0]?.split('/')[1] ?? ''}`,
    encoding: 'msgpack',
    replicas: false,
    streams: false,
    random: Math.random,
    ...(token === undefined ? {} : { token }),
  });
  try {
    await client.connect();
    for (const [index, doc] of docs.entries()) {
      if (signal.aborted) return;
      const kind = kindOf(scenario, index);
      const document = client.open(doc, { kind });
      await document.opened();
      for (const op of fillOf(kind, scenario.documents.initialBytes)) {
        if (signal.aborted) break;
        const { fate } = await document.decided(
          document.submit(op, kind === 'yjs' ? undefined : document.version),
        );
        if (fate.type !== 'ok')
          throw new RunFailure(
            `${doc} was not filled: ${fate.type === 'rejected' ? fate.code : 'no answer'}`,
          );
      }
      const closed = document.closed();
      document.close();
      await closed;
    }
  } finally {
    client.stop();
  }
}

/**
 * Patches that fill an empty document up to this size, in bytes as `limits.documentBytes` counts them. The names
 * and marks around the texts are not counted: some 20 bytes a patch.
 */
export function* fillOf(kind: KindName, bytes: number): Generator<Wire> {
  const doc = new Y.Doc();
  const characters = Math.floor(bytes / BYTES_OF_CHARACTER[kind]);
  for (let done = 0, part = 0; done < characters; done += FILL_CHARACTERS, part++) {
    const length = Math.min(FILL_CHARACTERS, characters - done);
    const text = FILL_LINE.repeat(Math.ceil(length / FILL_LINE.length)).slice(0, length);
    if (kind === 'rich-text') yield [{ insert: text }];
    else if (kind === 'json') yield [{ op: 'add', path: `/part${part}`, value: text }];
    else {
      const before = Y.encodeStateVector(doc);
      doc.getText('text').insert(0, text);
      yield Y.encodeStateAsUpdate(doc, before);
    }
  }
}
