import type { JsonObject } from '../../src/contracts/json.ts';
import type { ToolContext, ToolDefinition } from '../../src/contracts/tools.ts';
import type { ToolPolicy } from '../../src/contracts/turn.ts';

const AMOUNT = {
  type: 'object',
  properties: { amount: { type: 'number', minimum: 0 } },
  additionalProperties: false,
} satisfies JsonObject;

type Effect = (name: string, context: Pick<ToolContext, 'key'>) => void;

/** Tools that somebody has to approve, and one that the caller runs. */
export function approvedTools(effect: Effect): ToolDefinition[] {
  const guarded = (name: string, policy: ToolPolicy): ToolDefinition => ({
    name,
    description: `Has an effect, once somebody has approved it; ${policy}.`,
    parameters: AMOUNT,
    policy,
    approval: 'always',
    run({ amount = 0 }, context) {
      effect(name, context);
      return { amount };
    },
  });
  return [
    guarded('transfer', 'at-most-once'),
    guarded('withdraw', 'idempotent'),
    {
      ...guarded('spend', 'idempotent'),
      approval: ({ amount }) => {
        if (amount === undefined) throw new Error('Nobody knows the amount.');
        return Number(amount) > 100;
      },
    },
    {
      name: 'pick_seat',
      description: 'Lets the user pick a seat.',
      parameters: { type: 'object', properties: { row: { type: 'integer' } } },
      policy: 'idempotent',
    },
  ];
}
