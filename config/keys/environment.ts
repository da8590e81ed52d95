// Keys of the configuration as variables of the environment: `listen.port` is TROUPE_LISTEN_PORT,
// `storage.startTimeoutMs` is TROUPE_STORAGE_START_TIMEOUT_MS. Every key has one variable, and no two keys
// share one. Pure.
import { nearest } from '../showing/problems.ts';
import { ALL_KEYS, SECTIONS } from './walk.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The assignment of a variable to a key. */
export interface Assignment {
  readonly variable: string;
  readonly path: string;
  readonly text: string;
}

export interface UnknownVariable {
  readonly variable: string;
  readonly nearest: string | undefined;
}

const PREFIX = 'TROUPE_';
/** This variable names the files. It is no key. */
export const FILES_VARIABLE = 'TROUPE_CONFIG';

/** `cluster.redis` accepts a URL in place of its keys. */
const SHORT_FORMS = ['cluster.redis'];

/** Each dot becomes an underscore, and each capital letter gets one before it. */
export const variableOf = (path: string): string =>
  PREFIX +
  path
    .replace(/[A-Z]/g, (letter) => `_${letter}`)
    .replaceAll('.', '_')
    .toUpperCase();

const PATHS: ReadonlyMap<string, string> = new Map(
  [...ALL_KEYS.map(({ path }) => path), ...SHORT_FORMS].map((path) => [variableOf(path), path]),
);
const SECTION_VARIABLES: ReadonlySet<string> = new Set([...SECTIONS].map(variableOf));

/** Variables that Kubernetes sets for a Service whose name begins with `troupe`. */
const SERVICE = /_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;
/** Variables of the tests. */
const TESTS = /^TROUPE_TEST_/;

const isOfSection = (variable: string): boolean =>
  [...SECTION_VARIABLES].some((section) => variable.startsWith(`${section}_`));

/**
 * In the order of the names, so that it does not depend on the system. An empty variable counts as not set. `unknown`: variables
 * that look like a key and name none. Any other variable belongs to some other program, and is left alone.
 */
export function readEnvironment(environment: Environment): {
  readonly assignments: readonly Assignment[];
  readonly unknown: readonly UnknownVariable[];
} {
  const assignments: Assignment[] = [];
  const unknown: UnknownVariable[] = [];
  for (const variable of Object.keys(environment).sort()) {
    const text = environment[variable];
    if (!variable.startsWith(PREFIX) || variable === FILES_VARIABLE || text === undefined || text === '')
      continue;
    const path = PATHS.get(variable);
    if (path !== undefined) assignments.push({ variable, path, text });
    else if (!SERVICE.test(variable) && !TESTS.test(variable)) {
      const meant = nearestVariable(variable);
      if (meant !== undefined || isOfSection(variable)) unknown.push({ variable, nearest: meant });
    }
  }
  return { assignments, unknown };
}

/**
 * The variable with the same letters and other underscores, or the first key of a section, or the most
 * similar variable.
 */
function nearestVariable(variable: string): string | undefined {
  const letters = (name: string): string => name.replaceAll('_', '');
  const same = [...PATHS.keys()].find((known) => letters(known) === letters(variable));
  if (same !== undefined) return same;
  if (SECTION_VARIABLES.has(variable))
    return [...PATHS.keys()].find((known) => known.startsWith(`${variable}_`));
  const withoutPrefix = (name: string): string => name.slice(PREFIX.length);
  const found = nearest(withoutPrefix(variable), [...PATHS.keys()].map(withoutPrefix));
  return found === undefined ? undefined : PREFIX + found;
}
