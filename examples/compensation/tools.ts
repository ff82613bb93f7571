import { defineTool, type ToolDefinition } from 'turnkeeper/worker';
import type { Ledger } from './ledger.ts';

/**
 * `run` and `compensate` are each given a key of their own, the same in every attempt: a repeated call posts nothing.
 * `runKey` is the key of what is to be undone.
 */
export function bookingTools(ledger: Ledger): ToolDefinition[] {
  const reserveSeat = defineTool({
    name: 'reserve_seat',
    description: 'Reserves a seat.',
    parameters: {
      type: 'object',
      properties: { seat: { type: 'string', pattern: '^\\d{1,2}[A-F]$' } },
      required: ['seat'],
      additionalProperties: false,
    },
    policy: 'idempotent',
    run({ seat }, { key }) {
      ledger.post({ key, what: `reserved ${String(seat)}` });
      return { reserved: seat ?? null };
    },
    compensate({ seat }, _output, { key }) {
      ledger.post({ key, what: `released ${String(seat)}` });
    },
  });

  const chargeCard = defineTool({
    name: 'charge_card',
    description: 'Charges the card on file.',
    parameters: {
      type: 'object',
      properties: { amount: { type: 'string', pattern: '^\\d+\\.\\d{2} EUR$' } },
      required: ['amount'],
      additionalProperties: false,
    },
    policy: 'idempotent',
    run({ amount }, { key }) {
      ledger.post({ key, what: `charged ${String(amount)}` });
      return { receipt: key };
    },
    compensate({ amount }, _output, { key, runKey }) {
      if (!ledger.has(runKey)) throw new Error('This charge is not known.');
      ledger.post({ key, what: `refunded ${String(amount)}` });
    },
  });

  return [reserveSeat, chargeCard];
}
