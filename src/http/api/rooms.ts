// All rooms of routes of the API.
import { documentRoutes } from '../documents/documents.ts';
import { listRoutes } from '../documents/lists.ts';
import { revocationRoutes } from '../sessions/revocation-routes.ts';
import { sessionRoutes } from '../sessions/session-routes.ts';
import type { ApiRoom } from './room.ts';

export const ROOMS: readonly ApiRoom[] = [documentRoutes, listRoutes, sessionRoutes, revocationRoutes];
