// Every configuration key: its default, its bounds, and a sentence that describes it. The unit is in the
// name. This is the only list: `troupe config print`, docs/configuration.md and the error messages are made
// from it. load.ts reads files, check.ts has the rules between keys.
//
// The file has over 400 lines, because all keys stand in one list.
import { isIP } from 'node:net';
import { z } from 'zod';
import type { Limits } from '../protocol/limits.ts';
import { parseDocumentName } from '../protocol/names.ts';
import {
  choice,
  count,
  countOrNone,
  duration,
  durationOrForEver,
  flag,
  key,
  list,
  ratio,
  secret,
  size,
  sizeOrNone,
  text,
  textOrNull,
  url,
  urlOrNull,
} from './keys/key.ts';
import { MAX_WEIGHT, MIN_WEIGHT } from './keys/weight.ts';
import { parsePostgresUrl } from './urls/postgres-url.ts';
import { problemOfRedisUrl } from './urls/redis-url.ts';

/** An address, or a network as address/bits. */
function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

const KiB = 1_024;
const MiB = 1_024 * KiB;
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;
const YEAR = 366 * DAY;

const node = z.strictObject({
  name: text(
    'auto',
    /^[A-Za-z0-9._-]{1,64}$/,
    '1 to 64 of A-Z a-z 0-9 . _ -, or auto',
    "This node's name in the log, in the database and in `welcome`. `auto`: the host's name and a random suffix, new at each start.",
  ),
});

const PUBLIC_URL = /^(https?|wss?):\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?\/?$/;
const ORIGIN = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^\s/?#@]+$/;

const listen = z.strictObject({
  host: text(
    '127.0.0.1',
    /^\S+$/,
    'an address or a host name',
    'Address to listen on. With `auth.mode: none` only a loopback address is allowed.',
  ),
  port: count(8080, 0, 65_535, 'TCP port to listen on. 0: any free port, told in the ready line.'),
  publicUrl: textOrNull(
    PUBLIC_URL,
    'a URL such as wss://docs.example.com or http://10.0.0.7:8080, without a path',
    'The URL under which clients reach this node. A page of this origin is a page of the node itself, also behind a proxy that changes `Host`; in a cluster `welcome` tells it to the clients of the other nodes.',
  ),
  origins: list(
    z.string().regex(ORIGIN),
    'a list of origins, such as https://app.example.com',
    "Origins of the web pages that may talk to this node, beside the node's own. A request of another page is answered with 403; one without `Origin`, which no browser sent, is not refused for it.",
  ),
  trustedProxies: list(
    z.string().refine(isNetwork),
    'a list of addresses and networks, such as 10.0.0.0/8',
    'Proxies in front of this node, which tell the address of a client by `X-Forwarded-For`. The header is not believed from other addresses.',
  ),
  tls: z
    .strictObject({
      cert: textOrNull(
        /\S/,
        'a path',
        'File with the certificate (PEM) that the node shows to clients, and those that lead to its authority. With both files the node speaks TLS alone: `https` and `wss`.',
      ),
      key: textOrNull(/\S/, 'a path', 'File with the key (PEM) of that certificate, without a passphrase.'),
      reloadMs: duration(
        10_000,
        10,
        86_400_000,
        'How often both files are read again. A changed pair is used for new connections; one that cannot be used is reported, and the one before it stays.',
      ),
    })
    .prefault({}),
});

const MANY = 100_000_000;

/** The rates that sockets share. `whose` completes the sentences. */
const rates = (whose: string, opens: number | null, edits: number | null, presences: number | null) => ({
  opensPerSecond: countOrNone(
    opens,
    1,
    MANY,
    `Documents that ${whose} may open per second on this node. Beyond it an open is \`rate-limited\`. null: no limit.`,
  ),
  editsPerSecond: countOrNone(
    edits,
    1,
    MANY,
    `Edits per second of ${whose} on this node, writes over HTTP included. Beyond it they are \`rate-limited\`. null: no limit.`,
  ),
  editBytes: sizeOrNone(
    KiB,
    1_024 * 1_024 * MiB,
    `Bytes per second of frames with edits, and of patches over HTTP, of ${whose} on this node. Beyond it they are \`rate-limited\`. null: no limit.`,
  ),
  presencesPerSecond: countOrNone(
    presences,
    1,
    MANY,
    `Presence messages per second of ${whose} on this node. null: no limit.`,
  ),
});

const quotas = z.strictObject({
  address: z
    .strictObject({
      sockets: countOrNone(
        null,
        1,
        MANY,
        'Sockets that one address may have on this node; of IPv6 the first 64 bits count. Beyond it an upgrade is answered with 429. An office may share one address. null: no limit.',
      ),
      upgradesPerSecond: countOrNone(
        null,
        1,
        MANY,
        'Upgrades per second of one address. Beyond it an upgrade is answered with 429. null: no limit.',
      ),
    })
    .prefault({}),
  user: z
    .strictObject({
      sockets: countOrNone(
        1_000,
        1,
        MANY,
        'Sockets that one user may have on this node, with `auth.mode: jwt`. The next one is closed with 4429. null: no limit.',
      ),
      ...rates('one user', 1_000, 10_000, 10_000),
    })
    .prefault({}),
  organisation: z.strictObject(rates('one organisation', null, null, null)).prefault({}),
});

const storage = z.strictObject({
  url: url(
    'embedded',
    (value) => {
      const parsed = parsePostgresUrl(value);
      return 'problem' in parsed ? parsed.problem : undefined;
    },
    'embedded, or a URL postgres://user:password@host:port/database',
    '`embedded`: a real PostgreSQL of our own in `storage.embedded.directory`. Otherwise the URL of a PostgreSQL (15 or later); connect directly, not through a transaction pooler.',
  ),
  embedded: z
    .strictObject({
      directory: text(
        './data',
        /\S/,
        'a path',
        'Where the embedded PostgreSQL keeps its files, relative to the working directory. Back it up with `troupe storage backup`, or as a copy while the node is stopped.',
      ),
    })
    .prefault({}),
  migrate: flag(
    true,
    'Apply missing schema migrations at start. `false`: refuse to start while any is missing, and leave them to `troupe migrate`.',
  ),
  startTimeoutMs: duration(
    30 * SECOND,
    0,
    HOUR,
    'How long a node that starts, or `troupe migrate`, tries to reach a PostgreSQL that is not there yet. What does not pass by itself, such as a wrong password, ends it at once.',
  ),
  connectTimeoutMs: duration(
    10 * SECOND,
    100,
    HOUR,
    'How long one attempt to connect to PostgreSQL may take.',
  ),
  answerTimeoutMs: duration(
    10 * SECOND,
    100,
    HOUR,
    'How long PostgreSQL may take to answer before its connection is given up and the call is tried on another, once for each host and once more. Then the call has failed as `unavailable`; edits wait and are sent again.',
  ),
  readConnections: count(
    2,
    1,
    100,
    'Connections for reads, per worker. Each worker holds one more, for its writes.',
  ),
  replicas: urlOrNull(
    (value) => {
      const parsed = parsePostgresUrl(value);
      return 'problem' in parsed ? parsed.problem : undefined;
    },
    'a URL postgres://user:password@host:port/database',
    'Streaming replicas of `storage.url`, several hosts separated by commas. Histories, old versions, authors and lists are read from one of them that has replayed all that the answer must show, otherwise from `storage.url`. null: all is read from `storage.url`.',
  ),
  replicaWaitMs: duration(
    50,
    0,
    10 * SECOND,
    'How long a read waits until a replica is connected and has replayed all that the answer must show. Then it goes to `storage.url`, and that replica is not asked for a second.',
  ),
  unreadyMs: duration(
    5 * SECOND,
    100,
    DAY,
    'How long PostgreSQL may be silent, or take no edits, until `/readyz` answers 503 with the reason.',
  ),
});

const worker = z.strictObject({
  // From 2 GiB on V8 lets the old generation grow further between two collections. An edit costs less CPU
  // then, and a full worker holds more garbage.
  heapMb: count(
    2_048,
    64,
    1_048_576,
    'JavaScript heap of one worker thread, in mebibytes. A worker that outgrows it is replaced, and only its documents pause.',
  ),
  stallMs: duration(
    10 * SECOND,
    SECOND,
    HOUR,
    'A worker thread whose event loop does not turn for this long is ended and replaced. The document at which it hangs counts as the cause.',
  ),
});

const compute = z.strictObject({
  threads: count(1, 1, 64, 'Threads that fold snapshots and do other heavy work beside the edits.'),
  foldTimeoutMs: duration(
    30 * SECOND,
    100,
    HOUR,
    'How long one snapshot may take to fold. Past it the work is stopped; for a document of kind `yjs` it is done once more without garbage collection.',
  ),
});

const auth = z.strictObject({
  mode: choice(
    'none',
    ['none', 'jwt'],
    'Who may connect. `none`: everyone, as an owner of every document; allowed on a loopback address only. `jwt`: clients with a JSON Web Token, whose claim `docs` says what they may do.',
  ),
  graceMs: duration(
    5 * SECOND,
    0,
    HOUR,
    'How long a socket whose token has ended stays open for a new one. It takes no edits meanwhile. Then it is closed with 4401.',
  ),
  jwt: z
    .strictObject({
      secret: secret(
        32,
        'The secret that signs tokens with HS256. Either this or `auth.jwt.jwks`. At least 32 random bytes. Not shown.',
      ),
      jwks: textOrNull(
        /\S/,
        'a path, or a URL with https',
        'The public keys that sign tokens, as a JSON Web Key Set: a file, or the URL of your identity provider. RS, PS, ES and EdDSA are taken.',
      ),
      allowHttp: flag(
        false,
        'Whether `auth.jwt.jwks` may be a URL with http on another machine, where somebody on the way could replace the keys.',
      ),
      issuer: textOrNull(/\S/, 'text', 'The claim `iss` that a token must have. null: not checked.'),
      audience: textOrNull(
        /\S/,
        'text',
        'The claim `aud` that a token must have, alone or in a list. null: not checked.',
      ),
      toleranceMs: duration(
        5 * SECOND,
        0,
        10 * 60 * SECOND,
        'How far the clocks of the issuer and of this node may differ: tokens are good for this much longer, and this much earlier.',
      ),
      longestMs: duration(
        30 * DAY,
        60 * SECOND,
        10 * YEAR,
        'How long a token is good at most after it was issued, whatever its claim `exp` says. A revocation is remembered for this long. A token without `iat` counts as issued this long before its end.',
      ),
      cacheMs: duration(
        10 * 60 * SECOND,
        10 * SECOND,
        DAY,
        'How old the keys of `auth.jwt.jwks` may become before they are read again. A token of an unknown key has them read at once, every 10 s at most.',
      ),
      retiredMs: duration(
        HOUR,
        0,
        30 * DAY,
        'How long a key that has left `auth.jwt.jwks` is still good on a node that knew it: as long as a token lives. With 0, or by a restart, a stolen key is out at once.',
      ),
    })
    .prefault({}),
  callback: z
    .strictObject({
      url: textOrNull(
        /^https?:\/\//i,
        'a URL with https',
        'Your own service, which decides about roles: it is asked by POST with `{sub, doc, claims}` and answers `{role}`, null for no right. Its answer counts, and not the claim `docs`. null: tokens decide.',
      ),
      secret: secret(16, 'Sent to `auth.callback.url` as `Authorization: Bearer`. Not shown.'),
      allowHttp: flag(
        false,
        'Whether `auth.callback.url` may be a URL with http on another machine, where somebody on the way could change roles.',
      ),
      timeoutMs: duration(2 * SECOND, 10, 60 * SECOND, 'How long `auth.callback.url` may take to answer.'),
      cacheMs: duration(
        60 * SECOND,
        0,
        DAY,
        'How long an answer of `auth.callback.url` counts. Then it is asked again, also about open documents.',
      ),
      graceMs: duration(
        10 * 60 * SECOND,
        0,
        7 * DAY,
        'How long documents stay open with their former role while `auth.callback.url` does not answer. Then their sockets are closed with 1013. Documents that are opened meanwhile are `unavailable`.',
      ),
      concurrency: count(32, 1, 10_000, 'Questions to `auth.callback.url` at a time. The others wait.'),
    })
    .prefault({}),
  session: z
    .strictObject({
      freshMs: duration(
        15 * 60 * SECOND,
        SECOND,
        DAY,
        'How long the cookie of `POST /v1/session` is good until a page has to refresh it. Each refresh replaces it.',
      ),
      idleMs: duration(
        12 * HOUR,
        SECOND,
        YEAR,
        'How long a session can still be refreshed after its last refresh.',
      ),
      lifeMs: duration(
        7 * DAY,
        SECOND,
        YEAR,
        'The longest life of a session, however often it is refreshed.',
      ),
      perUser: count(50, 1, 10_000, 'Sessions of one user. With another one the oldest ends.'),
    })
    .prefault({}),
});

const limits = z.strictObject({
  frameBytes: size(
    MiB,
    4 * KiB,
    64 * MiB,
    'Largest frame a client may send. Above it the socket is closed with 1009.',
  ),
  opBytes: size(
    256 * KiB,
    KiB,
    32 * MiB,
    'Largest patch a client may send, as encoded in its subprotocol. Of kind yjs the bytes of the update count, also where they are sent as base64.',
  ),
  receiveBytes: size(
    32 * MiB,
    64 * KiB,
    1_024 * MiB,
    'Largest frame the server sends, which a client must be able to take. Holds a whole snapshot, for kind yjs in base64.',
  ),
  documentBytes: size(
    16 * MiB,
    KiB,
    512 * MiB,
    'Largest document, as its snapshot in JSON; an edit that would outgrow it is `too-large`. So is one after which a document of kind `json` would take more than eight times as much memory, for its lists and objects.',
  ),
  openDocuments: count(100, 1, 100_000, 'Documents that one socket may have open at once.'),
  opensPerSecond: count(
    100,
    1,
    1_000_000,
    'Opens per second of one socket, and as many at once, or `limits.openDocuments` at once if that is more. A hello that brings a token anew counts as an open.',
  ),
  submitsPerSecond: count(
    1_000,
    1,
    1_000_000,
    'Submits per second of one client, over all its documents. People send ten; a program that sends its next patch as fast as the last is acknowledged sends some hundreds, and should meet flow control, not this.',
  ),
  presencesPerSecond: count(
    30,
    1,
    100_000,
    'Presence messages per second of one client, over all its documents.',
  ),
  presenceBytes: size(4 * KiB, 16, MiB, 'Largest presence `data`, as encoded in JSON.'),
  inflight: count(
    64,
    1,
    64,
    'Submits of one client to one document that may wait for an answer. Not above 64: so many of its seqs are remembered exactly.',
  ),
  depth: count(100, 2, 500, 'Nesting of a value: a patch, a snapshot or a presence.'),
  workMs: duration(
    50,
    1,
    HOUR,
    'What transforming and applying one patch may cost, estimated from counts before it is done. Above it the patch is `version-too-old` where its base is too far back, otherwise `too-large`. All documents of a worker wait meanwhile.',
  ),
  historyMs: duration(DAY, 0, 10 * YEAR, '`since` and `base` reach back at least this long.'),
  historyOps: count(10_000, 0, 100_000_000, '`since` and `base` reach back at least this many versions.'),
  clientMemoryMs: duration(
    DAY,
    0,
    10 * YEAR,
    "A client's committed seqs are remembered at least this long after its last one, and as long as a patch of it is kept (`retention`).",
  ),
  pingMs: duration(
    20 * SECOND,
    100,
    HOUR,
    'How often a client should send an application message; `ping` will do.',
  ),
  idleMs: duration(
    60 * SECOND,
    200,
    DAY,
    'A socket without a sign of life for this long, a message or an answer to a WebSocket ping, is dropped.',
  ),
} satisfies Record<keyof Limits, z.ZodType<number>>);

const actors = z.strictObject({
  memoryBytes: size(
    256 * MiB,
    MiB,
    1_024 * 1_024 * MiB,
    'Memory for the documents resident in one worker, as estimated from their sizes. Above it the ones idle longest leave.',
  ),
  idleMs: duration(
    60 * SECOND,
    100,
    DAY,
    'A document without subscribers and edits for this long leaves memory.',
  ),
  mailboxMessages: count(
    4_096,
    1,
    1_000_000,
    'Messages that may wait for one document. Past it a submit is answered `overloaded`.',
  ),
  mailboxBytes: size(
    16 * MiB,
    4 * KiB,
    1_024 * MiB,
    'Bytes that may wait for one document. Past it a submit is answered `overloaded`.',
  ),
  residentBytes: size(
    4 * MiB,
    64 * KiB,
    1_024 * MiB,
    'Bytes of committed patches that a resident document keeps in memory, where they are fewer than `actors.residentOps`.',
  ),
  historyBytes: size(
    8 * MiB,
    64 * KiB,
    1_024 * MiB,
    'Bytes of patches read from the database to bring one submit on an old `base` up to date; past it the submit is answered `version-too-old`. One worker reads for four such submits at a time, and the others wait.',
  ),
  waitingBytes: size(
    64 * MiB,
    64 * KiB,
    16 * 1_024 * MiB,
    'Bytes of messages that may wait in one worker for documents that are being loaded. Past it a submit is answered `overloaded`; past half of it also where its document holds more than its share.',
  ),
  quarantineMs: duration(
    60 * SECOND,
    1 * SECOND,
    DAY,
    'A document at which workers have failed three times is out of service for this long, and its clients are answered `unavailable`. Each time that a worker fails at it again afterwards, it is for twice as long.',
  ),
  quarantineMaxMs: duration(
    HOUR,
    1 * SECOND,
    DAY,
    'The longest time for which `actors.quarantineMs`, doubled, takes a document out of service.',
  ),
  residentOps: count(
    256,
    16,
    1_000_000,
    'Committed patches that a resident document keeps in memory; older ones are read from the database when a `since` or `base` asks for them.',
  ),
});

const commit = z.strictObject({
  maxRows: count(1_000, 1, 100_000, 'Most patches in one transaction.'),
  maxBytes: size(
    4 * MiB,
    64 * KiB,
    256 * MiB,
    'Most bytes of patches in one transaction; a single larger one travels alone.',
  ),
  queueBytes: size(
    64 * MiB,
    64 * KiB,
    16 * 1_024 * MiB,
    'Bytes of patches of one worker that may wait for the database. Past it submits are answered `unavailable` or `overloaded`.',
  ),
  perSecond: count(
    300,
    1,
    100_000,
    'Commits a second of one worker up to which an edit commits at once. Above it edits are gathered for as long as keeps to this number, for 5 ms at most.',
  ),
});

const snapshot = z.strictObject({
  minBytes: size(
    64 * KiB,
    KiB,
    1_024 * MiB,
    'A snapshot is written once the patches since the last exceed this …',
  ),
  ratio: ratio(
    0.5,
    0.01,
    100,
    '… and this share of the document, whichever is more. Of a document that leaves memory 4 KiB are enough for the first.',
  ),
});

const retention = z.strictObject({
  keepMs: durationOrForEver(
    0,
    100 * YEAR,
    'Patches older than this, and more than `retention.keepOps` versions behind the head, are folded into the snapshot, and clients of whom no patch is left are forgotten. null: kept for ever.',
  ),
  keepOps: count(
    10_000,
    0,
    1_000_000_000,
    'The newest versions of a document that are kept whatever their age.',
  ),
  trashMs: duration(
    30 * DAY,
    0,
    10 * YEAR,
    'How long a deleted document can be brought back. Then its rows are removed, within `retention.sweepMs`.',
  ),
  sweepMs: duration(
    10 * 60 * SECOND,
    SECOND,
    30 * DAY,
    'How often a node looks for patches to fold away, and the time between two passes over all documents, by whatever node.',
  ),
});

const history = z.strictObject({
  threads: count(
    1,
    1,
    64,
    'Threads that fold old versions, find authors, and make the patches that restore or revert.',
  ),
  timeoutMs: duration(
    30 * SECOND,
    100,
    HOUR,
    'How long one such job, or the writing of a document as text, Markdown or HTML, may take, once it has a thread. Past it the work is stopped, and the request is answered `too-large`.',
  ),
  waiting: count(
    100,
    1,
    100_000,
    'Jobs that may wait for a thread, and documents that may wait to be written as text, Markdown or HTML. Past it a request is answered `overloaded`.',
  ),
  cacheBytes: size(
    64 * MiB,
    64 * KiB,
    1_024 * 1_024 * MiB,
    'Memory for old versions and authors that have been asked for. The ones unused longest leave.',
  ),
  connections: count(2, 1, 100, 'Connections to PostgreSQL for pages of history and named versions.'),
  namedVersions: count(
    1_000,
    0,
    1_000_000,
    'Most named versions of a document. Each keeps a copy of its content. Past it a name is refused as `too-large`.',
  ),
});

const gateway = z.strictObject({
  outboxBytes: size(
    8 * MiB,
    64 * KiB,
    1_024 * MiB,
    'Bytes that may wait for one reader. Past it the socket is closed with 4508, and the others go on. A snapshot that is larger may wait alone.',
  ),
  connections: count(20_000, 1, 10_000_000, 'Sockets this node takes; the next one is closed with 1013.'),
  readBytes: size(
    8 * MiB,
    4 * KiB,
    1_024 * MiB,
    'Bytes per second that are read of one socket. Beyond it the socket is not read for a while, so that TCP holds its client back.',
  ),
  readMs: duration(
    250,
    10,
    SECOND,
    'Time per second that reading the frames of one socket may take, decoding and checking included. Beyond it the socket is not read for a while. It is taken of frames from 1 KiB on; small ones are bounded by their number.',
  ),
  patchBytes: size(
    512 * KiB,
    64 * KiB,
    1_024 * MiB,
    'Bytes of patches that may be on their way through this node, from being read to being answered. Above it sockets with more than 16 KiB of them are not read until others are answered, for a second at most.',
  ),
  helloMs: duration(
    10 * SECOND,
    100,
    HOUR,
    'How long a socket may take to say hello; then it is closed with 4408.',
  ),
  nodePrivate: choice(
    'auto',
    ['auto', 'off'],
    'Whether sockets are read and written by private parts of Node and of the ws library, which takes a tenth less CPU for an edit (`docs/performance.md`). `auto`: if this Node has these parts. `off`: never.',
  ),
});

const yjs = z.strictObject({
  updateBytes: size(
    4 * MiB,
    KiB,
    32 * MiB,
    'Largest update of a Yjs client at `/yjs` or `/hocuspocus`, in place of `limits.opBytes`: such a client sends everything that it did while it was offline, or a picture, as one update. It is committed as one patch, and all documents of a worker wait for it, 10 to 40 ms for each MiB. It is less where `actors.mailboxBytes`, `gateway.outboxBytes` or `limits.receiveBytes` leave less room.',
  ),
});

const http = z.strictObject({
  requests: count(
    1_000,
    1,
    1_000_000,
    'Requests to `/v1` that this node works on at the same time. The next one is answered 503 `overloaded`.',
  ),
  requestsPerSecond: count(
    200,
    1,
    1_000_000,
    'Requests to `/v1` of one user; with `auth.mode: none` of one address. Beyond it the answer is 429 `rate-limited`.',
  ),
  waitMs: duration(
    5 * SECOND,
    10,
    10 * 60 * SECOND,
    'How long a request waits for a document that has no owner at the moment, or whose owner does not answer. Then it is answered 503 `unavailable`.',
  ),
  answerBytes: size(
    256 * MiB,
    MiB,
    1_024 * 1_024 * MiB,
    'Bytes of documents that may be in memory for requests of this node. Past it requests are answered 503 `overloaded`.',
  ),
  headersMs: duration(
    10 * SECOND,
    100,
    HOUR,
    'How long a connection may take to send the headers of a request. Then it is closed.',
  ),
  requestMs: duration(
    60 * SECOND,
    100,
    HOUR,
    'How long a connection may take to send a whole request, body included. Then it is closed.',
  ),
  idleMs: duration(30 * SECOND, 100, HOUR, 'How long a connection may stay open between two requests.'),
});

const events = z.strictObject({
  enabled: flag(
    true,
    'Whether created, changed and deleted documents are told, as server-sent events and by webhooks. The same on all nodes: the changes of a node without it are not told.',
  ),
  debounceMs: duration(
    5 * SECOND,
    100,
    HOUR,
    'Time from the first change of a document until it is told; what changes meanwhile is told with it. A document is told as changed at most once in this time.',
  ),
  keepMs: duration(
    DAY,
    60 * SECOND,
    YEAR,
    'How long events are kept for readers that come back with `Last-Event-ID`. What webhooks have not taken is kept longer.',
  ),
  readers: count(
    1_000,
    1,
    1_000_000,
    'Readers of server-sent events that a node takes. The next one is answered 503 `overloaded`.',
  ),
  readerBytes: size(
    MiB,
    16 * KiB,
    64 * MiB,
    'Bytes that may wait for one reader of server-sent events. Past it the reader is ended, and may come back with `Last-Event-ID`.',
  ),
});

/** A receiver of webhooks. */
const isReceiver = (text: string): boolean => {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '';
};

const MATCH = /^[a-z0-9][a-z0-9_-]{0,62}\/[A-Za-z0-9._~:@-]{0,200}\*?$/;

const webhooks = z.strictObject({
  endpoints: list(
    z.strictObject({
      name: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/),
      url: z.string().refine(isReceiver),
      match: z.array(z.string().regex(MATCH)).min(1).exactOptional(),
    }),
    'a list of {name: a name, url: a URL with http or https and without a password, match: a list of org/document or org/prefix* (may be left out)}',
    'Receivers that get events by POST, of all documents or of those that match. The name is kept in the database: a receiver with another name begins with the present.',
  ),
  secret: secret(
    24,
    'The secret with which messages are signed (Standard Webhooks): `whsec_` and base64, or any text. Demanded with `webhooks.endpoints`. Not shown.',
  ),
  allowPrivate: flag(
    false,
    'Whether receivers may be at addresses that are not public, such as those of this machine or of its network.',
  ),
  timeoutMs: duration(10 * SECOND, 100, 60 * SECOND, 'How long a receiver may take to answer.'),
  retryForMs: duration(
    DAY,
    SECOND,
    30 * DAY,
    'How long a message is tried again. Then it is parked: `troupe webhooks retry`, or the next event of the same document and type, has it sent again.',
  ),
});

const HOST_PORT = /^(\[[0-9A-Fa-f:.%]+\]|[^\s:[\]]+):\d{1,5}$/;

/** A Redis in one of three ways: `url`, or `sentinels` with `master`, or `nodes`. */
const redis = z.strictObject({
  url: urlOrNull(
    problemOfRedisUrl,
    'a URL redis://user:password@host:port/database, or rediss:// for TLS',
    'The Redis through which nodes find each other. A URL may also stand as `cluster.redis` itself. With neither this nor `sentinels` nor `nodes` a node is alone, and owns every document.',
  ),
  sentinels: list(
    z.string().regex(HOST_PORT),
    'a list of host:port',
    'Sentinels, which name the Redis that is the primary of `cluster.redis.master` now.',
  ),
  master: textOrNull(/^\S+$/, 'a name without spaces', 'The name by which the Sentinels know the primary.'),
  nodes: list(
    z.string().regex(HOST_PORT),
    'a list of host:port',
    'Some nodes of a Redis Cluster; they tell the others.',
  ),
  username: textOrNull(/^\S+$/, 'a name without spaces', "User of Redis's ACL. Over the one in the URL."),
  password: secret(1, 'Password of that user, or of the Redis. Over the one in the URL.'),
  sentinelUsername: textOrNull(/^\S+$/, 'a name without spaces', 'User at the Sentinels.'),
  sentinelPassword: secret(1, 'Password at the Sentinels.'),
  tls: z
    .strictObject({
      enabled: flag(
        false,
        'TLS to `sentinels` and the Redis they name, and to `nodes`. A URL says so by `rediss`.',
      ),
      ca: textOrNull(
        /\S/,
        'a path',
        'File with the certificates (PEM) that are trusted instead of the usual ones.',
      ),
      cert: textOrNull(/\S/, 'a path', 'File with our certificate (PEM), where Redis asks for one.'),
      key: textOrNull(/\S/, 'a path', 'File with the key (PEM) of that certificate.'),
    })
    .prefault({}),
});

const link = z.strictObject({
  host: text('127.0.0.1', /^\S+$/, 'an address or a host name', 'Address to listen on for other nodes.'),
  port: count(7101, 0, 65_535, 'TCP port to listen on for other nodes. 0: any free port.'),
  tls: z
    .strictObject({
      cert: textOrNull(
        /\S/,
        'a path',
        "File with this node's certificate (PEM) for the links between nodes.",
      ),
      key: textOrNull(/\S/, 'a path', 'File with the key (PEM) of that certificate.'),
      ca: textOrNull(
        /\S/,
        'a path',
        'File with the certificates (PEM) that sign those of all nodes. With the three files links are TLS, and each side shows a certificate.',
      ),
    })
    .prefault({}),
});

/** `org/doc`, or `org`. */
const isMatch = (match: string): boolean =>
  parseDocumentName(match.includes('/') ? match : `${match}/x`) !== undefined;

const cluster = z.strictObject({
  name: text(
    'troupe',
    /^[A-Za-z0-9._-]{1,64}$/,
    '1 to 64 of A-Z a-z 0-9 . _ -',
    'What the nodes of one cluster have in common. Clusters of different names may share a Redis.',
  ),
  redis: redis.prefault({}),
  secret: secret(
    16,
    'What nodes prove to one another that they belong together. The same on all nodes; demanded with `cluster.redis`. Not shown.',
  ),
  link: link.prefault({}),
  advertise: textOrNull(
    HOST_PORT,
    'host:port',
    'Where other nodes reach this one. null: `cluster.link.host` and the port it listens on.',
  ),
  weight: ratio(
    1,
    MIN_WEIGHT,
    MAX_WEIGHT,
    "This node's share of the documents and clients, relative to the others'.",
  ),
  balanceClients: flag(
    true,
    'Whether a node with more than its share of the clients tells some, a few each second, to reconnect elsewhere (`draining`). Where something before the nodes decides which one a client gets, and clients come back to the same node, each is told so once in ten minutes at most.',
  ),
  pins: list(
    z.strictObject({
      match: z.string().refine(isMatch),
      node: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/),
      slot: z.int().min(0).max(255).exactOptional(),
    }),
    'a list of {match: org/document or org, node: a name, slot: a number from 0 to 255 (may be left out)}',
    'Documents, or all of an organisation, that belong on a node while it is there, and with `slot` on that worker of it. The same on all nodes. What operators set with `troupe cluster pin` and `move` goes before these, and stands in place of the one of the same match.',
  ),
  leaseTtlMs: duration(
    3 * SECOND,
    300,
    HOUR,
    'A node that has not renewed its lease in Redis for this long is suspected.',
  ),
  renewMs: duration(SECOND, 50, HOUR, 'How often a node renews its lease.'),
});

const drain = z.strictObject({
  timeoutMs: duration(
    30 * SECOND,
    100,
    HOUR,
    'How long a node that is told to end, or to drain, may take to hand its documents over.',
  ),
});

const shutdown = z.strictObject({
  timeoutMs: duration(
    10 * SECOND,
    100,
    HOUR,
    'How long a stopping node may take to commit what it has taken, in a cluster after `drain.timeoutMs` and the 5.5 s in which its clients leave. Then it exits with 1.',
  ),
});

const metrics = z.strictObject({
  listen: textOrNull(
    HOST_PORT,
    'host:port',
    'The address on which `/metrics` is served, and nothing else. Everyone who reaches it may read. null: on the main listener, to programs of the same machine only. Port 0: any free port, told in the log.',
  ),
});

const log = z.strictObject({
  level: choice(
    'info',
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    'Least severe entry that is written, as JSON lines on standard error.',
  ),
});

/** The whole configuration as it may be written. Every key has its default. */
export const schema = z.strictObject({
  node: node.prefault({}),
  listen: listen.prefault({}),
  storage: storage.prefault({}),
  workers: key(z.union([z.literal('auto'), z.int().min(1).max(256)]).default('auto'), {
    description: 'Worker threads that run documents. `auto`: one less than the processors, at least one.',
    expected: 'auto, or an integer from 1 to 256',
    default: 'auto',
    form: 'plain',
  }),
  worker: worker.prefault({}),
  compute: compute.prefault({}),
  auth: auth.prefault({}),
  limits: limits.prefault({}),
  actors: actors.prefault({}),
  commit: commit.prefault({}),
  snapshot: snapshot.prefault({}),
  retention: retention.prefault({}),
  history: history.prefault({}),
  gateway: gateway.prefault({}),
  yjs: yjs.prefault({}),
  quotas: quotas.prefault({}),
  http: http.prefault({}),
  events: events.prefault({}),
  webhooks: webhooks.prefault({}),
  cluster: cluster.prefault({}),
  drain: drain.prefault({}),
  shutdown: shutdown.prefault({}),
  metrics: metrics.prefault({}),
  log: log.prefault({}),
});

/** The configuration as written. `auto` is not resolved. */
export type Settings = z.output<typeof schema>;

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** The configuration as used: validated, `auto` resolved, deeply frozen. */
export type Config = DeepReadonly<Omit<Settings, 'workers'> & { workers: number }>;
