import type { AssistantDefinition } from '../contracts/assistant.ts';
import { TurnkeeperError } from '../contracts/errors.ts';
import type { Json, JsonObject } from '../contracts/json.ts';
import { RUN_CODE } from '../contracts/tools.ts';
import {
  integer,
  jsonObject,
  label,
  list,
  oneOf,
  optional,
  refuse,
  shape,
  text,
  type Check,
} from './checks.ts';
import { checkJsonSchema } from './json-schema.ts';

/** Parameters of `responses.create` that Turnkeeper sets itself. */
const OWN_PARAMETERS = [
  'model',
  'input',
  'instructions',
  'tools',
  'stream',
  'background',
  'text',
  'max_output_tokens',
  'safety_identifier',
  'prompt_cache_key',
  'previous_response_id',
  'conversation',
];

const toolName: Check = (value, path) => {
  if (typeof value !== 'string' || !/^[a-zA-Z0-9_-]{1,64}$/.test(value)) {
    refuse(path, 'must be a tool name: 1 to 64 characters of a–z, A–Z, 0–9, _ and -');
  }
};

const parametersSchema: Check = (value, path) => {
  jsonObject(value, path);
  const schema = value as JsonObject;
  if (schema['type'] !== 'object') refuse(`${path}.type`, 'must be "object"');
  if (Object.hasOwn(schema, '$async')) refuse(`${path}.$async`, 'is not part of JSON Schema');
  checkJsonSchema(schema, path);
};

const clientToolName: Check = (value, path) => {
  toolName(value, path);
  if (value === RUN_CODE) refuse(path, `must not be ${RUN_CODE}: that tool is built in`);
};

const clientTool = shape({ name: clientToolName, description: text, parameters: parametersSchema });

/** Tools whose calls the provider answers itself; any other call would be left without its output. */
const RUN_BY_PROVIDER = /^(web_search|file_search|code_interpreter|image_generation|mcp)/;

const hostedTool: Check = (value, path) => {
  jsonObject(value, path);
  const { type, require_approval: approval } = value as JsonObject;
  if (typeof type !== 'string' || !RUN_BY_PROVIDER.test(type)) {
    refuse(`${path}.type`, 'must be a tool that the provider runs; functions are named in tools');
  }
  if (type === 'mcp' && approval !== 'never') {
    refuse(`${path}.require_approval`, 'must be never: nobody is there to approve');
  }
};

const modelOptions: Check = (value, path) => {
  jsonObject(value, path);
  for (const key of OWN_PARAMETERS) {
    if (Object.hasOwn(value as JsonObject, key)) {
      refuse(`${path}.${key}`, 'is set by Turnkeeper and cannot be given here');
    }
  }
};

const generation: Check = (value, path) => {
  if (value !== 'background' && value !== 'foreground')
    refuse(path, 'must be background or foreground');
};

const textParameter: Check = (value, path) => {
  jsonObject(value, path);
  const { format } = value as JsonObject;
  if (format !== undefined) textFormat(format, `${path}.format`);
};

function textFormat(value: Json, path: string): void {
  jsonObject(value, path);
  const { type, name, schema } = value as JsonObject;
  text(type, `${path}.type`);
  if (type !== 'json_schema') return;
  label(name, `${path}.name`);
  jsonObject(schema, `${path}.schema`);
  checkJsonSchema(schema as JsonObject, `${path}.schema`);
}

const ending = oneOf('cancelled', 'expired');

const checkShape = shape({
  name: label,
  model: label,
  instructions: optional(text),
  tools: optional(list(toolName, { max: 128 })),
  clientTools: optional(list(clientTool, { max: 128 })),
  hostedTools: optional(list(hostedTool, { max: 128 })),
  knowledge: optional(
    shape({ bases: list(label, { min: 1, max: 50 }), maxPassages: optional(integer(1, 50)) }),
  ),
  text: optional(textParameter),
  modelOptions: optional(modelOptions),
  generation: optional(generation),
  fallbackModel: optional(label),
  fallbackAnswer: optional(text),
  compensateOn: optional(list(ending, { max: 2 })),
  context: optional(shape({ maxTokens: optional(integer(1_000, 10_000_000)) })),
  limits: optional(
    shape({
      maxRounds: optional(integer(1, 100)),
      turnTimeoutMs: optional(integer(1_000, 86_400_000)),
      actionTimeoutMs: optional(integer(1_000, 2_592_000_000)),
      maxTurnTokens: optional(integer(1, 1_000_000_000)),
      maxOutputTokens: optional(integer(16, 1_000_000)),
    }),
  ),
});

/** Refuses what cannot be an assistant, naming the field. */
export function checkAssistant(definition: AssistantDefinition): void {
  checkShape(definition, '');
  if (definition.generation === 'background' && definition.modelOptions?.['store'] === false)
    refuse(
      'modelOptions.store',
      'must not be false: a provider generates in the background what it stores',
    );
  const { tools = [], clientTools = [] } = definition;
  const names = [...tools, ...clientTools.map(({ name }) => name)];
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new TurnkeeperError('duplicate_tool', `tools and clientTools name ${twice} twice.`, {
      tool: twice,
    });
  }
}
