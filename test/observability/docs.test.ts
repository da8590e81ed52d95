// docs/metrics.md says what actors/metrics/metrics.ts says, and the names keep Prometheus's conventions. UPDATE_DOCS=1
// writes the tables.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import type { Metric } from '../../actors/metrics/layout.ts';
import { ALL_METRICS } from '../../actors/metrics/metrics.ts';
import { packageDirectory } from '../../src/cli/version.ts';

const root = packageDirectory();
const file = join(root, 'docs/metrics.md');
const BETWEEN = /(<!-- metrics:begin[^>]*-->\n)[\s\S]*(<!-- metrics:end -->)/;

test('docs/metrics.md lists every metric with its type, labels and meaning', () => {
  const text = readFileSync(file, 'utf8');
  const wanted = text.replace(BETWEEN, (_, begin: string, end: string) => `${begin}${tables()}${end}`);
  assert.match(text, BETWEEN);
  if (process.env.UPDATE_DOCS === '1') writeFileSync(file, wanted);
  else assert.equal(text, wanted, 'run: UPDATE_DOCS=1 npm test -- observability/docs');
});

test('names are unique, say their unit, and counters alone end in _total', () => {
  const names = ALL_METRICS.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
  for (const { name, type, help, buckets, from } of ALL_METRICS) {
    assert.match(name, /^(troupe|process)_[a-z_]+$/);
    assert.equal(name.endsWith('_total'), type === 'counter', name);
    assert.doesNotMatch(name, /(ms|millis|kb|mb)(_|$)/, 'base units');
    assert.match(help, /^[A-Z1].*\.$/, name);
    assert.deepEqual(
      [...buckets].sort((a, b) => a - b),
      buckets,
      name,
    );
    assert.equal(buckets.length > 0, type === 'histogram', name);
    if (from === 'reading') assert.notEqual(type, 'histogram', name);
  }
});

test('the time to commit has a bound at 200 ms, and reaches to 10 s', () => {
  const found = ALL_METRICS.find(({ name }) => name === 'troupe_edit_commit_seconds');
  assert.ok(found?.buckets.includes(0.2));
  assert.equal(found?.buckets.at(-1), 10);
});

test('alerts and the documentation name metrics that exist', () => {
  const known = new Set(ALL_METRICS.map(({ name }) => name));
  const alerts = readFileSync(join(root, 'config/prometheus-alerts.yaml'), 'utf8');
  const rules = (parse(alerts) as { groups: { rules: { expr: string }[] }[] }).groups.flatMap(
    (group) => group.rules,
  );
  assert.ok(rules.length > 0);
  for (const text of [...rules.map(({ expr }) => expr), readFileSync(file, 'utf8')]) {
    for (const [name] of text.matchAll(/\b(troupe|process)_[a-z_]+\b/g)) {
      const metric = name.replace(/_(bucket|sum|count)$/, '');
      assert.ok(known.has(name) || known.has(metric), name);
    }
  }
});

function tables(): string {
  const sections = [...new Set(ALL_METRICS.map(({ section }) => section))];
  return sections
    .map((section) => {
      const rows = ALL_METRICS.filter((metric) => metric.section === section).map(row);
      return `\n### ${section}\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n${rows.join('')}`;
    })
    .join('')
    .concat('\n');
}

function row({ name, type, labelNames, label, help }: Metric): string {
  const labels = labelNames.map((each) =>
    each === label?.name
      ? `\`${each}\`: ${label.values.map((value) => `\`${value}\``).join(', ')}`
      : `\`${each}\``,
  );
  return `| \`${name}\` | ${type} | ${labels.join('; ')} | ${help.replaceAll('|', '\\|')} |\n`;
}
