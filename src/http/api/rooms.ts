// All rooms of routes of the API.
import { revocationRoutes } from '../sessions/revocation-routes.ts';
import { sessionRoutes } from '../sessions/session-routes.ts';
import type { ApiRoom } from './room.ts';

export const ROOMS: readonly ApiRoom[] = [sessionRoutes, revocationRoutes];
