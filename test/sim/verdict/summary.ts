// The summary of many runs.
import type { RunResult } from '../run.ts';

export class Summary {
  failed = 0;
  #runs = 0;
  #events = 0;
  #commits = 0;
  #virtualMs = 0;
  readonly #counts = new Map<string, number>();
  readonly #rules = new Map<string, number>();

  add({ failures, events, commits, virtualMs, counts }: RunResult): void {
    this.#runs++;
    if (failures.length > 0) this.failed++;
    this.#events += events;
    this.#commits += commits;
    this.#virtualMs += virtualMs;
    for (const [what, times] of counts) this.#counts.set(what, (this.#counts.get(what) ?? 0) + times);
    for (const rule of new Set(failures.map((failure) => failure.rule)))
      this.#rules.set(rule, (this.#rules.get(rule) ?? 0) + 1);
  }

  text(seconds: number): string {
    const { failed } = this;
    const runs = this.#runs;
    const events = this.#events;
    const commits = this.#commits;
    const virtualMs = this.#virtualMs;
    const rules = this.#rules;
    return [
      `${runs} seeds in ${seconds.toFixed(1)} s (${(runs / seconds).toFixed(2)} a second): ${events} events, ${commits} commits, ${(virtualMs / 1000).toFixed(0)} s simulated`,
      ...GROUPS.map((group) => this.#group(group)),
      failed === 0
        ? '  no violations'
        : `  ${failed} seeds failed: ${[...rules].map(([rule, times]) => `${rule} in ${times}`).join(', ')}`,
    ].join('\n');
  }

  /** The counts whose names begin with `prefix`. For an empty prefix, those of no other group. */
  #group(prefix: string): string {
    const counts = [...this.#counts]
      .filter(([what]) => (GROUPS.find((each) => each !== '' && what.startsWith(each)) ?? '') === prefix)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([what, times]) => `${what.slice(prefix.length)} ${times}`);
    return `  ${prefix === '' ? 'met: ' : prefix}${counts.join(', ')}`;
  }
}

/** The groups of counts, by the beginning of their names. */
const GROUPS = ['fault: ', 'fenced for: ', 'worker ended: ', 'told: ', 'log: ', ''];
