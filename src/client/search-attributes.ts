import type { Client } from '@temporalio/client';
import {
  defineSearchAttributeKey,
  SearchAttributeType,
  type SearchAttributePair,
} from '@temporalio/common';
import type { Logger } from '../contracts/logger.ts';
import { describeError } from '../contracts/thrown.ts';
import type { TurnInput } from '../contracts/turn.ts';

const keyword = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);

/** Attributes to find turns by in Temporal. They are readable to everybody there, so the end user is not among them. */
export const SEARCH_ATTRIBUTES = {
  tenant: keyword('TurnkeeperTenant'),
  conversation: keyword('TurnkeeperConversation'),
  assistant: keyword('TurnkeeperAssistant'),
} as const;

/** What `IndexedValueType` of Temporal's API calls a keyword. */
const KEYWORD_CODE = 2;

type Fields = (input: TurnInput) => SearchAttributePair[];

/**
 * Asks once which attributes are registered: a start with one that is not fails. What is missing is left out, and the
 * log tells the command that registers it.
 */
export async function registeredAttributes(client: Client, logger: Logger): Promise<Fields> {
  const missing = await missingAttributes(client, logger);
  if (missing && missing.length > 0) {
    logger.warn('search attributes are not registered, turns start without them', {
      missing,
      command: registrationCommand(client.options.namespace, missing),
    });
  }
  return (input) =>
    attributes(input).filter(({ key }) => missing !== null && !missing.includes(key.name));
}

/** Names of those that are not registered; null where it cannot be told, as on Temporal Cloud. */
export async function missingAttributes(client: Client, logger: Logger): Promise<string[] | null> {
  const registered = await customAttributes(client, logger);
  const names = Object.values(SEARCH_ATTRIBUTES).map(({ name }) => name);
  return registered && names.filter((name) => registered[name] !== KEYWORD_CODE);
}

function attributes({ tenant, conversationId, assistant }: TurnInput): SearchAttributePair[] {
  return [
    { key: SEARCH_ATTRIBUTES.tenant, value: tenant },
    { key: SEARCH_ATTRIBUTES.conversation, value: conversationId },
    { key: SEARCH_ATTRIBUTES.assistant, value: assistant.id },
  ];
}

export function registrationCommand(namespace: string, names: string[]): string {
  const flags = names.map((name) => `--name ${name}`).join(' ');
  return `temporal operator search-attribute create --namespace ${namespace} ${flags} --type Keyword`;
}

/** Null where it cannot be told, as on Temporal Cloud, which has no operator service. */
async function customAttributes(
  client: Client,
  logger: Logger,
): Promise<Record<string, number> | null> {
  const { namespace } = client.options;
  try {
    const answer = await client.withDeadline(Date.now() + 5_000, () =>
      client.connection.operatorService.listSearchAttributes({ namespace }),
    );
    return answer.customAttributes;
  } catch (error) {
    const reason = describeError(error);
    logger.warn('search attributes not looked up, turns start without them', { error: reason });
    return null;
  }
}
