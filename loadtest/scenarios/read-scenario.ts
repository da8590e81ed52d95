// Reads a scenario: a YAML file, validated against scenario.ts. Every problem is told with its line and its
// key. Knows the scenarios that come with Troupe by their names.
import { readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml';
import type { z } from 'zod';
import { keysIn } from '../../config/keys/key.ts';
import { nearest } from '../../config/showing/problems.ts';
import { UsageError } from '../command-line/cli-options.ts';
import { readyMade, scenarioDirectory } from './ready-made.ts';
import { type Scenario, scenarioSchema } from './scenario.ts';

export const SCENARIO_KEYS = keysIn(scenarioSchema);

export interface NamedScenario {
  readonly name: string;
  readonly scenario: Scenario;
}

/** `name`: a ready-made scenario, or the path of a YAML file. Throws UsageError, which lists all problems. */
export function readScenario(name: string): NamedScenario {
  const isPath = /[/\\]|\.ya?ml$/.test(name);
  const path = isPath ? resolve(name) : join(scenarioDirectory(), `${name}.yaml`);
  let source: string;
  try {
    source = readFileSync(path, 'utf8');
  } catch {
    throw new UsageError(
      isPath
        ? `${name} cannot be read`
        : `there is no scenario ${JSON.stringify(name)}; there are ${readyMade().join(', ')}, and paths of YAML files`,
    );
  }
  const scenario = parseScenario(source, isPath ? name : `${name}.yaml`);
  const { trace } = scenario.typing;
  const typing = { ...scenario.typing, trace: trace === null ? null : resolve(dirname(path), trace) };
  return { name: basename(path).replace(/\.ya?ml$/, ''), scenario: { ...scenario, typing } };
}

/** `file` names the text in messages. Throws UsageError. */
export function parseScenario(source: string, file: string): Scenario {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines });
  const at = (offset: number | undefined) => `${file}:${lines.linePos(offset ?? 0).line || 1}`;
  const [error] = document.errors;
  if (error !== undefined) {
    throw new UsageError(`${at(error.pos[0])}: not YAML: ${error.message.split('\n')[0]}`);
  }
  visit(document, {
    Alias: (_, node) => {
      throw new UsageError(`${at(node.range?.[0])}: an alias (*); write the value out`);
    },
  });
  const value: unknown = document.toJS() ?? {};
  const parsed = scenarioSchema.safeParse(value);
  const problems = parsed.success
    ? contradictions(parsed.data)
    : parsed.error.issues.flatMap((issue) => describe(issue, value));
  if (parsed.success && problems.length === 0) return parsed.data;
  throw new UsageError(
    problems
      .map(({ path, message }) => `${at(placeOf(document.contents, path))}: ${told(path)}${message}`)
      .join('\n'),
  );
}

interface ScenarioProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

const told = (path: readonly PropertyKey[]) => (path.length === 0 ? '' : `${path.join('.')}: `);

/** `stages.0.lastsMs` is the key `stages[].lastsMs`. */
const keyPath = (path: readonly PropertyKey[]) => path.join('.').replace(/\.\d+/g, '[]');

function describe(issue: z.core.$ZodIssue, value: unknown): ScenarioProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => {
      const path = [...issue.path, name];
      const known = nearest(
        keyPath(path),
        SCENARIO_KEYS.map((key) => key.path),
      );
      return { path, message: `unknown key${known === undefined ? '' : `; did you mean ${known}?`}` };
    });
  }
  const path = keyPath(issue.path);
  const key = SCENARIO_KEYS.find((known) => path === known.path || path.startsWith(`${known.path}[]`));
  const isList = SCENARIO_KEYS.some((known) => known.path.startsWith(`${path}[]`));
  const found = issue.path.reduce<unknown>(
    (at, name) => (typeof at === 'object' && at !== null ? Reflect.get(at, name) : undefined),
    value,
  );
  const expected = key?.expected ?? (isList ? 'a list of 1 to 100 maps' : 'a map of keys');
  return [
    {
      path: issue.path,
      message: `expected ${expected}; found ${JSON.stringify(found)?.slice(0, 100) ?? 'nothing'}`,
    },
  ];
}

/** Rules between keys. */
function contradictions({ clients, typing, documents, faults, stages }: Scenario): ScenarioProblem[] {
  const problems: ScenarioProblem[] = [];
  const broken = (path: readonly PropertyKey[], message: string) => problems.push({ path, message });
  const lasts = stages.reduce((sum, { lastsMs }) => sum + lastsMs, 0);
  if (clients.editors + clients.readers === 0) broken(['clients'], 'there are neither editors nor readers');
  if ((typing.model === 'trace') !== (typing.trace !== null))
    broken(['typing', 'trace'], 'a file belongs to the model trace, and to no other');
  if (typing.model === 'trace' && documents.kinds.join() !== 'rich-text')
    broken(['documents', 'kinds'], 'the model trace needs documents of the kind rich-text alone');
  if (typing.model === 'bursts' && typing.everyMs < typing.burstEveryMs)
    broken(['typing', 'everyMs'], 'the mean is below the time between two edits of a burst');
  for (const [index, { atMs }] of faults.entries())
    if (atMs >= lasts) broken(['faults', index, 'atMs'], `the run is over after ${lasts} ms`);
  return problems;
}

/** Offset of a key in the text, or of the deepest part of its path that is there. */
function placeOf(contents: Node | null, path: readonly PropertyKey[]): number | undefined {
  let node: unknown = contents;
  let place = contents?.range?.[0];
  for (const name of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === name);
      if (pair === undefined) break;
      if (isScalar(pair.key)) place = pair.key.range?.[0];
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(name)];
      if (isMap(node) || isScalar(node)) place = node.range?.[0];
    } else break;
  }
  return place;
}
