// Fills the documents of a load test before it begins, one after the other.
import * as Y from 'yjs';
import type { KindName, Wire } from '../../../protocol/messages.ts';
import { BareClient } from '../../clients/bare-client.ts';
import { RunFailure } from '../../command-line/cli-options.ts';
import type { Scenario } from '../../scenarios/scenario.ts';
import { kindOf } from './crowd.ts';

export interface FillOptions {
  readonly scenario: Scenario;
  readonly target: { readonly urls: readonly string[] };
  readonly token: string | undefined;
}

/** Characters of one patch while documents are filled: below `opBytes` in every encoding. */
const FILL_CHARACTERS = 200_000;

/** Fills each document with text up to its size. */
export async function fillDocuments(
  { scenario, target, token }: FillOptions,
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
      const kind = kindOf(scenario, index);
      const document = client.open(doc, { kind });
      await document.opened();
      for (const op of fillOf(kind, scenario.documents.initialBytes)) {
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

function* fillOf(kind: KindName, bytes: number): Generator<Wire> {
  const line = 'Lines of a document that was long before the run began.\n';
  const doc = new Y.Doc();
  for (let done = 0, part = 0; done < bytes; done += FILL_CHARACTERS, part++) {
    const length = Math.min(FILL_CHARACTERS, bytes - done);
    const text = line.repeat(Math.ceil(length / line.length)).slice(0, length);
    if (kind === 'rich-text') yield [{ insert: text }];
    else if (kind === 'json') yield [{ op: 'add', path: `/part${part}`, value: text }];
    else {
      const before = Y.encodeStateVector(doc);
      doc.getText('text').insert(0, text);
      yield Y.encodeStateAsUpdate(doc, before);
    }
  }
}
