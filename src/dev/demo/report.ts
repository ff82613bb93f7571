import type { Terminal } from '../services/terminal.ts';
import type { TurnRecord, TurnReport } from './turn-record.ts';

interface Column {
  /** Two lines, so that the table fits into 80 columns. */
  head: [string, string];
  cell: (turn: TurnRecord) => string;
}

const COLUMNS: Column[] = [
  { head: ['workflow', 'tasks'], cell: ({ workflowTasks }) => grouped(workflowTasks) },
  { head: ['', 'events'], cell: ({ events }) => grouped(events) },
  { head: ['history', 'bytes'], cell: ({ historyBytes }) => grouped(historyBytes) },
  {
    head: ['', 'tokens'],
    cell: ({ tokens, tokensEstimated }) => `${tokensEstimated ? '~' : ''}${grouped(tokens)}`,
  },
  { head: ['', 'retries'], cell: ({ retries }) => grouped(retries) },
];
const INDENT = '   ';
const GAP = '  ';

function grouped(number: number): string {
  return number.toLocaleString('en');
}

/** A table of what each turn cost. */
export function showCosts({ line, style }: Terminal, turns: TurnRecord[]): void {
  const titles = turns.map(({ title }, index) => `${index + 1}  ${title}`);
  const [above, below, ...rows] = table([
    ['', ...COLUMNS.map(({ head }) => head[0])],
    ['turn', ...COLUMNS.map(({ head }) => head[1])],
    ...turns.map((turn, index) => [titles[index] ?? '', ...COLUMNS.map(({ cell }) => cell(turn))]),
  ]);
  line(style.bold('What it cost'));
  for (const head of [above, below]) line(style.dim(head ?? ''));
  for (const row of rows) line(row);
  if (turns.some(({ tokensEstimated }) => tokensEstimated)) {
    line(style.dim(`${INDENT}~ with an estimate for the call that nobody waited for any more`));
  }
  line();
}

/** Lines of equal width: the first column to the left, numbers to the right. */
function table(rows: string[][]): string[] {
  const columns = rows[0]?.map((_, column) => rows.map((row) => row[column]?.length ?? 0)) ?? [];
  const widths = columns.map((lengths) => Math.max(...lengths));
  const pad = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0);
  return rows.map((row) => INDENT + row.map(pad).join(GAP).trimEnd());
}

/** What `--json` prints. */
export function jsonReport(webUi: string, turns: TurnRecord[]): string {
  return JSON.stringify({ webUi, turns: turns.map(reportOf) });
}

function reportOf(turn: TurnRecord): TurnReport {
  const { title: _title, why: _why, whole: _whole, link: _link, ...told } = turn;
  const { tokensEstimated: _estimated, ...report } = told;
  return report;
}
