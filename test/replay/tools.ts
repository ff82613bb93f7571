import type { ToolDefinition } from '../../src/contracts/tools.ts';

/** The tools that the kept histories called. A release that cannot replay with them breaks turns that are running. */
export const tools: ToolDefinition[] = [
  {
    name: 'add',
    description: 'Adds two numbers.',
    parameters: {
      type: 'object',
      properties: { a: { type: 'number' }, b: { type: 'number' } },
      required: ['a', 'b'],
    },
    policy: 'idempotent',
    run: ({ a, b }) => Number(a) + Number(b),
  },
  {
    name: 'send',
    description: 'Sends a message.',
    parameters: { type: 'object' },
    policy: 'at-most-once',
    run: () => ({ sent: true }),
  },
  {
    name: 'approve',
    description: 'Does something that somebody has to approve.',
    parameters: { type: 'object' },
    policy: 'at-most-once',
    approval: 'always',
    run: () => ({ done: true }),
  },
  {
    name: 'book',
    description: 'Books a seat.',
    parameters: { type: 'object' },
    policy: 'idempotent',
    run: () => ({ booked: true }),
    compensate: () => undefined,
  },
  {
    name: 'insist',
    description: 'Does something that cannot be undone, though it tries.',
    parameters: { type: 'object' },
    policy: 'idempotent',
    run: () => ({ done: true }),
    compensate() {
      throw new Error('It cannot be undone.');
    },
  },
];
