import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../src/telemetry/metrics.ts';

/** What the package keeps of a metric; its types leave the labels out. */
interface Registered {
  name: string;
  type: string;
  help: string;
  labelNames: string[];
}

const ownMetrics = (): Registered[] =>
  (createMetrics().registry.getMetricsAsArray() as unknown as Registered[]).filter(({ name }) =>
    name.startsWith('turnkeeper_'),
  );

const markdown = () => readFile(new URL('../../docs/metrics.md', import.meta.url), 'utf8');

describe('docs/metrics.md', () => {
  it('has one row for each metric, as the code has it, and no other row', async () => {
    const rows = (await markdown()).split('\n').filter((line) => line.startsWith('| `turnkeeper_'));
    const expected = ownMetrics().map(({ name, type, help, labelNames }) => {
      const labels = labelNames.map((label) => `\`${label}\``).join(', ');
      return `| \`${name}\` | ${type} | ${labels} | ${help} |`;
    });
    expect(rows.sort()).toEqual(expected.sort());
  });

  it('alerts on metrics that exist', async () => {
    const names = ownMetrics().map(({ name }) => name);
    const blocks = [...(await markdown()).matchAll(/^```yaml\n(.*?)^```/gms)].map(
      ([, yaml]) => yaml,
    );
    const used = blocks.join('\n').match(/turnkeeper_\w+/g) ?? [];
    expect(used.length).toBeGreaterThan(2);
    const known = used.filter((name) => names.includes(name.replace(/_(bucket|sum|count)$/, '')));
    expect(known).toEqual(used);
  });
});

it('names metrics as Prometheus recommends', () => {
  for (const { name, type } of ownMetrics()) {
    expect(name).toMatch(type === 'counter' ? /^[a-z_]+_total$/ : /^[a-z_]+_seconds$/);
  }
});
