import type { AssistantDefinition } from '../contracts/assistant.ts';
import type { Assistant, Page, PageRequest } from '../contracts/store.ts';
import { integer, jsonObject, label, optional, shape } from './checks.ts';
import { checkAssistant } from './definition.ts';
import type { Parts } from './parts.ts';
import { checkPage, checkSize, knownForm, reportingOutage, requestKey } from './requests.ts';

export type CreateAssistant = AssistantDefinition & {
  /** 1–255 printable characters. The same key and definition give the same assistant. */
  idempotencyKey?: string;
};

/** Every method also rejects with `database_unreachable`. */
export interface Assistants {
  /**
   * Stores an assistant as version 1.
   * @throws TurnkeeperError `invalid_request`, `invalid_schema`, `duplicate_tool`, `input_too_large` (`maxInputBytes`),
   * `idempotency_conflict`
   */
  create(assistant: CreateAssistant): Promise<Assistant>;
  /**
   * Adds a version with this definition, whole. Turns accepted before keep theirs.
   * @throws TurnkeeperError `assistant_not_found`, and what `create` throws
   */
  update(id: string, definition: AssistantDefinition): Promise<Assistant>;
  /**
   * The newest version, or the one asked for.
   * @throws TurnkeeperError `assistant_not_found`, `invalid_request`
   */
  get(id: string, options?: { version?: number }): Promise<Assistant>;
  /**
   * Assistants in their newest versions, oldest first unless asked otherwise.
   * @throws TurnkeeperError `invalid_request`, `invalid_cursor`
   */
  list(page?: PageRequest): Promise<Page<Assistant>>;
}

const version = integer(1, 2_147_483_647);
const checkGet = shape({ version: optional(version) });

export function createAssistants({ store, limits, tenant }: Parts): Assistants {
  const checked = (definition: AssistantDefinition) => {
    checkAssistant(definition);
    checkSize(definition, 'definition', 'maxInputBytes', limits);
    return definition;
  };
  return {
    create: async (assistant) => {
      jsonObject(assistant, '');
      const { idempotencyKey, ...sent } = assistant;
      optional(label)(idempotencyKey, 'idempotencyKey');
      const definition = checked(sent);
      const key = requestKey(idempotencyKey, definition);
      return await reportingOutage(() => store.assistants.create(tenant, definition, ...key));
    },
    update: async (id, definition) => {
      const assistantId = knownForm(id, 'assistant_not_found');
      const next = checked(definition);
      return await reportingOutage(() => store.assistants.update(tenant, assistantId, next));
    },
    get: async (id, options = {}) => {
      checkGet(options, '');
      const assistantId = knownForm(id, 'assistant_not_found');
      return await reportingOutage(() =>
        store.assistants.get(tenant, assistantId, options.version),
      );
    },
    list: async (page = {}) => {
      checkPage(page, '');
      return await reportingOutage(() => store.assistants.list(tenant, page));
    },
  };
}
