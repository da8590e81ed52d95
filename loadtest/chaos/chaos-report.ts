// The table of a chaos run: a line for each strike, and below it the promises that did not hold.

import { summarize } from '../statistics.ts';
import type { FaultResult } from './chaos.ts';
import type { Told } from './chaos-scene.ts';

const HEADS = [
  'fault',
  'edits',
  'per s',
  'pause p50',
  'p99',
  'max ms',
  'others max',
  'told to survivors',
  'told to struck',
  'fences',
  'verdict',
];
const SHOWN_VIOLATIONS = 20;

export const isClean = ({ violations, unmet }: FaultResult): boolean =>
  violations.length === 0 && unmet.length === 0;

/** Whether no pause was longer than its fault's bound, which holds for a machine with nothing else to do. */
export const isPrompt = ({ overlong }: FaultResult): boolean => overlong.length === 0;

export function report(results: readonly FaultResult[]): string {
  const rows = results.flatMap((result) =>
    result.seen.map((seen) => {
      const struck = summarize(seen.struckPauses);
      const others = summarize(seen.otherPauses);
      return [
        `${result.fault}: ${seen.strike}`,
        String(seen.acknowledged),
        (seen.acknowledged / Math.max(seen.seconds, 0.001)).toFixed(0),
        ...[struck.p50, struck.p99, struck.max].map((ms) => ms.toFixed(0)),
        others.count === 0 ? '–' : others.max.toFixed(0),
        told(seen.survivors),
        told(seen.struck),
        fences(seen.fences),
        verdict(result),
      ];
    }),
  );
  const widths = HEADS.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(HEADS), ...rows.map(line), ...results.flatMap(details), ''].join('\n');
}

function details({
  fault,
  acknowledged,
  perSecond,
  repeated,
  http,
  lagMs,
  violations,
  unmet,
  overlong,
}: FaultResult): string[] {
  return [
    `${fault}: ${acknowledged} edits acknowledged, ${perSecond.toFixed(0)} per second; ${repeated} had committed before they were sent again; the measuring process was late by ${lagMs.toFixed(0)} ms at most`,
    `  over HTTP: ${http.acknowledged} writes acknowledged, ${http.repeated} of them sent more than once; If-Match kept ${http.matched} and refused ${http.refused}`,
    ...[...unmet, ...overlong].map((what) => `  NOT SO: ${what}`),
    ...violations
      .slice(0, SHOWN_VIOLATIONS)
      .map(({ rule, doc, client, detail }) => `  ${rule} ${doc} ${client ?? ''}: ${detail}`),
  ];
}

function verdict(result: FaultResult): string {
  const { violations, unmet } = result;
  if (!isClean(result)) return `${violations.length} violations, ${unmet.length} unmet`;
  return isPrompt(result) ? 'kept' : 'kept, but too slow';
}

function told(codes: Told): string {
  const all = Object.entries(codes).map(([code, count]) => `${code} ${count}`);
  return all.length === 0 ? 'nothing' : all.join(', ');
}

function fences({ runs, workers }: { readonly runs: number; readonly workers: number }): string {
  return workers === 0 ? String(runs) : `${runs}, workers ${workers}`;
}
