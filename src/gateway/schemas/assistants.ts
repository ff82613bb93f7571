import { Type } from '@sinclair/typebox';
import type { AssistantDefinition } from '../../contracts/assistant.ts';
import { AnyObject, Count, Id, named, Time, words } from './common.ts';

const Knowledge = Type.Object({
  bases: Type.Array(Type.String(), { description: 'Names of the knowledge bases to search.' }),
  maxPassages: Type.Optional(Type.Integer({ minimum: 1, maximum: 50 })),
});

const ClientTool = Type.Object({
  name: Type.String(),
  description: Type.String(),
  parameters: AnyObject,
});

const TurnLimits = Type.Object({
  maxRounds: Type.Optional(Type.Integer({ description: 'Model calls that may ask for tools.' })),
  turnTimeoutMs: Type.Optional(Count),
  actionTimeoutMs: Type.Optional(Count),
  maxTurnTokens: Type.Optional(Count),
  maxOutputTokens: Type.Optional(Count),
});

/** `AssistantDefinition` in contracts/assistant.ts says what each field means. */
export const Definition = named(
  'AssistantDefinition',
  Type.Unsafe<AssistantDefinition>(
    Type.Object({
      name: Type.String(),
      model: Type.String({ description: 'Model name as the Responses API knows it.' }),
      instructions: Type.Optional(Type.String()),
      tools: Type.Optional(
        Type.Array(Type.String(), { description: "Names of tools in the worker's registry." }),
      ),
      clientTools: Type.Optional(
        Type.Array(ClientTool, { description: 'Tools that the caller runs.' }),
      ),
      hostedTools: Type.Optional(
        Type.Array(AnyObject, { description: 'Tools that the provider runs itself.' }),
      ),
      knowledge: Type.Optional(Knowledge),
      text: Type.Optional(AnyObject),
      modelOptions: Type.Optional(AnyObject),
      fallbackModel: Type.Optional(Type.String()),
      fallbackAnswer: Type.Optional(Type.String()),
      context: Type.Optional(Type.Object({ maxTokens: Type.Optional(Count) })),
      limits: Type.Optional(TurnLimits),
      generation: Type.Optional(words('background', 'foreground')),
      compensateOn: Type.Optional(Type.Array(words('cancelled', 'expired'))),
    }),
  ),
);

export const Assistant = named(
  'Assistant',
  Type.Object({
    id: Id,
    version: Type.Integer({ minimum: 1 }),
    definition: Type.Unsafe<AssistantDefinition>({ $ref: 'AssistantDefinition#' }),
    createdAt: Time,
  }),
);
