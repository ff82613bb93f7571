import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../../src/contracts/errors.ts';
import type { Json, JsonObject } from '../../../src/contracts/json.ts';
import type { ToolDefinition } from '../../../src/contracts/tools.ts';
import { createTools, defineTool } from '../../../src/tools/registry.ts';

const CITY: JsonObject = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
};

function weather(changes: Partial<ToolDefinition> = {}): ToolDefinition {
  return defineTool({
    name: 'weather',
    description: 'Tells the weather of a city.',
    parameters: CITY,
    policy: 'idempotent',
    run: () => 'sunny',
    ...changes,
  });
}

function without(field: keyof ToolDefinition): ToolDefinition {
  return Object.fromEntries(
    Object.entries(weather()).filter(([key]) => key !== field),
  ) as unknown as ToolDefinition;
}

function expectRefused(definitions: ToolDefinition[], code: ErrorCode, message: RegExp): void {
  expect(() => createTools(definitions)).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) as string }) as Error,
  );
}

function parsed(json: string): JsonObject {
  return JSON.parse(json) as JsonObject;
}

describe('the tools registry', () => {
  it('finds tools by name and tells their names in the order given', () => {
    const tools = createTools([weather(), weather({ name: 'forecast' })]);
    expect(tools.names()).toEqual(['weather', 'forecast']);
    expect(tools.get('forecast')?.name).toBe('forecast');
    expect(tools.get('toString')).toBeUndefined();
  });

  it('refuses a second tool of the same name', () => {
    expectRefused([weather(), weather()], 'duplicate_tool', /named weather/);
  });

  it.each(['', 'with space', 'ü', 'x'.repeat(65), 'a\n'])('refuses the name %j', (name) => {
    expectRefused([weather({ name })], 'invalid_tool', /needs a name/);
  });

  it.each([
    ['description', /needs a description/],
    ['policy', /policy undefined/],
    ['name', /needs a name/],
  ] as const)('refuses a definition without %s', (field, message) => {
    expectRefused([without(field)], 'invalid_tool', message);
  });

  it('takes a tool without run: its caller runs it', () => {
    expect(createTools([without('run')]).get('weather')?.run).toBeUndefined();
  });

  it.each<[string, object, RegExp]>([
    ['a run that is no function', { run: true }, /run that is not a function/],
    ['an approval that is no rule', { approval: true }, /neither "always" nor a function/],
    ['an approval of what the caller runs', { run: undefined, approval: 'always' }, /no run/],
  ])('refuses %s', (_, fields, message) => {
    expectRefused([weather(fields)], 'invalid_tool', message);
  });

  it('includes tools that a caller runs, and stays as it is', () => {
    const tools = createTools([weather(), weather({ name: 'forecast' })]);
    const parameters = { type: 'object', required: ['day'] };
    const mine = { name: 'weather', description: 'Mine.', parameters };
    const all = tools.including([mine]);
    expect(all.get('weather')).toMatchObject({ description: 'Mine.' });
    expect(all.get('weather')?.run).toBeUndefined();
    expect(all.checkArguments('weather', {})).toEqual(["/ must have required property 'day'"]);
    expect(all.checkArguments('forecast', { city: 'Bern' })).toBeNull();
    expect(tools.get('weather')?.run).toBeDefined();
  });

  it('finds that nothing fits what an older release took for the schema of such a tool', () => {
    const parameters = { type: 'object', properties: { day: { pattern: '(?=a)b' } } };
    const all = createTools([]).including([{ name: 'pick', description: 'Picks.', parameters }]);
    const mistakes = all.checkArguments('pick', { day: 'b' });
    expect(mistakes).toEqual([expect.stringContaining('pattern /(?=a)b/ cannot be matched')]);
  });

  it('refuses a policy that does not exist', () => {
    const policy = 'at_most_once' as ToolDefinition['policy'];
    expectRefused([weather({ policy })], 'invalid_tool', /"at_most_once"/);
  });

  it.each([0, -1, 1.5, NaN, Infinity, 86_400_001])('refuses a timeout of %s ms', (timeoutMs) => {
    expectRefused([weather({ timeoutMs })], 'invalid_tool', /timeoutMs/);
  });

  it('refuses a reconcilable tool that cannot reconcile', () => {
    expectRefused([weather({ policy: 'reconcilable' })], 'invalid_tool', /reconcile function/);
  });

  it('refuses a compensate that is no function', () => {
    const compensate = true as unknown as NonNullable<ToolDefinition['compensate']>;
    expectRefused([weather({ compensate })], 'invalid_tool', /compensate that is not a function/);
    expect(createTools([weather({ compensate: () => undefined })]).names()).toEqual(['weather']);
  });

  it('refuses to undo what is unknown with a tool that undoes nothing, or does not say so plainly', () => {
    const compensate = () => undefined;
    const definition = weather({ compensateUnknown: true });
    expectRefused([definition], 'invalid_tool', /needs a compensate function/);
    const vague = { compensate, compensateUnknown: 'yes' as unknown as boolean };
    expectRefused([weather(vague)], 'invalid_tool', /neither true nor false/);
    expect(createTools([weather({ compensate, compensateUnknown: true })]).names()).toHaveLength(1);
  });

  it('takes names that objects have already', () => {
    const names = ['__proto__', 'constructor', 'hasOwnProperty'];
    const tools = createTools(names.map((name) => weather({ name })));
    expect(tools.names()).toEqual(names);
    expect(tools.get('__proto__')?.name).toBe('__proto__');
    expect(tools.checkArguments('constructor', {})).not.toBeNull();
    expect(Object.prototype).not.toHaveProperty('name');
  });
});

describe('schemas of tools', () => {
  it.each<[string, unknown]>([
    ['no object', 'string'],
    ['null', null],
    ['an array', []],
    ['an array schema', { type: 'array' }],
    ['no type', {}],
    ['several types', { type: ['object', 'null'] }],
    ['an unknown type', { type: 'object', properties: { a: { type: 'strnig' } } }],
    ['a broken pattern', { type: 'object', properties: { a: { pattern: '(' } } }],
    ['a pattern that may take for ever', { type: 'object', propertyNames: { pattern: '(a)\\1' } }],
    ['an asynchronous schema', { type: 'object', $async: true }],
    ['an unknown meta-schema', { type: 'object', $schema: 'https://example.com/schema' }],
  ])('refuses %s as parameters', (_, parameters) => {
    expectRefused(
      [weather({ parameters: parameters as JsonObject })],
      'invalid_schema',
      /parameters/,
    );
  });

  it('refuses an output schema that is no schema', () => {
    expectRefused([weather({ output: { type: 'nothing' } })], 'invalid_schema', /output/);
  });

  it('refuses a reference to another place and does not fetch it', () => {
    const parameters = {
      type: 'object',
      properties: { a: { $ref: 'https://example.com/a.json' } },
    };
    expectRefused([weather({ parameters })], 'invalid_schema', /example\.com/);
  });

  it('refuses a schema that is nested without end', () => {
    let parameters: JsonObject = { type: 'object' };
    for (let depth = 0; depth < 20_000; depth++) {
      parameters = { type: 'object', properties: { deeper: parameters } };
    }
    expectRefused([weather({ parameters })], 'invalid_schema', /parameters/);
  });

  it('takes a schema of draft 7 where it says so', () => {
    const parameters = {
      $schema: 'http://json-schema.org/draft-07/schema#',
      type: 'object',
      properties: { pair: { type: 'array', items: [{ type: 'string' }, { type: 'number' }] } },
    };
    const tools = createTools([weather({ parameters })]);
    expect(tools.checkArguments('weather', { pair: ['a', 1] })).toBeNull();
    expect(tools.checkArguments('weather', { pair: ['a', 'b'] })).toEqual([
      '/pair/1 must be number',
    ]);
  });

  it('lets two tools use the same $id', () => {
    const schema = (type: string) => ({ $id: 'args', type: 'object', properties: { a: { type } } });
    const tools = createTools([
      weather({ parameters: schema('string') }),
      weather({ name: 'forecast', parameters: schema('number') }),
    ]);
    expect(tools.checkArguments('weather', { a: 'x' })).toBeNull();
    expect(tools.checkArguments('forecast', { a: 'x' })).toEqual(['/a must be number']);
  });
});

describe('checking arguments and outputs', () => {
  it('tells every mistake in a line that names the place', () => {
    const tools = createTools([weather()]);
    expect(tools.checkArguments('weather', { city: 'Bern' })).toBeNull();
    expect(tools.checkArguments('weather', { city: 5, town: 'Bern' })).toEqual([
      '/ must NOT have additional properties: "town"',
      '/city must be string',
    ]);
    expect(tools.checkArguments('weather', [])).toEqual(['/ must be object']);
  });

  it('names the values that are allowed', () => {
    const parameters = { type: 'object', properties: { unit: { enum: ['C', 'F'] } } };
    const tools = createTools([weather({ parameters })]);
    expect(tools.checkArguments('weather', { unit: 'K' })).toEqual([
      '/unit must be equal to one of the allowed values: ["C","F"]',
    ]);
  });

  it('checks formats', () => {
    const parameters = { type: 'object', properties: { day: { type: 'string', format: 'date' } } };
    const tools = createTools([weather({ parameters })]);
    expect(tools.checkArguments('weather', { day: '2026-02-30' })).toEqual([
      '/day must match format "date"',
    ]);
  });

  it('counts inherited properties as missing', () => {
    const parameters = { type: 'object', required: ['constructor', 'toString'] };
    const tools = createTools([weather({ parameters })]);
    expect(tools.checkArguments('weather', {})).toHaveLength(2);
  });

  it('refuses a __proto__ that was smuggled in and leaves prototypes alone', () => {
    const tools = createTools([weather()]);
    const args = parsed('{"city":"Bern","__proto__":{"admin":true}}');
    expect(tools.checkArguments('weather', args)).toEqual([
      '/ must NOT have additional properties: "__proto__"',
    ]);
    expect({}).not.toHaveProperty('admin');
  });

  it('tells the first mistakes of very many', () => {
    const parameters = {
      type: 'object',
      properties: { a: { type: 'array', items: { type: 'string' } } },
    };
    const tools = createTools([weather({ parameters })]);
    const lines = tools.checkArguments('weather', { a: Array<Json>(50_000).fill(1) });
    expect(lines).toHaveLength(21);
    expect(lines?.at(-1)).toBe('… and 49980 more');
  });

  it('cuts a line that would be very long', () => {
    const tools = createTools([weather()]);
    const lines = tools.checkArguments('weather', { city: 'Bern', ['x'.repeat(100_000)]: 1 });
    expect(lines?.[0]?.length).toBe(300);
  });

  it('refuses a value that is nested too deeply to be checked', () => {
    const parameters = { type: 'object', properties: { next: { $ref: '#' } } };
    const tools = createTools([weather({ parameters })]);
    let args: JsonObject = {};
    for (let depth = 0; depth < 100_000; depth++) args = { next: args };
    expect(tools.checkArguments('weather', args)).toEqual(['/ is nested too deeply to be checked']);
  });

  it('lets every output pass where no schema was declared', () => {
    const tools = createTools([weather(), weather({ name: 'typed', output: { type: 'string' } })]);
    expect(tools.checkOutput('weather', { any: 'thing' })).toBeNull();
    expect(tools.checkOutput('typed', 'fine')).toBeNull();
    expect(tools.checkOutput('typed', 5)).toEqual(['/ must be string']);
  });
});
