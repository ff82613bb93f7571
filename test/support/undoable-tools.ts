import { once } from 'node:events';
import type { JsonObject } from '../../src/contracts/json.ts';
import type { ToolContext, ToolDefinition } from '../../src/contracts/tools.ts';

type RecordEffect = (name: string, context: Pick<ToolContext, 'key'>) => void;

/** Tools that can undo what they do, each to its own degree. */
export function undoableTools(effect: RecordEffect): ToolDefinition[] {
  const undoable = (name: string, more: Partial<ToolDefinition> = {}): ToolDefinition => ({
    name,
    description: 'Has an effect, which can be undone.',
    parameters: { type: 'object' },
    policy: 'idempotent',
    run(_args, context) {
      effect(name, context);
      return { of: context.key };
    },
    compensate(_args, output, context) {
      if ((output as JsonObject)['of'] !== context.runKey) throw new Error('not what was done');
      effect(`undo ${name}`, context);
    },
    ...more,
  });
  let tries = 0;
  return [
    undoable('reserve'),
    undoable('pay', { policy: 'at-most-once' }),
    undoable('book', {
      policy: 'at-most-once',
      compensateUnknown: true,
      compensate: (_args, _output, context) => effect('undo book', context),
    }),
    undoable('wander', {
      compensateUnknown: true,
      async run(_args, context) {
        effect('wander', context);
        context.progress('wandering');
        await once(context.signal, 'abort');
        throw new Error('told to stop');
      },
      compensate: (_args, _output, context) => effect('undo wander', context),
    }),
    undoable('scramble', { output: { type: 'string' } }),
    undoable('resist', {
      compensate(_args, _output, context) {
        effect('undo resist', context);
        tries += 1;
        if (tries % 3 !== 0) throw new Error('the shop is closed');
      },
    }),
    undoable('refuse', {
      compensate(_args, _output, context) {
        effect('undo refuse', context);
        throw new Error('no refunds');
      },
    }),
  ];
}
