// The parts of a node without documents: every request for one is unavailable. For tests of what holds for all routes.
import type { PastStore } from '../../actors/storage/past-store.ts';
import { type RequestStore, StoreUnavailable } from '../../actors/storage/store.ts';
import { Router } from '../../cluster/shards/router.ts';
import { OwnerCalls } from '../../src/gateway/calls/owner-calls.ts';
import type { CallerWay } from '../../src/http/api/access.ts';
import type { ApiParts } from '../../src/http/api/room.ts';
import { DocumentRequests } from '../../src/http/documents/document-requests.ts';
import { Past } from '../../src/past/past.ts';

const outOfReach = async (): Promise<never> => {
  throw new StoreUnavailable('there is no database');
};

const STORE: RequestStore = {
  list: outOfReach,
  erase: outOfReach,
  eraseExpired: outOfReach,
  refuseBelow: () => undefined,
  close: async () => undefined,
};

const PAST: PastStore = {
  document: outOfReach,
  documentOf: outOfReach,
  patches: outOfReach,
  versionAt: outOfReach,
  snapshot: outOfReach,
  names: outOfReach,
  name: outOfReach,
  putName: outOfReach,
  removeName: outOfReach,
  authors: outOfReach,
  authorsVersion: outOfReach,
  keepAuthors: outOfReach,
  refuseBelow: () => undefined,
  close: async () => undefined,
};

export function noDocuments(callers: readonly CallerWay[]): ApiParts {
  const after = (_ms: number, run: () => void): (() => void) => {
    const soon = setImmediate(run);
    return () => clearImmediate(soon);
  };
  const calls = new OwnerCalls({ router: new Router(), after, random: Math.random, waitMs: 0, most: 10 });
  const storage = { url: '', lowestTimeline: 0, connectTimeoutMs: 0, answerTimeoutMs: 0 };
  const past = new Past({
    store: PAST,
    pool: { run: outOfReach },
    storage: () => storage,
    cacheBytes: 1,
    namedVersions: 0,
    newClientId: () => 1,
  });
  const formats = { write: outOfReach, stop: async () => undefined };
  return { callers, documents: new DocumentRequests({ calls, bytes: 0 }), store: STORE, past, formats };
}
