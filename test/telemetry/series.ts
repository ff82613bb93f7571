import type { Metrics } from '../../src/telemetry/metrics.ts';

/** Values by series, as Prometheus reads them: `name{label="value"}`. */
export type Series = Record<string, number>;

/** The lines of a scrape whose name begins so; buckets are left out. */
export function readSeries(text: string, prefix = 'turnkeeper_'): Series {
  const lines = text
    .split('\n')
    .filter((line) => line.startsWith(prefix) && !line.includes('_bucket{'));
  return Object.fromEntries(
    lines.map((line) => {
      const end = line.lastIndexOf(' ');
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

export async function seriesOf({ registry }: Metrics, prefix?: string): Promise<Series> {
  return readSeries(await registry.metrics(), prefix);
}
