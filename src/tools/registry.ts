import type { ClientTool } from '../contracts/assistant.ts';
import { TurnkeeperError } from '../contracts/errors.ts';
import type { Json } from '../contracts/json.ts';
import { describeError } from '../contracts/thrown.ts';
import type { SchemaErrors, ToolDefinition, Tools } from '../contracts/tools.ts';
import type { SchemaCheck } from '../json-schema/compile.ts';
import { checkDefinition } from './definition.ts';
import { schemaOf } from './schema.ts';

interface RegisteredTool {
  definition: ToolDefinition;
  checkArguments: SchemaCheck;
  checkOutput: SchemaCheck;
}

/** Gives a tool definition its type where it is written. */
export function defineTool(definition: ToolDefinition): ToolDefinition {
  return definition;
}

/**
 * The worker's tools, checked.
 * @throws TurnkeeperError `invalid_tool`, `invalid_schema`, `duplicate_tool`
 */
export function createTools(definitions: ToolDefinition[]): Tools {
  const tools = new Map<string, RegisteredTool>();
  for (const definition of definitions) {
    checkDefinition(definition);
    if (tools.has(definition.name)) throw duplicate(definition.name);
    tools.set(definition.name, register(definition));
  }
  return toolsOf(tools);
}

function toolsOf(tools: Map<string, RegisteredTool>): Tools {
  return {
    names: () => [...tools.keys()],
    get: (name) => tools.get(name)?.definition,
    checkArguments: (name, args) => tool(tools, name).checkArguments(args),
    checkOutput: (name, output) => tool(tools, name).checkOutput(output),
    including(clientTools) {
      const all = new Map(tools);
      for (const each of clientTools) all.set(each.name, clientSide(each));
      return toolsOf(all);
    },
  };
}

/** Few calls of a turn are of tools that the caller runs: its schema is compiled when it is needed. */
function clientSide(clientTool: ClientTool): RegisteredTool {
  return {
    definition: { ...clientTool, policy: 'at-most-once' },
    checkArguments: (args) => checkNow(clientTool, args),
    checkOutput: () => null,
  };
}

/** An older release took schemas that this one refuses: to them no arguments fit. */
function checkNow({ name, parameters }: ClientTool, args: Json): SchemaErrors {
  try {
    return schemaOf(name, 'parameters', parameters)(args);
  } catch (error) {
    return [describeError(error)];
  }
}

function duplicate(name: string): TurnkeeperError {
  return new TurnkeeperError('duplicate_tool', `Two tools are named ${name}.`, { tool: name });
}

function register(definition: ToolDefinition): RegisteredTool {
  const { name, parameters, output } = definition;
  return {
    definition,
    checkArguments: schemaOf(name, 'parameters', parameters),
    checkOutput: output === undefined ? () => null : schemaOf(name, 'output', output),
  };
}

function tool(tools: Map<string, RegisteredTool>, name: string): RegisteredTool {
  const found = tools.get(name);
  if (!found)
    throw new TurnkeeperError('invalid_tool', `No tool is named ${name}.`, { tool: name });
  return found;
}
