// The order of the roles: each role has all rights of the roles before it.
import type { Role } from './messages.ts';

export const ROLES = ['viewer', 'commenter', 'editor', 'owner'] as const satisfies readonly Role[];

export const isRole = (value: unknown): value is Role => ROLES.some((role) => role === value);

export const isAtLeast = (role: Role, least: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(least);
