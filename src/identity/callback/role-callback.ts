// Roles that the operator's own service decides: it is asked for the role of a user in a document, and its answers are kept
// for a while. The answer counts alone: it may be lower or higher than what the token grants.
//
// Questions that are the same are asked once. At most `concurrency` are under way and MOST_WAITING wait; past that, and
// while the service does not answer, the answer is `unavailable`. An answer to a question that was asked before `forget`
// is not kept.
import { createHash } from 'node:crypto';
import type { Role } from '../../../protocol/messages.ts';
import { isRole } from '../../../protocol/roles.ts';
import type { Claims, RoleAnswer, User } from '../user.ts';

export interface RoleQuestion {
  readonly sub: string;
  readonly doc: string;
  readonly claims: Claims;
}

export interface RoleCallbackOptions {
  /** Asks the service. Rejects if it does not answer. */
  readonly ask: (question: RoleQuestion) => Promise<unknown>;
  readonly cacheMs: number;
  readonly concurrency: number;
  /** ms that never go back. */
  readonly now: () => number;
  /** Is told once that the service does not answer, and once that it answers again. */
  readonly onState: (problem: string | undefined) => void;
}

interface Kept {
  readonly doc: string;
  readonly sub: string;
  readonly role: Role | undefined;
  readonly until: number;
}

/** Answers that are kept. Past it the oldest is forgotten. */
const MOST_KEPT = 100_000;
const MOST_WAITING = 10_000;
/** Claims that are different in each token of a user. */
const OF_ONE_TOKEN: ReadonlySet<string> = new Set(['iat', 'exp', 'nbf', 'jti']);

export class RoleCallback {
  readonly #options: RoleCallbackOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #underWay = new Map<string, Promise<RoleAnswer>>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  /** Rises with each `forget`. */
  #generation = 0;
  #hasProblem = false;

  constructor(options: RoleCallbackOptions) {
    this.#options = options;
  }

  /** The same user, whose roles the service decides. */
  decidesFor(user: User): User {
    const claims = digest(user.claims);
    return { ...user, roleIn: (doc) => this.#roleIn(user, claims, doc) };
  }

  /** The next questions about these roles are asked anew. `doc` and `sub` that are left out stand for all. */
  forget({ org, doc, sub }: { org: string; doc: string | undefined; sub: string | undefined }): void {
    this.#generation++;
    for (const [key, kept] of this.#kept) {
      const isMeant = doc === undefined ? kept.doc.startsWith(`${org}/`) : kept.doc === `${org}/${doc}`;
      if (isMeant && (sub === undefined || kept.sub === sub)) this.#kept.delete(key);
    }
    // An answer that is under way may be older than the change.
    this.#underWay.clear();
  }

  #roleIn(user: User, claims: string, doc: string): Promise<RoleAnswer> {
    // The parts cannot have zero bytes in them.
    const key = `${user.sub}\0${doc}\0${claims}`;
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.until > this.#options.now()) return Promise.resolve(kept);
    const same = this.#underWay.get(key);
    if (same !== undefined) return same;
    if (this.#waiting.length >= MOST_WAITING) return Promise.resolve('unavailable');
    const answer = this.#asked({ sub: user.sub, doc, claims: user.claims }, key).finally(() => {
      if (this.#underWay.get(key) === answer) this.#underWay.delete(key);
    });
    this.#underWay.set(key, answer);
    return answer;
  }

  async #asked(question: RoleQuestion, key: string): Promise<RoleAnswer> {
    const { ask, cacheMs, concurrency, now, onState } = this.#options;
    if (this.#running >= concurrency) await new Promise<void>((turn) => this.#waiting.push(turn));
    else this.#running++;
    const generation = this.#generation;
    try {
      const role = roleOf(await ask(question));
      if (this.#hasProblem) onState(undefined);
      this.#hasProblem = false;
      const isOld = generation !== this.#generation;
      const kept = { doc: question.doc, sub: question.sub, role, until: isOld ? 0 : now() + cacheMs };
      if (!isOld) this.#keep(key, kept);
      return kept;
    } catch (error) {
      if (!this.#hasProblem) onState(error instanceof Error ? error.message : String(error));
      this.#hasProblem = true;
      return 'unavailable';
    } finally {
      // The next question takes this one's place.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  #keep(key: string, kept: Kept): void {
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST_KEPT && oldest !== undefined) this.#kept.delete(oldest);
  }
}

/** Throws if the service has answered something else than a role or null. */
function roleOf(answer: unknown): Role | undefined {
  const { role } = typeof answer === 'object' && answer !== null ? (answer as { role?: unknown }) : {};
  if (role === null) return undefined;
  if (!isRole(role)) throw new Error('the answer has no role: expected {"role": "editor"}, or null for none');
  return role;
}

function digest(claims: Claims): string {
  const lasting = Object.entries(claims).filter(([name]) => !OF_ONE_TOKEN.has(name));
  return createHash('sha256').update(JSON.stringify(lasting)).digest('base64url');
}
