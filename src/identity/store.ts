// The identity store port: what the nodes of a cluster have to know together about users. It keeps the logins of
// browsers, and the changes of rights. It checks no token and no cookie.
//
// Times are given and returned as spans of time, so the clocks of a node and of the database may differ. All calls reject
// with StoreUnavailable if the database is out of reach. Every call may be repeated: the second has no further effect.

/** The hash of a cookie's first part. It names a login everywhere but in the browser. */
export type LoginId = string;

export interface NewLogin {
  readonly id: LoginId;
  /** The hash of the cookie's secret. */
  readonly secret: Uint8Array;
  readonly sub: string;
  /** JSON. */
  readonly claims: string;
}

export interface LoginSpans {
  /** How long a cookie opens documents until it is refreshed. */
  readonly freshMs: number;
  /** How long a login that is not refreshed can still be. */
  readonly idleMs: number;
  /** The longest life of a login. */
  readonly lifeMs: number;
}

/** The spans of time that are left of a login. A span below zero has passed. */
export interface LoginTimes {
  readonly freshLeftMs: number;
  readonly idleLeftMs: number;
}

export interface LoginRow extends LoginTimes {
  readonly secret: Uint8Array;
  readonly former: Uint8Array | undefined;
  readonly salt: Uint8Array | undefined;
  /** How long ago the secret was replaced. Undefined if it never was. */
  readonly rotatedAgoMs: number | undefined;
  readonly sub: string;
  readonly claims: string;
  /** How long ago the login began. */
  readonly ageMs: number;
}

export interface Rotation {
  readonly id: LoginId;
  /** The hash of the secret that the browser has shown. */
  readonly shown: Uint8Array;
  /** The hash of the next secret, and the salt that makes it out of the shown one. */
  readonly next: Uint8Array;
  readonly salt: Uint8Array;
}

/**
 * A change of rights that every node has to apply.
 * - user: tokens of the user that were issued before a time are not valid.
 * - token: the token with this `jti` is not valid.
 * - login: the login has ended.
 * - recheck: the roles in the document, or in all documents of the organisation, are asked again.
 */
export type RightsChange =
  | { readonly kind: 'user'; readonly sub: string; readonly beforeMs: number }
  | { readonly kind: 'token'; readonly tokenId: string }
  | { readonly kind: 'login'; readonly login: LoginId }
  | {
      readonly kind: 'recheck';
      readonly org: string;
      readonly doc: string | undefined;
      readonly sub: string | undefined;
    };

export interface StoredChange {
  readonly id: number;
  readonly change: RightsChange;
  /** How long it has to be remembered. */
  readonly keepMs: number;
}

/** A position in the changes. The store alone looks inside. */
export type ChangePlace = string;

export interface ChangePage {
  readonly changes: readonly StoredChange[];
  /** Undefined if this was the last page. */
  readonly next: ChangePlace | undefined;
}

export interface IdentityStore {
  /** Ends the oldest logins of the user, so that no more than `most` are left with the new one. */
  createLogin(login: NewLogin, spans: LoginSpans, most: number): Promise<LoginTimes>;
  /** Undefined if there is none, or if it cannot be refreshed any more. */
  findLogin(id: LoginId): Promise<LoginRow | undefined>;
  /** Undefined if the shown secret is not the present one. Nothing has changed then. */
  rotateLogin(rotation: Rotation, spans: LoginSpans): Promise<LoginTimes | undefined>;
  /** False if there was none. */
  endLogin(id: LoginId): Promise<boolean>;
  addChange(change: RightsChange, keepMs: number): Promise<StoredChange>;
  /** Changes that still have to be remembered, oldest first. */
  standingChanges(after: ChangePlace | undefined, limit: number): Promise<ChangePage>;
  /** Changes of the last `agoMs`, oldest first. */
  recentChanges(agoMs: number, after: ChangePlace | undefined, limit: number): Promise<ChangePage>;
  /** Removes logins and changes that concern nobody any more, at most `limit` of each. Returns their number. */
  sweep(limit: number): Promise<number>;
  /** Servers of a lower timeline are not used from now on. */
  refuseBelow(timeline: number): void;
  close(): Promise<void>;
}

/** Ended logins and rechecks are kept for this long, so that a node which reads late learns of them. */
export const TOLD_FOR_MS = 10 * 60_000;
