// All rooms of routes of the API.
import type { ApiRoom } from './room.ts';

export const ROOMS: readonly ApiRoom[] = [];
