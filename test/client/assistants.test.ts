import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Turnkeeper } from '../../src/client/client.ts';
import type { AssistantDefinition } from '../../src/contracts/assistant.ts';
import type { ErrorCode } from '../../src/contracts/errors.ts';
import { expectRefused, startWorld, type World } from './world.ts';

const FULL: AssistantDefinition = {
  name: 'Helper',
  model: 'test-model',
  instructions: 'Be kind.\nBe brief.',
  tools: ['weather', '__proto__'],
  hostedTools: [{ type: 'web_search' }],
  knowledge: { bases: ['handbook'], maxPassages: 3 },
  text: { format: { type: 'json_schema', name: 'out', schema: { type: 'object' }, strict: true } },
  modelOptions: { temperature: 0.5, reasoning: { effort: 'low' } },
  generation: 'background',
  fallbackModel: 'other-model',
  fallbackAnswer: 'Please call us.',
  context: { maxTokens: 20_000 },
  clientTools: [{ name: 'pick', description: 'Picks.', parameters: { type: 'object' } }],
  limits: {
    ...{ maxRounds: 3, turnTimeoutMs: 60_000, actionTimeoutMs: 60_000 },
    ...{ maxTurnTokens: 1_000, maxOutputTokens: 100 },
  },
};
const CLIENT_TOOL = { name: 'pick', description: 'Picks.', parameters: { type: 'object' } };
const LOOKS_AHEAD = { properties: { a: { pattern: '(?=a)b' } } };
const UNKNOWN = '01890000-0000-7000-8000-000000000000';

let world: World;
let client: Turnkeeper;

beforeAll(async () => {
  world = await startWorld();
  ({ client } = world.client());
});
afterAll(() => world.stop());

function format(schema: unknown): Partial<AssistantDefinition> {
  return { text: { format: { type: 'json_schema', name: 'out', schema: schema as never } } };
}

describe('assistants', () => {
  it('keeps a definition as it was given', async () => {
    const created = await client.assistants.create(FULL);
    expect(created).toMatchObject({ version: 1, definition: FULL });
    expect(await client.assistants.get(created.id.toUpperCase())).toEqual(created);
  });

  it('adds a version and still finds the earlier one', async () => {
    const { id } = await client.assistants.create(FULL);
    const next = await client.assistants.update(id, { name: 'Helper', model: 'newer' });
    expect(next).toMatchObject({ id, version: 2, definition: { model: 'newer' } });
    expect(await client.assistants.get(id, { version: 1 })).toMatchObject({ definition: FULL });
    await expectRefused(
      client.assistants.get(id, { version: 3 }),
      'assistant_not_found',
      /version 3/,
    );
  });

  it('gives the same assistant for the same key and definition', async () => {
    const request = { name: 'Keyed', model: 'm', idempotencyKey: 'assistant-1' };
    const { id } = await client.assistants.create(request);
    expect((await client.assistants.create({ ...request })).id).toBe(id);
    await expectRefused(
      client.assistants.create({ ...request, model: 'other' }),
      'idempotency_conflict',
      /assistant-1/,
    );
  });

  it('lists page by page', async () => {
    const { client: other } = world.client({ tenant: 'lister' });
    const ids = [];
    for (const name of ['a', 'b', 'c'])
      ids.push((await other.assistants.create({ name, model: 'm' })).id);
    const first = await other.assistants.list({ limit: 2 });
    const cursor = first.nextCursor ?? '';
    const second = await other.assistants.list({ limit: 2, cursor });
    expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(ids);
    expect(second.nextCursor).toBeNull();
    await expectRefused(other.assistants.list({ cursor: 'nonsense' }), 'invalid_cursor', /cursor/);
  });

  it("does not know another tenant's assistants", async () => {
    const { id } = await client.assistants.create(FULL);
    const { client: other } = world.client({ tenant: 'other' });
    await expectRefused(other.assistants.get(id), 'assistant_not_found', /There is no assistant/);
    await expectRefused(other.assistants.update(id, FULL), 'assistant_not_found', /no assistant/);
    await expectRefused(client.assistants.get(UNKNOWN), 'assistant_not_found', /no assistant/);
    await expectRefused(client.assistants.get("' OR 1"), 'assistant_not_found', /no assistant/);
  });

  it('refuses a definition over the limit, naming it', async () => {
    const { client: small } = world.client({ limits: { maxInputBytes: 100 } });
    await expect(
      small.assistants.create({ name: 'a', model: 'm', instructions: 'ü'.repeat(50) }),
    ).rejects.toMatchObject({
      code: 'input_too_large',
      details: { limit: 'maxInputBytes', max: 100, actual: 142 },
    });
  });

  it.each<[string, object, ErrorCode, RegExp]>([
    ['no model', { model: undefined }, 'invalid_request', /^model is missing/],
    ['an empty model', { model: ' ' }, 'invalid_request', /^model must not be empty/],
    ['a name of two lines', { name: 'a\nb' }, 'invalid_request', /^name must have printable/],
    ['a field that is not known', { modle: 'm' }, 'invalid_request', /^modle is not a known field/],
    [
      'a broken tool name',
      { tools: ['a b'] },
      'invalid_request',
      /^tools\[0\] must be a tool name/,
    ],
    ['a tool named twice', { tools: ['a', 'b', 'a'] }, 'duplicate_tool', /a twice/],
    [
      'a tool that the caller and the worker run',
      { tools: ['a'], clientTools: [{ ...CLIENT_TOOL, name: 'a' }] },
      'duplicate_tool',
      /a twice/,
    ],
    [
      'a tool of the caller under the name of the one that is built in',
      { clientTools: [{ ...CLIENT_TOOL, name: 'run_code' }] },
      'invalid_request',
      /^clientTools\[0\]\.name must not be run_code/,
    ],
    [
      'a tool of the caller without a description',
      { clientTools: [{ ...CLIENT_TOOL, description: ' ' }] },
      'invalid_request',
      /^clientTools\[0\]\.description/,
    ],
    [
      'a tool of the caller whose arguments are no object',
      { clientTools: [{ ...CLIENT_TOOL, parameters: { type: 'string' } }] },
      'invalid_request',
      /^clientTools\[0\]\.parameters\.type/,
    ],
    [
      'a tool of the caller with a broken schema',
      { clientTools: [{ ...CLIENT_TOOL, parameters: { type: 'object', required: 1 } }] },
      'invalid_schema',
      /^clientTools\[0\]\.parameters/,
    ],
    [
      'a tool of the caller with a pattern that may take for ever',
      { clientTools: [{ ...CLIENT_TOOL, parameters: { type: 'object', ...LOOKS_AHEAD } }] },
      'invalid_schema',
      /^clientTools\[0\]\.parameters .* pattern \/\(\?=a\)b\/ .* it looks ahead/,
    ],
    ['such a pattern in a format', format(LOOKS_AHEAD), 'invalid_schema', /^text\.format\.schema/],
    [
      'actions that wait for no time',
      { limits: { actionTimeoutMs: 0 } },
      'invalid_request',
      /^limits\.actionTimeoutMs/,
    ],
    [
      'a hosted tool without type',
      { hostedTools: [{}] },
      'invalid_request',
      /^hostedTools\[0\]\.type/,
    ],
    [
      'a function among hosted tools',
      { hostedTools: [{ type: 'function', name: 'f' }] },
      'invalid_request',
      /^hostedTools\[0\]\.type must be a tool that the provider runs/,
    ],
    [
      'a hosted tool whose calls the caller would have to answer',
      { hostedTools: [{ type: 'local_shell' }] },
      'invalid_request',
      /^hostedTools\[0\]\.type/,
    ],
    [
      'an mcp server that waits for approval',
      { hostedTools: [{ type: 'mcp', server_label: 's', server_url: 'https://mcp.example' }] },
      'invalid_request',
      /^hostedTools\[0\]\.require_approval/,
    ],
    [
      'an end that cannot be',
      { compensateOn: ['completed'] },
      'invalid_request',
      /^compensateOn\[0\]/,
    ],
    ['no bases', { knowledge: { bases: [] } }, 'invalid_request', /^knowledge\.bases must have 1/],
    [
      'too many passages',
      { knowledge: { bases: ['a'], maxPassages: 51 } },
      'invalid_request',
      /^knowledge\.maxPassages must be an integer of 1 to 50/,
    ],
    [
      'room for too little',
      { context: { maxTokens: 999 } },
      'invalid_request',
      /^context\.maxTokens/,
    ],
    ['a round limit of 0', { limits: { maxRounds: 0 } }, 'invalid_request', /^limits\.maxRounds/],
    [
      'a limit that is no number',
      { limits: { turnTimeoutMs: '5s' } },
      'invalid_request',
      /^limits\.turnTimeoutMs/,
    ],
    [
      'an option of ours',
      { modelOptions: { stream: true } },
      'invalid_request',
      /^modelOptions\.stream/,
    ],
    ['another generation', { generation: 'soon' }, 'invalid_request', /^generation must be/],
    [
      'a background that nobody stores',
      { generation: 'background', modelOptions: { store: false } },
      'invalid_request',
      /^modelOptions\.store/,
    ],
    [
      'an option that is no JSON',
      { modelOptions: { x: 1n } },
      'invalid_request',
      /^modelOptions\.x/,
    ],
    [
      'a date',
      { modelOptions: { x: new Date(0) } },
      'invalid_request',
      /^modelOptions\.x must be JSON/,
    ],
    [
      'half a surrogate pair',
      { instructions: '\ud800' },
      'invalid_request',
      /^instructions has half/,
    ],
    [
      'a nameless format',
      { text: { format: { type: 'json_schema' } } },
      'invalid_request',
      /format\.name/,
    ],
    [
      'a format without schema',
      format(undefined),
      'invalid_request',
      /^text\.format\.schema is missing/,
    ],
    [
      'a schema that is none',
      format({ type: 'strnig' }),
      'invalid_schema',
      /^text\.format\.schema/,
    ],
    [
      'a schema from elsewhere',
      format({ $ref: 'https://example.com/s' }),
      'invalid_schema',
      /example/,
    ],
  ])('refuses %s', async (_, changes, code, message) => {
    const definition = { name: 'Helper', model: 'm', ...changes } as AssistantDefinition;
    await expectRefused(client.assistants.create(definition), code, message);
  });

  it('refuses nothing at all', async () => {
    const nothing = client.assistants.create(undefined as never);
    await expectRefused(nothing, 'invalid_request', /^request is missing/);
  });

  it('refuses an object without end', async () => {
    const options: Record<string, unknown> = {};
    options.self = options;
    const definition = { name: 'a', model: 'm', modelOptions: options } as never;
    await expectRefused(client.assistants.create(definition), 'invalid_request', /nested deeper/);
  });

  it('takes a schema of draft 7 for the format, as zod writes it', async () => {
    const $schema = 'http://json-schema.org/draft-07/schema#';
    const text = format({ $schema, type: 'object' });
    await expect(
      client.assistants.create({ name: 'a', model: 'm', ...text }),
    ).resolves.toBeDefined();
  });
});
