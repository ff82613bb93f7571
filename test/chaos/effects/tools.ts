import type { JsonObject } from '../../../src/contracts/json.ts';
import type { ToolContext, ToolDefinition } from '../../../src/contracts/tools.ts';
import { counterClient, type Entry } from './counters.ts';

/** What each tool may come to; the turn calls them all at once. */
export const TOOLS = [
  { name: 'touch', policy: 'idempotent', approval: false, undone: false },
  { name: 'pay', policy: 'at-most-once', approval: false, undone: true },
  { name: 'charge', policy: 'reconcilable', approval: false, undone: false },
  { name: 'withdraw', policy: 'idempotent', approval: true, undone: false },
  { name: 'reserve', policy: 'idempotent', approval: false, undone: true },
] as const;
export type Tool = (typeof TOOLS)[number];

/** What a call of turn `id` does outside is known by this. */
export function effectOf(id: string, tool: Tool): string {
  return `${id} ${tool.name}`;
}

/** The tools, whose effects are requests to the counters at `url`. */
export function effectTools(url: string): ToolDefinition[] {
  const counters = counterClient(url);
  const add = async (
    { kind, tool, args }: { kind: Entry['kind']; tool: Tool; args: JsonObject },
    { key, signal }: ToolContext,
  ) => counters.add({ kind, effect: effectOf(String(args['turn']), tool), key }, signal);
  return TOOLS.map((tool): ToolDefinition => ({
    name: tool.name,
    description: `Has an effect; ${tool.policy}.`,
    parameters: { type: 'object', properties: { turn: { type: 'string' } }, required: ['turn'] },
    policy: tool.policy,
    async run(args, context) {
      await add({ kind: 'run', tool, args }, context);
      return { done: true };
    },
    ...(tool.approval && { approval: 'always' }),
    ...(tool.undone && {
      compensate: (args, _output, context) => add({ kind: 'undo', tool, args }, context),
    }),
    ...(tool.policy === 'reconcilable' && {
      async reconcile(_args, { key }) {
        const done = (await counters.entries()).some((entry) => entry.key === key);
        return done ? { state: 'done', output: { done: true } } : { state: 'not_started' };
      },
    }),
  }));
}
