// The only place where the configuration is read: defaults, then the files of TROUPE_CONFIG, then each
// --config FILE, then the variables TROUPE_…, then each --set path=value. A later source overrides an earlier
// one. The result is validated and frozen. All problems are reported together in one ConfigError.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';
import { delimiter } from 'node:path';
import { LineCounter, parseDocument, visit, type YAMLError } from 'yaml';
import { crossCheck } from './check.ts';
import { ConfigError, type Problem } from './fatal.ts';
import { type Environment, readEnvironment } from './keys/environment.ts';
import { ALL_KEYS, SECTIONS } from './keys/walk.ts';
import { type Config, type Settings, schema } from './schema.ts';
import { describeIssue } from './showing/problems.ts';

/** The values that `auto` resolves to, and the reader of files. Tests replace it. */
export interface Machine {
  readonly hostname: string;
  readonly processors: number;
  readonly suffix: () => string;
  readonly readFile: (path: string) => string;
}

export const thisMachine: Machine = {
  hostname: hostname(),
  processors: availableParallelism(),
  suffix: () => randomBytes(3).toString('hex'),
  readFile: (path) => readFileSync(path, 'utf8'),
};

export interface Sources {
  /** YAML files, in order. */
  readonly files?: readonly string[];
  /** `path=value`, in order. The value is YAML: a scalar, or a flow map or list. */
  readonly set?: readonly string[];
  /**
   * The environment. TROUPE_CONFIG names one or more files, separated as in PATH, read before `files`.
   * environment.ts describes the other variables.
   */
  readonly env?: Environment;
}

export interface LoadedConfig {
  readonly config: Config;
  /** The file, variable or option that sets a key. Undefined if the key has its default. */
  readonly sourceOf: (path: string) => string | undefined;
}

/** Throws ConfigError. */
export function loadConfig(sources: Sources = {}, machine: Machine = thisMachine): Config {
  return loadWithSources(sources, machine).config;
}

/** Throws ConfigError. */
export function loadWithSources(sources: Sources = {}, machine: Machine = thisMachine): LoadedConfig {
  const problems: Problem[] = [];
  const files = [
    ...(sources.env?.TROUPE_CONFIG ?? '').split(delimiter).filter(Boolean),
    ...(sources.files ?? []),
  ];
  const { assignments, unknown } = readEnvironment(sources.env ?? {});
  for (const { variable, nearest } of unknown) {
    const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
    problems.push({ path: '', message: `${variable}: no key of the configuration has this variable${hint}` });
  }
  const layers = [
    ...files.map((path) => readLayer(path, machine, problems)),
    ...assignments.map(({ variable, path, text }) => layerOf(variable, path, text)),
    ...(sources.set ?? []).map((assignment) => setLayer(assignment, problems)),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
  const config = build(layers, machine);
  const written = layers.map(({ source, value }) => ({ source, value: spelledOut(value) }));
  return { config, sourceOf: (path) => sourceOf(written, path.split('.')) };
}

/**
 * Makes a configuration from a value, such as `{ limits: { inflight: 8 } }`; all other keys have their
 * defaults. Throws ConfigError.
 */
export function configFrom(value: unknown = {}, machine: Machine = thisMachine): Config {
  return build([{ source: 'configuration', value }], machine);
}

/** One source of settings. `source` is named with its problems. */
interface Layer {
  readonly source: string;
  readonly value: unknown;
}

function readLayer(path: string, machine: Machine, problems: Problem[]): Layer {
  let text: string;
  try {
    text = machine.readFile(path);
  } catch (cause) {
    problems.push({
      path: '',
      message: `cannot read ${path}: ${cause instanceof Error ? cause.message : cause}`,
    });
    return { source: path, value: {} };
  }
  const yaml = readYaml(text);
  if ('error' in yaml) problems.push({ path: '', message: `${path}: ${yaml.error}` });
  return { source: path, value: 'error' in yaml ? {} : yaml.value };
}

/**
 * Aliases are refused: they would allow values that contain themselves, and a small file that expands without
 * end.
 */
function readYaml(text: string): { readonly value: unknown } | { readonly error: string } {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter });
  const [first] = document.errors;
  if (first !== undefined) return { error: `not YAML: ${withoutText(first)}` };
  let alias: number | undefined;
  visit(document, {
    Alias: (_, node) => {
      alias = node.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  if (alias === undefined) return { value: document.toJS() };
  const { line, col } = lineCounter.linePos(alias);
  return {
    error: `an alias (*) at line ${line}, column ${col}: write the value out, text that begins with * in quotes`,
  };
}

/** The error and its place, without any of the text, which may be a secret that should be in quotes. */
function withoutText({ message, linePos }: YAMLError): string {
  const [what = ''] = message.split(/ at line \d|["'\\\n:(]/);
  return linePos === undefined ? what : `${what.trim()} at line ${linePos[0].line}, column ${linePos[0].col}`;
}

function setLayer(assignment: string, problems: Problem[]): Layer {
  const source = `--set ${assignment}`;
  const at = assignment.indexOf('=');
  const path = assignment.slice(0, Math.max(at, 0)).trim();
  if (!/^[^.\s]+(\.[^.\s]+)*$/.test(path)) {
    // If the text is no assignment, only the name of a key is shown: any other text may be a secret.
    const shown = ALL_KEYS.some((key) => key.path === assignment) ? ` ${assignment}` : '';
    problems.push({ path: '', message: `--set${shown}: expected path=value, such as listen.port=9000` });
    return { source, value: {} };
  }
  return layerOf(source, path, assignment.slice(at + 1));
}

function layerOf(source: string, path: string, text: string): Layer {
  let value = setValue(path, text);
  for (const name of path.split('.').reverse()) value = { [name]: value };
  return { source, value };
}

/**
 * A text key takes the value unchanged, such as a node named 42 or a URL with a # in it. All other values are
 * YAML.
 */
function setValue(path: string, text: string): unknown {
  if (ALL_KEYS.some((key) => key.path === path && key.form === 'text')) return text;
  const yaml = readYaml(text);
  return 'error' in yaml ? text : yaml.value;
}

function build(layers: readonly Layer[], machine: Machine): Config {
  layers = layers.map(({ source, value }) => ({ source, value: spelledOut(value) }));
  const merged = withoutEmptySections(
    layers.reduce<unknown>((below, { value }) => merge(below, value), {}),
    '',
  );
  const parsed = schema.safeParse(merged);
  if (!parsed.success) {
    throw new ConfigError(
      parsed.error.issues.flatMap((issue) => describeIssue(issue, merged, (path) => sourceOf(layers, path))),
    );
  }
  const problems = crossCheck(parsed.data);
  if (problems.length > 0) throw new ConfigError(problems);
  return freeze(resolve(parsed.data, machine));
}

/**
 * `cluster.redis: redis://…` is short for its key `url`. It is written out before merging, so that a later
 * source may add keys.
 */
function spelledOut(value: unknown): unknown {
  if (!isMap(value) || !isMap(own(value, 'cluster'))) return value;
  const cluster = own(value, 'cluster');
  const redis = isMap(cluster) ? own(cluster, 'redis') : undefined;
  return typeof redis === 'string' ? merge(value, { cluster: { redis: { url: redis } } }) : value;
}

function resolve(settings: Settings, machine: Machine): Config {
  const host = machine.hostname.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, 48) || 'node';
  return {
    ...settings,
    node: { name: settings.node.name === 'auto' ? `${host}-${machine.suffix()}` : settings.node.name },
    workers: settings.workers === 'auto' ? Math.max(1, machine.processors - 1) : settings.workers,
  };
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Maps merge key by key; all other values replace the earlier value. Built from entries, so that a key named
 * __proto__ stays a key.
 */
function merge(below: unknown, above: unknown): unknown {
  if (above === undefined) return below;
  if (!isMap(below) || !isMap(above)) return isMap(below) && above === null ? below : above;
  const names = new Set([...Object.keys(below), ...Object.keys(above)]);
  return Object.fromEntries(
    [...names].map((name) => [
      name,
      merge(own(below, name), Object.hasOwn(above, name) ? own(above, name) : undefined),
    ]),
  );
}

const own = (map: Record<string, unknown>, name: string) =>
  Object.hasOwn(map, name) ? map[name] : undefined;

/**
 * A section such as `limits:` with every line below it commented out is null in YAML, and means the defaults.
 */
function withoutEmptySections(value: unknown, path: string): unknown {
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, child]) => {
      const childPath = path === '' ? name : `${path}.${name}`;
      if (child === null && SECTIONS.has(childPath)) return [];
      return [[name, SECTIONS.has(childPath) ? withoutEmptySections(child, childPath) : child]];
    }),
  );
}

/** The last layer that sets the path. */
function sourceOf(layers: readonly Layer[], path: readonly PropertyKey[]): string | undefined {
  const says = (value: unknown) => {
    let at = value;
    for (const name of path) {
      if (!isMap(at) || !Object.hasOwn(at, String(name))) return false;
      at = at[String(name)];
    }
    return true;
  };
  return layers.findLast(({ value }) => says(value))?.source;
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const child of Object.values(value)) freeze(child);
    Object.freeze(value);
  }
  return value;
}
