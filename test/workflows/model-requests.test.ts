import { describe, expect, it } from 'vitest';
import type { AssistantDefinition } from '../../src/contracts/assistant.ts';
import type { InputItem } from '../../src/client/input.ts';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { inputOf, runTurn, useWorld } from '../support/turns.ts';

const world = useWorld();

const answer = (text = 'Yes.'): ScriptStep => ({ kind: 'answer', text });

const FORMAT = {
  type: 'json_schema',
  name: 'verdict',
  strict: true,
  schema: {
    type: 'object',
    properties: { verdict: { type: 'string' } },
    required: ['verdict'],
    additionalProperties: false,
  },
};

const ASSISTANT: Partial<AssistantDefinition> = {
  model: 'small',
  instructions: 'Be brief.',
  tools: ['add'],
  hostedTools: [
    { type: 'web_search', filters: { allowed_domains: ['example.org'] } },
    {
      type: 'mcp',
      server_label: 'wiki',
      server_url: 'https://example.org/mcp',
      require_approval: 'never',
    },
  ],
  text: { format: FORMAT, verbosity: 'low' },
  modelOptions: { temperature: 0.2, reasoning: { effort: 'low' }, metadata: { team: 'a' } },
  limits: { maxOutputTokens: 500 },
};

const INPUT: InputItem[] = [
  { role: 'developer', content: 'Today is Friday.' },
  {
    role: 'user',
    content: [
      { type: 'input_text', text: 'What is this? \u0000 ünïcödé 🙂' },
      { type: 'input_image', image_url: 'data:image/png;base64,iVBORw0KGgo=', detail: 'low' },
      { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBERi0=' },
    ],
  },
];

describe('a request to the model', () => {
  it('carries what the assistant says and what the user sent, unchanged', async () => {
    const turn = await runTurn(world.current, {
      assistant: ASSISTANT,
      input: INPUT,
      endUser: 'user-7',
      script: [answer('{"verdict":"fine"}')],
    });
    expect(turn.answer).toBe('{"verdict":"fine"}');
    const [request] = turn.requests;
    expect(request).toMatchObject({
      model: 'small',
      instructions: 'Be brief.',
      stream: true,
      text: ASSISTANT.text,
      ...ASSISTANT.modelOptions,
      max_output_tokens: 500,
      safety_identifier: 'user-7',
      prompt_cache_key: turn.conversationId,
    });
    expect(inputOf(request)).toEqual([
      {
        type: 'message',
        role: 'developer',
        content: [{ type: 'input_text', text: 'Today is Friday.' }],
      },
      { type: 'message', ...INPUT[1] },
    ]);
    const [add, ...hosted] = request?.['tools'] as object[];
    expect(add).toMatchObject({ type: 'function', name: 'add', description: 'Adds two numbers.' });
    expect(hosted).toEqual(ASSISTANT.hostedTools);
  });

  it('says nothing about an end user whom nobody named, nor of limits that nobody set', async () => {
    const turn = await runTurn(world.current, { script: [answer()] });
    const [request] = turn.requests;
    for (const name of ['safety_identifier', 'max_output_tokens', 'text', 'instructions']) {
      expect(request).not.toHaveProperty(name);
    }
  });

  it('sends back what the model said, item for item, with reasoning and hosted calls, but for what is no input', async () => {
    const items = [
      { id: 'rs_1', type: 'reasoning', summary: [], encrypted_content: 'c2VjcmV0' },
      {
        id: 'ws_1',
        type: 'web_search_call',
        status: 'completed',
        action: { type: 'search', query: 'q' },
      },
      {
        id: 'fc_1',
        type: 'function_call',
        call_id: 'c1',
        name: 'add',
        arguments: '{ "a":1,"b":2 }',
        status: 'completed',
      },
    ];
    const unknown = { id: 'odd_1', type: 'something_new', payload: { deep: [1, null, 'x'] } };
    const turn = await runTurn(world.current, {
      assistant: { tools: ['add'] },
      script: [{ kind: 'items', items: [...items, unknown] }, answer('3.')],
    });
    expect(turn.answer).toBe('3.');
    expect(turn.output).toContainEqual(unknown);
    expect(inputOf(turn.requests[1]).slice(1)).toEqual([
      ...items,
      { type: 'function_call_output', call_id: 'c1', output: '{"sum":3}' },
    ]);
  });

  it('begins, byte for byte, with the whole request of the turn before', async () => {
    const first = await runTurn(world.current, {
      assistant: ASSISTANT,
      script: [{ kind: 'calls', calls: [{ name: 'add', arguments: { a: 1, b: 2 } }] }, answer()],
    });
    const second = await runTurn(world.current, {
      assistant: ASSISTANT,
      conversationId: first.conversationId,
      input: 'And now?',
      script: [answer()],
    });
    const requests = [...first.requests, ...second.requests];
    const prefixes = requests.map(({ instructions, tools, input }) =>
      JSON.stringify([instructions, tools, input]).slice(0, -2),
    );
    expect(prefixes).toHaveLength(3);
    expect(prefixes[1]?.startsWith(String(prefixes[0]))).toBe(true);
    expect(prefixes[2]?.startsWith(String(prefixes[1]))).toBe(true);
    expect(new Set(requests.map((request) => request['prompt_cache_key'])).size).toBe(1);
  });

  it('passes events of unknown types on to readers', async () => {
    const event = { type: 'response.brand_new.thing', detail: { n: 1 } };
    const turn = await runTurn(world.current, {
      script: [{ kind: 'unknownEvent', event, text: 'Yes.' }],
    });
    expect(turn.answer).toBe('Yes.');
    expect(turn.events.map((entry) => entry.event)).toContainEqual({
      ...event,
      sequence_number: 2,
    });
  });
});
