// The parts of a node that its HTTP API uses, put together when the node has started.
import type { Feed } from '../../events/feed.ts';
import type { UsersRun } from '../../identity/start-users.ts';
import type { User } from '../../identity/user.ts';
import { byLogin } from '../sessions/login-caller.ts';
import { byBearer, type CallerWay } from './access.ts';
import type { ApiParts } from './room.ts';

export interface PartsOfNode extends Pick<ApiParts, 'documents' | 'store' | 'past' | 'formats'> {
  readonly users: UsersRun;
  /** Undefined where events are switched off. */
  readonly feed: Feed | undefined;
}

export function apiPartsOf({ users, documents, store, past, formats, feed }: PartsOfNode): ApiParts {
  const { identity, administration } = users;
  const callers: CallerWay[] = [byBearer(identity)];
  if (administration !== undefined) callers.push(byLogin(identity, administration.logins));
  const events = feed && { feed, renew: (user: User) => identity.renew(user) };
  return { callers, administration, documents, store, past, formats, events };
}
