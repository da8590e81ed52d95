// Starts everything by which a node knows users: the identity, the logins, the revocations and the news of them, on one
// store. With `auth.mode: none` there is nothing to know.
import { randomBytes } from 'node:crypto';
import { systemClock } from '../../actors/clock.ts';
import type { PostgresStoreOptions } from '../../actors/storage/store-postgres.ts';
import type { Config } from '../../config/schema.ts';
import { callbackService } from './callback/callback-service.ts';
import { RoleCallback } from './callback/role-callback.ts';
import { Revocations } from './changes/revocations.ts';
import { RightsChanges } from './changes/rights-changes.ts';
import { RightsNews } from './changes/rights-news.ts';
import { type Identity, NO_LOGIN } from './identity.ts';
import { Logins } from './logins/logins.ts';
import type { IdentityStore, RightsChange } from './store.ts';
import { PostgresIdentityStore } from './store-postgres.ts';
import { userOfClaims } from './tokens/token-user.ts';
import { Users } from './users.ts';

export interface UsersRunOptions {
  readonly auth: Config['auth'];
  readonly tokens: Identity;
  readonly storage: PostgresStoreOptions;
  /** Called for each change of rights, of this node and of others. */
  readonly onChange: (change: RightsChange) => void;
  /** Gives the other nodes the hint that there is a change. */
  readonly tell: () => void;
  readonly log: (level: 'info' | 'warn', message: string, fields: object) => void;
}

export interface UsersRun {
  readonly identity: Identity;
  /** Undefined with `auth.mode: none`. */
  readonly administration: Administration | undefined;
  /** Another node has given the hint that there is a change. */
  hint(): void;
  refuseBelow(timeline: number): void;
  stop(): Promise<void>;
}

/** The parts that serve HTTP requests about users. */
export interface Administration {
  readonly logins: Logins;
  readonly changes: RightsChanges;
}

/** How often rows that concern nobody any more are removed, by every node. */
const SWEEP_MS = 60_000;
const SWEEP_ROWS = 1_000;

/** Rejects if the database is out of reach. */
export async function startUsers(options: UsersRunOptions): Promise<UsersRun> {
  const { auth, tokens, storage, log } = options;
  if (auth.mode === 'none') return NOBODY_TO_KNOW;
  const store: IdentityStore = new PostgresIdentityStore(storage);
  const callback = callbackOf(auth.callback, log);
  const revocations = new Revocations(systemClock.now);
  const news = new RightsNews({
    store,
    clock: systemClock,
    onChange: (change, keepMs) => {
      revocations.take(change, keepMs);
      if (change.kind === 'recheck') callback?.forget(change);
      options.onChange(change);
    },
    onProblem: (message) => log('warn', message, {}),
  });
  const changes = new RightsChanges({
    store,
    keepMs: Math.max(auth.jwt.longestMs, auth.session.lifeMs) + auth.jwt.toleranceMs,
    known: () => revocations.size,
    time: Date.now,
    onAdded: (added) => {
      news.take(added);
      options.tell();
    },
  });
  const logins = new Logins({
    ...auth.session,
    most: auth.session.perUser,
    store,
    userOf: (claims) =>
      userOfClaims(claims, {
        issuedAt: typeof claims.iat === 'number' ? claims.iat * 1000 : 0,
        expiresAt: Number.POSITIVE_INFINITY,
      }),
    time: Date.now,
    randomBytes,
    onEnded: () => {
      news.hint();
      options.tell();
    },
    onReuse: (sub) => log('warn', 'An old session cookie was shown, so the session has ended', { sub }),
  });
  try {
    await news.start();
  } catch (error) {
    await store.close();
    throw error;
  }
  const sweep = (): void => {
    store.sweep(SWEEP_ROWS).then(
      (removed) => {
        if (removed >= SWEEP_ROWS) sweep();
      },
      // The next sweep comes soon enough.
      () => undefined,
    );
  };
  const stopSweeping = systemClock.every(SWEEP_MS, sweep);
  return {
    identity: new Users({ tokens, logins, revocations, callback }),
    administration: { logins, changes },
    hint: () => news.hint(),
    refuseBelow: (timeline) => store.refuseBelow(timeline),
    stop: async () => {
      stopSweeping();
      news.stop();
      await store.close();
    },
  };
}

function callbackOf(
  { url, secret, timeoutMs, cacheMs, concurrency }: Config['auth']['callback'],
  log: UsersRunOptions['log'],
): RoleCallback | undefined {
  if (url === null) return undefined;
  return new RoleCallback({
    ask: callbackService({ url, secret, timeoutMs }),
    cacheMs,
    concurrency,
    now: systemClock.now,
    onState: (problem) => {
      if (problem === undefined) log('info', 'The service of auth.callback can be reached again', {});
      else log('warn', 'The service of auth.callback does not answer, so roles are not decided', { problem });
    },
  });
}

const NOBODY_TO_KNOW: UsersRun = {
  identity: NO_LOGIN,
  administration: undefined,
  hint: () => undefined,
  refuseBelow: () => undefined,
  stop: async () => undefined,
};
