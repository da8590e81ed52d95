// The parts of a node that its HTTP API uses, put together when the node has started.
import type { UsersRun } from '../../identity/start-users.ts';
import { byLogin } from '../sessions/login-caller.ts';
import { byBearer, type CallerWay } from './access.ts';
import type { ApiParts } from './room.ts';

export interface PartsOfNode extends Pick<ApiParts, 'documents' | 'store' | 'past'> {
  readonly users: UsersRun;
}

export function apiPartsOf({ users, documents, store, past }: PartsOfNode): ApiParts {
  const { identity, administration } = users;
  const callers: CallerWay[] = [byBearer(identity)];
  if (administration !== undefined) callers.push(byLogin(identity, administration.logins));
  return { callers, administration, documents, store, past };
}
