import { Action, SubmitActions } from './actions.ts';
import { Assistant, Definition } from './assistants.ts';
import { Payloads } from './codec.ts';
import { ErrorAnswer } from './common.ts';
import {
  AddedItems,
  Conversation,
  ConversationItem,
  DeletedConversation,
  NewConversation,
  NewItems,
} from './conversations.ts';
import { Document, File } from './documents.ts';
import { Cancel, Edit, NewTurn, Regenerate, Step, Turn, TurnResult, Usage } from './turns.ts';

/** Everything that others refer to by name. */
export const NAMED_SCHEMAS = [
  ErrorAnswer,
  Definition,
  Assistant,
  NewConversation,
  Conversation,
  ConversationItem,
  NewItems,
  AddedItems,
  DeletedConversation,
  Payloads,
  NewTurn,
  Cancel,
  Regenerate,
  Edit,
  Turn,
  Step,
  Usage,
  TurnResult,
  Action,
  SubmitActions,
  Document,
  File,
];
