// The scenarios that come with Troupe, by name. It reads no scenario.
import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Names of the scenarios that come with Troupe. */
export function readyMade(): string[] {
  return readdirSync(scenarioDirectory())
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => basename(file, '.yaml'))
    .sort();
}

/** The sources' folder: YAML files are not compiled into dist/. */
export function scenarioDirectory(): string {
  const here = import.meta.dirname;
  return existsSync(join(here, 'smoke.yaml')) ? here : join(here, '../../../loadtest/scenarios');
}
