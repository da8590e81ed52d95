// All rooms of routes of the API.
import { documentRoutes } from '../documents/documents.ts';
import { listRoutes } from '../documents/lists.ts';
import { eventRoutes } from '../events/events.ts';
import { bringingBackRoutes } from '../past/bringing-back.ts';
import { historyRoutes } from '../past/history.ts';
import { namedVersionRoutes } from '../past/named-versions.ts';
import { revocationRoutes } from '../sessions/revocation-routes.ts';
import { sessionRoutes } from '../sessions/session-routes.ts';
import type { ApiRoom } from './room.ts';

export const ROOMS: readonly ApiRoom[] = [
  documentRoutes,
  listRoutes,
  historyRoutes,
  namedVersionRoutes,
  bringingBackRoutes,
  eventRoutes,
  sessionRoutes,
  revocationRoutes,
];
