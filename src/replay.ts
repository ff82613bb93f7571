import type { History } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import type { Config } from './config.ts';
import { TurnkeeperError } from './contracts/errors.ts';
import { describeError } from './contracts/thrown.ts';
import type { ToolDefinition, Tools } from './contracts/tools.ts';
import { calledTools } from './conversation/history.ts';
import { decodeHistory } from './encryption/histories.ts';
import { openEncryption } from './encryption/open.ts';
import { historyFromJson } from './history-json.ts';
import { keyStore } from './store/data-keys.ts';
import { openDatabase } from './store/database.ts';
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
  /** Where histories are encrypted: the database has their keys, the settings those that unwrap them. */
  config?: Config;
}

type Named = [name: string, history: History];

/**
 * Replays exported turns against this release's workflows and an application's own tools: what is deployed must be able
 * to go on with every turn that is running. Of each tool that a history called, the name must still be there and its
 * policy be the same.
 * @throws TurnkeeperError `history_replay_failed`, with all problems in `details.problems`; `invalid_tool`,
 * `invalid_schema`, `duplicate_tool`
 */
export async function replayTurns({ histories, tools, config }: ReplayOptions): Promise<void> {
  // Every worker has the built-in tool; where its code runs is nothing to a history.
  const registry = createTools([refusedCodeTool(''), ...tools]);
  const problems: string[] = [];
  const exports = config ? await decrypted(histories, config) : histories;
  const readable = Object.entries(exports).flatMap(([name, exported]): Named[] => {
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

/** What cannot be read as a history is told of later. */
async function decrypted(
  histories: Record<string, unknown>,
  { databaseUrl: connectionString, encryptionKeys }: Config,
): Promise<Record<string, unknown>> {
  const db = openDatabase({ connectionString, poolSize: 1 });
  try {
    const encryption = await openEncryption(encryptionKeys, keyStore(db), 0);
    const entries = Object.entries(histories).map(async ([name, exported]) => {
      const history = attempt(() => readHistory(exported));
      return [name, history ? await decodeHistory(encryption.reading, history) : exported] as const;
    });
    return Object.fromEntries(await Promise.all(entries));
  } finally {
    await db.close();
  }
}

function attempt<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
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
  const text = describeError(error);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
