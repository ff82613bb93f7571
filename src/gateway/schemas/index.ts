import { Assistant, Definition } from './assistants.ts';
import { ErrorAnswer } from './common.ts';
import { Conversation, ConversationItem, NewConversation } from './conversations.ts';
import { Document, File } from './documents.ts';
import { NewTurn, Step, Turn, TurnResult, Usage } from './turns.ts';

/** Everything that others refer to by name. */
export const NAMED_SCHEMAS = [
  ErrorAnswer,
  Definition,
  Assistant,
  NewConversation,
  Conversation,
  ConversationItem,
  NewTurn,
  Turn,
  Step,
  Usage,
  TurnResult,
  Document,
  File,
];
