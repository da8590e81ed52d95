// `npm run loadtest -- SCENARIO --find-capacity`: its files, its output and its exit code.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parse } from 'yaml';
import { UsageError } from '../command-line/cli-options.ts';
import { readJson } from '../command-line/read-json.ts';
import { capacityHtml } from './capacity-page.ts';
import {
  CAPACITY_FORMAT,
  type CapacityMeasured,
  type CapacityOptions,
  type CapacityResult,
  capacityOf,
  findCapacity,
} from './find-capacity.ts';
import { type Prices, passLines, pricesSchema } from './plan.ts';

export interface CapacityFiles {
  readonly report: string;
  readonly json: string;
}

/** The exit code: 0 if every knee was found and no promise was broken, 1 if not, 130 after Ctrl-C. */
export async function capacityCommand(options: CapacityOptions, files: CapacityFiles): Promise<number> {
  makeDirectories(files);
  // A search takes minutes. Its result is in the file, should the command end before its plan.
  const result = await findCapacity(options, (soFar) => writeJson(files.json, soFar));
  return writeResult(result, files);
}

/** Makes the plan again from the file of an earlier run, with other prices or processors. Throws UsageError. */
export function planAgain(
  file: string,
  options: Pick<CapacityOptions, 'name' | 'prices' | 'nodeProcessors'>,
  files: CapacityFiles,
): number {
  const measured = readMeasured(file);
  if (measured.scenario !== options.name)
    throw new UsageError(`${file} has measurements of the scenario ${measured.scenario}`);
  makeDirectories(files);
  return writeResult(capacityOf(measured, options), files);
}

function writeResult(result: CapacityResult, files: CapacityFiles): number {
  writeJson(files.json, result);
  writeFileSync(files.report, capacityHtml(result));
  process.stdout.write(`${summaryOf(result)}report: ${files.report}\nresult: ${files.json}\n`);
  if (result.isInterrupted) return 130;
  const { searches } = result.measurements;
  const isSound = searches.every(({ knee, violations }) => knee !== undefined && violations === 0);
  return searches.length > 0 && isSound ? 0 : 1;
}

function makeDirectories(files: CapacityFiles): void {
  for (const file of [files.report, files.json]) mkdirSync(dirname(file), { recursive: true });
}

const writeJson = (file: string, value: CapacityMeasured): void =>
  writeFileSync(file, `${JSON.stringify(value)}\n`);

function readMeasured(file: string): CapacityMeasured {
  const value = readJson(file);
  const isMeasured =
    typeof value === 'object' &&
    value !== null &&
    Reflect.get(value, 'format') === CAPACITY_FORMAT &&
    Reflect.get(value, 'measurements') !== undefined;
  if (!isMeasured)
    throw new UsageError(`${file} has no measurements of a search for the capacity by this version`);
  return value as CapacityMeasured;
}

/** Throws UsageError. */
export function readPrices(file: string): Prices {
  let value: unknown;
  try {
    value = parse(readFileSync(file, 'utf8')) ?? {};
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  const prices = pricesSchema.safeParse(value);
  if (prices.success) return prices.data;
  const [issue] = prices.error.issues;
  const keys = Object.keys(pricesSchema.shape).join(', ');
  throw new UsageError(
    `${file}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}; its keys are ${keys}`,
  );
}

function summaryOf({ plan, passPlans, checks }: CapacityResult): string {
  const lines: string[] = [];
  if (plan !== undefined) {
    const { value, low, high } = plan.editorsANode;
    lines.push(
      `A node with a machine of its own holds about ${Math.round(value)} editors (${Math.round(low)} to ${Math.round(high)}); what gives out first: ${plan.givesOutFirst}.`,
    );
    for (const row of plan.rows) {
      const nodes =
        row.nodes === undefined ? 'no number of nodes is enough' : `${row.nodes} node(s), and one to spare`;
      const price = row.price === undefined ? '' : `, ${Math.round(row.price)} ${plan.currency} a month`;
      lines.push(`${row.editors} editors: ${nodes}; PostgreSQL ${row.postgres ?? 'not read'}${price}.`);
    }
  }
  lines.push(...passLines(passPlans));
  for (const { nodes, predicted, measured, error } of checks)
    lines.push(
      `The model predicts ${Math.round(predicted)} clients for ${nodes} node(s) here, and ${Math.round(measured)} were measured (${error > 0 ? '+' : ''}${(error * 100).toFixed(0)} %).`,
    );
  return lines.map((line) => `${line}\n`).join('');
}
