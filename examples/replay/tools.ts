import { defineTool } from 'turnkeeper/worker';

export const refund = defineTool({
  name: 'refund',
  description: 'Refunds an order.',
  parameters: {
    type: 'object',
    properties: { order: { type: 'string', pattern: '^AB-\\d{4}$' } },
    required: ['order'],
    additionalProperties: false,
  },
  policy: 'at-most-once',
  run: ({ order }, { key }) => ({ refunded: order ?? null, receipt: key.slice(0, 8) }),
});
