import type { Turnkeeper } from '../../client/client.ts';
import type { AssistantDefinition } from '../../contracts/assistant.ts';
import type { Question } from './questions.ts';
import { tools } from './tools.ts';

const FROM_DOCUMENTS =
  'Answer from the passages you are given and cite them as [1], [2]. If they do not say, say so.';
const FROM_TOOLS = 'Use the tools for what you cannot know, all that you need at once.';
/** Long enough for a worker to be killed in the middle of it. */
const AT_LENGTH = 'Answer in at least 150 words.';
const TURN_TIMEOUT_MS = 180_000;

const ASSISTANT_NAMES: Record<Question['of'], string> = {
  documents: 'Handbook',
  tools: 'Clock',
  sandbox: 'Analyst',
  everything: 'Handbook',
};

/** Creates the assistant that a question is for, and answers its id. */
export async function createAssistant(
  { assistants }: Turnkeeper,
  { of, kill }: Question,
  { model, base }: { model: string; base: string },
): Promise<string> {
  const everything = of === 'everything';
  const knows = of === 'documents' || everything;
  const names = [
    ...(of === 'tools' || everything ? tools.map(({ name }) => name) : []),
    ...(of === 'sandbox' || everything ? ['run_code'] : []),
  ];
  const acts = names.length > 0;
  const instructions = [knows && FROM_DOCUMENTS, acts && FROM_TOOLS, kill && AT_LENGTH];
  const definition: AssistantDefinition = {
    name: ASSISTANT_NAMES[of],
    model,
    instructions: instructions.filter(Boolean).join(' '),
    limits: { turnTimeoutMs: TURN_TIMEOUT_MS },
    ...(knows && { knowledge: { bases: [base] } }),
    ...(acts && { tools: names }),
  };
  return (await assistants.create(definition)).id;
}
