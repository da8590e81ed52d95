// The words of `troupe import` and `troupe export`. A command line becomes a value; this module runs nothing.
import { Argument, type Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { examples } from '../../../config/command-line/command-line.ts';
import { isDocumentPrefix, isOrganisation, parseDocumentName } from '../../../protocol/names.ts';
import { type Renaming, readRenaming } from './names.ts';
import { ENCODINGS } from './stores/encoding.ts';
import type { StorePlace } from './stores/open-store.ts';
import { FORMS, USUAL_TABLE } from './stores/yjs-store.ts';

interface MovingWords extends StorePlace {
  /** The node's URL. Undefined: that of the configuration. */
  readonly node: string | undefined;
  readonly tokenFile: string | undefined;
  readonly renamings: readonly Renaming[];
}

export interface ImportWords extends MovingWords {
  /** The organisation of all names. Undefined: the names are `org/doc` already. */
  readonly org: string | undefined;
  readonly after: string | undefined;
  readonly dryRun: boolean;
}

export interface ExportWords extends MovingWords {
  readonly patterns: readonly DocumentPattern[];
  readonly withoutOrg: boolean;
}

/** One document, or all documents of an organisation whose names begin with `doc`. */
export interface DocumentPattern {
  readonly org: string;
  readonly doc: string;
  readonly isPrefix: boolean;
}

export function describeImport(command: Command, take: (words: ImportWords) => void): void {
  withStore(command)
    .description('Bring the documents of another Yjs server into a running node.')
    .addArgument(new Argument('<FORM>', FORM).choices(FORMS))
    .argument('<FROM>', PLACE)
    .option(
      '--org <ORG>',
      'the organisation for all documents (default: their names are org/doc)',
      organisation,
    )
    .option('--after <NAME>', 'only documents behind this name, to go on with a run that was broken off')
    .option('--dry-run', 'write nothing, and tell what would be done')
    .addHelpText(
      'after',
      `
A document that is there already gets what it lacks, so a second run writes nothing. Documents that cannot be taken
are told, and the exit code is then 1. Stop the other server first.
${examples(
  'troupe import hocuspocus-sqlite db.sqlite --org acme',
  "troupe import hocuspocus-postgres postgres://me@host/app --rename '^([a-z]+)\\.(.+)$=$1/$2'",
  'troupe import y-leveldb ./yjs-documents --org acme --node https://docs.example.com --token-file token.jwt',
  'troupe import hocuspocus-postgres postgres://me@host/app --table yredis_docs_v1 --name-column room --data-column update --encoding v2 --org acme',
  'troupe import bin ./documents',
)}`,
    )
    .action((form, place, { org, after, dryRun = false, ...store }) =>
      take({ form, place, org, after, dryRun, ...storeWords(store) }),
    );
}

export function describeExport(command: Command, take: (words: ExportWords) => void): void {
  withStore(command)
    .description('Leave the Yjs documents of a running node in a store of another Yjs server.')
    .addArgument(new Argument('<FORM>', FORM).choices(FORMS))
    .argument('<TO>', PLACE)
    .addArgument(
      new Argument(
        '<MATCH...>',
        'an organisation (org), a document (org/name) or a beginning (org/name*)',
      ).argParser(pattern),
    )
    .option('--without-org', 'name documents without their organisation (default: org/doc)')
    .addHelpText(
      'after',
      `
Documents that the store has already get what they lack: nothing in the store is lost.
${examples(
  'troupe export hocuspocus-sqlite db.sqlite acme --without-org',
  'troupe export bin ./documents acme other/plan',
)}`,
    )
    .action((form, place, patterns, { withoutOrg = false, ...store }) =>
      take({ form, place, patterns, withoutOrg, ...storeWords(store) }),
    );
}

const FORM = 'how the other server keeps documents';
const PLACE = 'the file, the folder, or the URL of the database; PGPASSWORD may have the password';

function withStore(command: Command) {
  const { table, nameColumn, dataColumn } = USUAL_TABLE;
  return command
    .option('--node <URL>', 'the node (default: listen.host and listen.port of the configuration)')
    .option(
      '--token-file <FILE>',
      'a token for the node (default: signed with auth.jwt.secret, if it is set)',
    )
    .option('--table <TABLE>', 'the table of the Hocuspocus forms; PostgreSQL: also schema.table', table)
    .option('--name-column <COLUMN>', 'its column with the name', nameColumn)
    .option('--data-column <COLUMN>', 'its column with the Yjs update', dataColumn)
    .addOption(
      new Option(
        '--encoding <VERSION>',
        'of the updates in the store; Hocuspocus and y-websocket have v1, y-redis has v2',
      )
        .choices(ENCODINGS)
        .default('v1' as const),
    )
    .option(
      '--rename <RULE>',
      'REGEX=REPLACEMENT for names, before --org and after --without-org; repeatable, the first that matches counts',
      renaming,
    );
}

function storeWords({
  node,
  tokenFile,
  table,
  nameColumn,
  dataColumn,
  encoding,
  rename: renamings = [],
}: ReturnType<ReturnType<typeof withStore>['opts']>) {
  return { node, tokenFile, table: { table, nameColumn, dataColumn }, encoding, renamings };
}

/** Collects `--rename`. */
function renaming(text: string, before: readonly Renaming[] = []): readonly Renaming[] {
  const read = readRenaming(text);
  if (read !== undefined) return [...before, read];
  throw new InvalidArgumentError("Expected REGEX=REPLACEMENT, such as '^([a-z]+)\\.(.+)$=$1/$2'.");
}

function organisation(word: string): string {
  if (isOrganisation(word)) return word;
  throw new InvalidArgumentError('Expected the name of an organisation.');
}

function pattern(word: string, before: readonly DocumentPattern[] = []): readonly DocumentPattern[] {
  const [org = '', doc] = word.split(/\/(.*)/s, 2);
  if (doc === undefined && isOrganisation(org)) return [...before, { org, doc: '', isPrefix: true }];
  if (parseDocumentName(word) !== undefined) return [...before, { org, doc: doc ?? '', isPrefix: false }];
  const prefix = doc?.endsWith('*') === true ? doc.slice(0, -1) : undefined;
  if (isOrganisation(org) && prefix !== undefined && (prefix === '' || isDocumentPrefix(prefix)))
    return [...before, { org, doc: prefix, isPrefix: true }];
  throw new InvalidArgumentError('Expected org, org/name or org/name*.');
}
