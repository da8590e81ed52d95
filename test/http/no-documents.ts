// The parts of a node without documents: every request for one is unavailable. For tests of what holds for all routes.
import { type RequestStore, StoreUnavailable } from '../../actors/storage/store.ts';
import { Router } from '../../cluster/shards/router.ts';
import { OwnerCalls } from '../../src/gateway/calls/owner-calls.ts';
import type { CallerWay } from '../../src/http/api/access.ts';
import type { ApiParts } from '../../src/http/api/room.ts';
import { DocumentRequests } from '../../src/http/documents/document-requests.ts';

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

export function noDocuments(callers: readonly CallerWay[]): ApiParts {
  const after = (_ms: number, run: () => void): (() => void) => {
    const soon = setImmediate(run);
    return () => clearImmediate(soon);
  };
  const calls = new OwnerCalls({ router: new Router(), after, random: Math.random, waitMs: 0, most: 10 });
  return { callers, documents: new DocumentRequests({ calls, bytes: 0 }), store: STORE };
}
