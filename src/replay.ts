import type { History } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { TurnkeeperError } from './contracts/errors.ts';
import type { ToolDefinition, Tools } from './contracts/tools.ts';
import { calledTools } from './conversation/history.ts';
import { historyFromJson } from './history-json.ts';
import { createTools } from './tools/registry.ts';
import { refusedCodeTool } from './tools/run-code.ts';
import { workflowCode } from './workflow-code.ts';

export interface ReplayOptions {
  /**
   * Histories by a name of your own: what `temporal workflow show --output json` and the Web UI export, parsed, or what
   * the SDK's `fetchHistory()` answers. Turns that are still running are the ones that matter most.
   */
  histories: Record<string, unknown>;
  /** The tool set that the histories are held against. */
  tools: ToolDefinition[];
}

type Named = [name: string, history: History];

/**
 * Replays exported turns against this release's workflows and an application's own tools: what is deployed must be able
 * to go on with every turn that is running. Of each tool that a history called, the name must still be there and its
 * policy be the same.
 * @throws TurnkeeperError `history_replay_failed`, with all problems in `details.problems`; `invalid_tool`,
 * `invalid_schema`, `duplicate_tool`
 */
export async function replayTurns({ histories, tools }: ReplayOptions): Promise<void> {
  // Every worker has the built-in tool; where its code runs is nothing to a history.
  const registry = createTools([refusedCodeTool(''), ...tools]);
  const problems: string[] = [];
  const readable = Object.entries(histories).flatMap(([name, exported]): Named[] => {
    try {
      return [[name, readHistory(exported)]];
    } catch (error) {
      problems.push(`${name} is not the history of a workflow: ${sentence(error)}`);
      return [];
    }
  });
  problems.push(...readable.flatMap((named) => toolProblems(named, registry)));
  problems.push(...(await replayProblems(readable)));
  if (problems.length === 0) return;
  const message = `Running turns could not go on: ${problems.join(' ')}`;
  throw new TurnkeeperError('history_replay_failed', message, { problems });
}

function readHistory(exported: unknown): History {
  const { events } = (exported ?? {}) as { events?: unknown };
  if (!Array.isArray(events) || events.length === 0) throw new Error('It has no events.');
  const [first] = events as { eventId?: unknown }[];
  // The SDK's own objects have numbers of 64 bits there.
  return typeof first?.eventId === 'string' ? historyFromJson(exported) : (exported as History);
}

function toolProblems([name, history]: Named, tools: Tools): string[] {
  try {
    return calledTools(history).flatMap(({ name: tool, policy }) => {
      const registered = tools.get(tool);
      if (!registered) return [`${name} calls the tool ${tool}, which is not there.`];
      if (registered.policy === policy) return [];
      return [`${name} calls ${tool} as ${policy}; it is ${registered.policy} now.`];
    });
  } catch (error) {
    return [`${name} has a tool call that cannot be read: ${sentence(error)}`];
  }
}

async function replayProblems(histories: Named[]): Promise<string[]> {
  if (histories.length === 0) return [];
  const inputs = histories.map(([workflowId, history]) => ({ workflowId, history }));
  const problems: string[] = [];
  const results = Worker.runReplayHistories(workflowCode(), inputs);
  for await (const { workflowId, error } of results) {
    if (error) problems.push(`${workflowId} does not replay: ${sentence(error)}`);
  }
  return problems;
}

function sentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
