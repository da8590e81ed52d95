// Reads the sessions of the database that are not fenced, and says what has changed: which runs have come and
// gone, and which sessions have ended. PostgreSQL is the only authority for this. The caller acts on the
// changes.
import type { ControlStore, OpenedSession, SessionId } from '../../actors/storage/store.ts';
import { CONTROL_SLOT, type Member, type Members } from './members.ts';

export interface SessionChanges {
  readonly come: readonly Member[];
  readonly gone: readonly Member[];
  /** Sessions that have ended: those of runs that have gone, and single ones of runs that live on. */
  readonly fenced: readonly SessionId[];
  /** Live sessions of this run's workers. */
  readonly own: ReadonlySet<SessionId>;
  /**
   * Sessions of runs without a control plane, by run. A worker may open a session just after its run was
   * fenced; no other mechanism finds that session.
   */
  readonly abandoned: ReadonlyMap<string, readonly SessionId[]>;
}

export interface SessionReadingOptions {
  readonly store: Pick<ControlStore, 'sessions'>;
  readonly members: Members;
  /** This node's run, and the session of its control plane. */
  readonly run: string;
  readonly session: OpenedSession;
}

/** Resolves to 'self-fenced' if this run's own session is fenced. The members are not changed then. */
export async function readSessions({
  store,
  members,
  run,
  session,
}: SessionReadingOptions): Promise<SessionChanges | 'self-fenced'> {
  const rows = await store.sessions();
  if (!rows.some((row) => row.id === session.id)) return 'self-fenced';
  const led = new Set(rows.filter((row) => row.slot === CONTROL_SLOT).map((row) => row.run));
  const { come, gone, fenced } = members.sync(rows.filter((row) => row.run !== run && led.has(row.run)));
  const abandoned = new Map<string, SessionId[]>();
  for (const row of rows) {
    if (led.has(row.run)) continue;
    const sessions = abandoned.get(row.run);
    if (sessions === undefined) abandoned.set(row.run, [row.id]);
    else sessions.push(row.id);
  }
  const own = new Set(rows.filter((row) => row.run === run).map((row) => row.id));
  return {
    come,
    gone: gone.map(({ member }) => member),
    fenced: [...gone.flatMap(({ sessions }) => sessions), ...fenced],
    own,
    abandoned,
  };
}
