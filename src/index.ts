import type { Turnkeeper } from './client/client.ts';
import { composeClient } from './compose.ts';
import { loadConfig, type Config } from './config.ts';
import type { Logger } from './contracts/logger.ts';
import { jsonLogger } from './telemetry/logger.ts';

export type { AddedItems, AddItems } from './client/add-items.ts';
export type { CreateAssistant } from './client/assistants.ts';
export type { CancelTurn } from './client/cancel-turn.ts';
export type { Turnkeeper } from './client/client.ts';
export type { CreateConversation, ListConversations, ListItems } from './client/conversations.ts';
export type { DeletedConversation, Remains } from './client/delete-conversation.ts';
export type { ListDocuments } from './client/documents.ts';
export type { ListFiles } from './client/files.ts';
export type { AssistantMessage, HistoryItem, AssistantPart } from './client/history-items.ts';
export type { InputItem, InputPart } from './client/input.ts';
export type { EditTurn, RegenerateTurn, RetryTurn } from './client/make-again.ts';
export type { AddDocument } from './client/new-document.ts';
export type { StartTurn } from './client/start-turn.ts';
export type { EventsOptions } from './client/turn-events.ts';
export type { Approval, SubmitActions, SubmittedOutput } from './client/submit-actions.ts';
export type { TurnEffect, TurnResult } from './client/turn-result.ts';
export type { WaitOptions } from './client/waiting.ts';
export { loadConfig } from './config.ts';
export type { Config } from './config.ts';
export type { ActionKind, ActionState } from './contracts/actions.ts';
export type {
  AssistantDefinition,
  ClientTool,
  ContextDefinition,
  KnowledgeDefinition,
  TurnLimits,
} from './contracts/assistant.ts';
export { ERROR_CODES, TurnkeeperError, isTurnkeeperError } from './contracts/errors.ts';
export type { ErrorCode } from './contracts/errors.ts';
export type { Item, Json, JsonObject } from './contracts/json.ts';
export type { Logger } from './contracts/logger.ts';
export type {
  Action,
  Assistant,
  Conversation,
  ConversationItem,
  ConversationSummary,
  DocumentRecord,
  EffectOutcome,
  FileRecord,
  ModelCall,
  Page,
  PageRequest,
  Repair,
  RepairRule,
  Repairs,
  Source,
  Step,
  Turn,
  TurnEvent,
  TurnOrigin,
  TurnState,
  TurnStatus,
  Usage,
} from './contracts/store.ts';
export type { FinalStatus, ToolPolicy } from './contracts/turn.ts';
export { answerReader, answerText } from './conversation/answer-text.ts';
export type { AnswerReader, NumberedEvent } from './conversation/answer-text.ts';

export interface ConnectOptions {
  /** The process's environment by default. */
  config?: Config;
  /** JSON lines on standard error by default. */
  logger?: Logger;
}

/**
 * Connects to the database and to Temporal, both directly, and brings the schema up to date.
 * @throws TurnkeeperError `database_unreachable`, `temporal_unreachable`, `missing_setting`, `invalid_setting`
 */
export async function connect(options: ConnectOptions = {}): Promise<Turnkeeper> {
  const { config = loadConfig(), logger = jsonLogger() } = options;
  return composeClient(config, { logger });
}
