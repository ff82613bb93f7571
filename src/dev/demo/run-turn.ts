import type { TurnResult } from '../../client/turn-result.ts';
import { createAssistant } from './assistants.ts';
import { readHistoryCost } from './history.ts';
import type { Question } from './questions.ts';
import type { Stack } from './stack.ts';
import { planTakeOver } from './take-over.ts';
import { printable } from '../services/terminal.ts';
import type { Terminal } from '../services/terminal.ts';
import type { TurnRecord } from './turn-record.ts';
import { createTurnView } from './turn-view.ts';

export interface TurnSetting {
  stack: Stack;
  terminal: Terminal;
  model: string;
  /** The knowledge base. */
  base: string;
  signal: AbortSignal;
}

/** Runs one turn before everybody's eyes. */
export async function runTurn(
  setting: TurnSetting,
  question: Question,
  number: number,
): Promise<TurnRecord> {
  const { stack, terminal } = setting;
  const { style } = terminal;
  terminal.line(style.bold(`${number}  ${question.title}`));
  terminal.text(printable(question.text));
  const startedAt = Date.now();
  const turnId = await start(setting, question);
  const { shown, workerKilled } = await follow(setting, turnId, question);
  const result = await stack.turnkeeper.turns.result(turnId, { signal: setting.signal });
  const record = await recordOf(stack, question, result, {
    workerKilled,
    whole: result.answer === shown,
  });
  showEnd(setting, record, Date.now() - startedAt);
  return record;
}

async function start({ stack, model, base }: TurnSetting, question: Question): Promise<string> {
  const { turnkeeper } = stack;
  const assistantId = await createAssistant(turnkeeper, question, { model, base });
  const { id: conversationId } = await turnkeeper.conversations.create({ endUser: 'demo' });
  const turn = await turnkeeper.turns.start({ conversationId, assistantId, input: question.text });
  return turn.id;
}

/** Shows the stream to its end. */
async function follow(
  { stack, terminal, signal }: TurnSetting,
  turnId: string,
  { of, kill }: Question,
): Promise<{ shown: string; workerKilled: boolean }> {
  terminal.line();
  terminal.status(
    of === 'tools' || of === 'sandbox' ? 'waiting for the model' : 'looking through the documents',
  );
  const view = createTurnView(terminal);
  const takeOver = kill ? planTakeOver(stack, terminal, view) : null;
  for await (const event of stack.turnkeeper.turns.events(turnId, { signal })) {
    view.show(event);
    takeOver?.look();
  }
  terminal.status(null);
  return { shown: view.text(), workerKilled: (await takeOver?.done()) ?? false };
}

async function recordOf(
  { turnkeeper, temporal, webUi }: Stack,
  question: Question,
  { turn, status, reason, answer, sources, usage }: TurnResult,
  seen: { workerKilled: boolean; whole: boolean },
): Promise<TurnRecord> {
  const { workflowTasks, events, historyBytes } = await readHistoryCost(temporal, turn.id);
  const steps = await turnkeeper.turns.steps(turn.id);
  return {
    ...{
      id: turn.id,
      workflowId: turn.id,
      status,
      question: question.text,
      answer,
      sources,
      steps,
    },
    ...{ workflowTasks, events, historyBytes, tokens: usage.totalTokens },
    retries: steps.reduce((sum, { attempts }) => sum + Math.max(0, attempts - 1), 0),
    ...{ ...seen, title: question.title, why: turn.message ?? reason },
    tokensEstimated: usage.calls.some(({ estimated }) => estimated),
    link: `${webUi}/namespaces/default/workflows/${turn.id}`,
  };
}

function showEnd({ terminal }: TurnSetting, record: TurnRecord, ms: number): void {
  const { style } = terminal;
  terminal.line();
  for (const [index, line] of citedSources(record).entries()) {
    terminal.line(`   ${style.dim((index === 0 ? 'sources' : '').padEnd(9))} ${printable(line)}`);
  }
  terminal.line(`   ${style.dim('web ui'.padEnd(9))} ${record.link}`);
  terminal.line(`   ${style.dim('ended'.padEnd(9))} ${describeEnd(terminal, record, ms)}`);
  terminal.line();
}

function describeEnd({ style }: Terminal, record: TurnRecord, ms: number): string {
  const { status, why, whole, workerKilled, retries } = record;
  const after = `after ${(ms / 1_000).toFixed(1)} s`;
  if (status !== 'completed') return `${style.red(status)} ${after}: ${why ?? 'no reason given'}`;
  const end = `${style.green(status)} ${after}`;
  if (!whole) return `${end}, ${style.red('but the stream showed another answer')}`;
  return workerKilled ? `${end}, ${times(retries)}; the answer is whole` : end;
}

function times(retries: number): string {
  if (retries === 0) return 'nothing had to be repeated';
  return retries === 1 ? 'one step was repeated' : `steps were repeated ${retries} times`;
}

/** The passages that the answer cites; the others in a number. */
function citedSources({ answer, sources }: TurnRecord): string[] {
  const places = sources.map((source, index) => ({ ...source, mark: `[${index + 1}]` }));
  const cited = places.filter(({ mark }) => answer.includes(mark));
  const others = places.length - cited.length;
  const lines = cited.map(
    ({ mark, documentName, start, end }) => `${mark} ${documentName}, characters ${start}–${end}`,
  );
  if (others === 0) return lines;
  const were = others === 1 ? 'passage was' : 'passages were';
  return [
    ...lines,
    `${others} ${cited.length > 0 ? 'more ' : ''}${were} given to the model and not cited`,
  ];
}
