// What many runs came to.
import type { RunResult } from './run.ts';

export class Summary {
  failed = 0;
  private runs = 0;
  private events = 0;
  private commits = 0;
  private virtualMs = 0;
  private readonly counts = new Map<string, number>();
  private readonly rules = new Map<string, number>();

  add({ failures, events, commits, virtualMs, counts }: RunResult): void {
    this.runs++;
    if (failures.length > 0) this.failed++;
    this.events += events;
    this.commits += commits;
    this.virtualMs += virtualMs;
    for (const [what, times] of counts) this.counts.set(what, (this.counts.get(what) ?? 0) + times);
    for (const rule of new Set(failures.map((failure) => failure.rule)))
      this.rules.set(rule, (this.rules.get(rule) ?? 0) + 1);
  }

  text(seconds: number): string {
    const counts = [...this.counts].sort(([a], [b]) => (a < b ? -1 : 1));
    return [
      `${this.runs} seeds in ${seconds.toFixed(1)} s (${(this.runs / seconds).toFixed(2)} a second): ${this.events} events, ${this.commits} commits, ${(this.virtualMs / 1000).toFixed(0)} s simulated`,
      `  ${counts.map(([what, times]) => `${what}: ${times}`).join(', ')}`,
      this.failed === 0
        ? '  no violations'
        : `  ${this.failed} seeds failed: ${[...this.rules].map(([rule, times]) => `${rule} in ${times}`).join(', ')}`,
    ].join('\n');
  }
}
