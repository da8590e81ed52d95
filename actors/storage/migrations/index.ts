// The migrations in the order in which they are applied. A published migration is never changed or removed.
import * as initial from './0001-initial.ts';
import * as cluster from './0002-cluster.ts';
import * as pins from './0003-pins.ts';
import * as failover from './0004-failover.ts';
import * as forgetting from './0005-forgetting.ts';
import * as thinning from './0006-thinning.ts';
import * as sweep from './0007-sweep.ts';
import * as clientUsers from './0008-client-users.ts';
import * as logins from './0009-logins.ts';
import * as namedVersions from './0010-named-versions.ts';
import * as existence from './0011-existence.ts';
import * as events from './0012-events.ts';
import * as logChecks from './0013-log-checks.ts';
import * as eventOrder from './0014-event-order.ts';

export interface Migration {
  /** Number and words, as recorded in the database. */
  readonly name: string;
  /** The SQL of one transaction, with several statements. */
  readonly up: string;
}

export const MIGRATIONS: readonly Migration[] = [
  initial,
  cluster,
  pins,
  failover,
  forgetting,
  thinning,
  sweep,
  clientUsers,
  logins,
  namedVersions,
  existence,
  events,
  logChecks,
  eventOrder,
];
