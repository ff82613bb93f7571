import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Json, JsonObject } from '../../src/contracts/json.ts';
import type { ToolContext, ToolDefinition } from '../../src/contracts/tools.ts';
import type { ToolPolicy } from '../../src/contracts/turn.ts';
import { approvedTools } from './approved-tools.ts';
import { readEffects } from './effects.ts';
import { undoableTools } from './undoable-tools.ts';

const ANY_OBJECT = { type: 'object' } satisfies JsonObject;
const TWO_NUMBERS = {
  type: 'object',
  properties: { a: { type: 'number' }, b: { type: 'number' } },
  required: ['a', 'b'],
  additionalProperties: false,
} satisfies JsonObject;

/** Tools whose effects are lines in a file, so that a test can count what happened whoever was killed. */
export function testTools(effectsFile: string): ToolDefinition[] {
  const effect = (name: string, { key }: Pick<ToolContext, 'key'>) =>
    appendFileSync(effectsFile, `${JSON.stringify({ tool: name, key })}\n`);
  const effectful = (name: string, policy: ToolPolicy): ToolDefinition => ({
    name,
    description: `Has an effect; ${policy}.`,
    parameters: ANY_OBJECT,
    policy,
    run(_args, context) {
      effect(name, context);
      return { done: true };
    },
  });
  return [
    {
      name: 'add',
      description: 'Adds two numbers.',
      parameters: TWO_NUMBERS,
      output: { type: 'object', properties: { sum: { type: 'number' } }, required: ['sum'] },
      policy: 'idempotent',
      run: ({ a, b }) => ({ sum: Number(a) + Number(b) }),
    },
    {
      name: 'wait_and_tell',
      description: 'Waits some milliseconds, then tells its label.',
      parameters: ANY_OBJECT,
      policy: 'idempotent',
      async run({ ms, label }, { signal, progress }) {
        progress('waiting');
        await delay(Number(ms), undefined, { signal });
        return String(label);
      },
    },
    {
      name: 'sleep_too_long',
      description: 'Never comes to an end by itself.',
      parameters: ANY_OBJECT,
      policy: 'idempotent',
      timeoutMs: 300,
      run: () => new Promise<Json>(() => undefined),
    },
    {
      name: 'throw_error',
      description: 'Fails.',
      parameters: ANY_OBJECT,
      policy: 'idempotent',
      run() {
        throw new Error('the disk is full');
      },
    },
    {
      name: 'break_promise',
      description: 'Returns something else than it promises.',
      parameters: ANY_OBJECT,
      output: TWO_NUMBERS,
      policy: 'idempotent',
      run: () => 'not an object',
    },
    {
      name: 'linger',
      description: 'Has an effect, then works until it is told to stop.',
      parameters: ANY_OBJECT,
      policy: 'at-most-once',
      async run(_args, context) {
        effect('linger', context);
        context.progress('lingering');
        await once(context.signal, 'abort');
        effect('linger: stopped', context);
        return null;
      },
    },
    ...undoableTools(effect),
    ...approvedTools(effect),
    effectful('touch', 'idempotent'),
    effectful('send', 'at-most-once'),
    {
      ...effectful('charge', 'reconcilable'),
      reconcile: (_args, { key }) =>
        Promise.resolve(
          readEffects(effectsFile).some((line) => line.key === key)
            ? { state: 'done', output: { done: true, reconciled: true } }
            : { state: 'not_started' },
        ),
    },
  ];
}
