import type { ClientTool } from '../contracts/assistant.ts';
import { TurnkeeperError } from '../contracts/errors.ts';
import type { ToolDefinition, Tools } from '../contracts/tools.ts';
import { checkDefinition } from './definition.ts';
import { createSchemaCompiler, type SchemaCheck } from './schema.ts';

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
  const compile = createSchemaCompiler();
  for (const definition of definitions) {
    checkDefinition(definition);
    if (tools.has(definition.name)) throw duplicate(definition.name);
    tools.set(definition.name, register(definition, compile));
  }
  return toolsOf(tools, compile);
}

type Compiler = ReturnType<typeof createSchemaCompiler>;

function toolsOf(tools: Map<string, RegisteredTool>, compile: Compiler): Tools {
  return {
    names: () => [...tools.keys()],
    get: (name) => tools.get(name)?.definition,
    checkArguments: (name, args) => tool(tools, name).checkArguments(args),
    checkOutput: (name, output) => tool(tools, name).checkOutput(output),
    including(clientTools) {
      const all = new Map(tools);
      for (const each of clientTools) all.set(each.name, clientSide(each, compile));
      return toolsOf(all, compile);
    },
  };
}

/** Few calls of a turn are of tools that the caller runs: its schema is compiled when it is needed. */
function clientSide(clientTool: ClientTool, compile: Compiler): RegisteredTool {
  const { name, parameters } = clientTool;
  return {
    definition: { ...clientTool, policy: 'at-most-once' },
    checkArguments: (args) => compile(name, 'parameters', parameters)(args),
    checkOutput: () => null,
  };
}

function duplicate(name: string): TurnkeeperError {
  return new TurnkeeperError('duplicate_tool', `Two tools are named ${name}.`, { tool: name });
}

function register(definition: ToolDefinition, compile: Compiler): RegisteredTool {
  const { name, parameters, output } = definition;
  return {
    definition,
    checkArguments: compile(name, 'parameters', parameters),
    checkOutput: output === undefined ? () => null : compile(name, 'output', output),
  };
}

function tool(tools: Map<string, RegisteredTool>, name: string): RegisteredTool {
  const found = tools.get(name);
  if (!found)
    throw new TurnkeeperError('invalid_tool', `No tool is named ${name}.`, { tool: name });
  return found;
}
