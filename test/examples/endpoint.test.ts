import { afterAll, describe, expect, it } from 'vitest';
import { useWorld } from '../support/use-world.ts';
import { startExample, type RunningExample } from './example.ts';

let example: RunningExample | undefined;
let url: string;

const world = useWorld({
  async prepare({ env }) {
    example = startExample('endpoint', [], { ...env, MODEL: 'small' });
    [, url = ''] = await example.wrote(/listening on (\S+)/);
  },
});

interface Message {
  id: number;
  event: string;
  data: { delta?: string; status?: string };
}

/** Reads messages, up to the first that `last` is true for. */
async function read(
  response: Response,
  last: (message: Message) => boolean = () => false,
): Promise<Message[]> {
  const messages: Message[] = [];
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk as Uint8Array).toString();
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const message = parse(block);
      messages.push(message);
      if (last(message)) return messages;
    }
  }
  return messages;
}

function parse(block: string): Message {
  const fields = Object.fromEntries(
    block
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  );
  return {
    id: Number(fields['id']),
    event: String(fields['event']),
    data: JSON.parse(String(fields['data'])) as Message['data'],
  };
}

const ADA = { 'x-user': 'ada' };

function chat(body: unknown, headers: Record<string, string> = ADA): Promise<Response> {
  return fetch(`${url}/chat`, { method: 'POST', headers, body: JSON.stringify(body) });
}

/** `GET /chat/<turn>` of an answer that was given to ada. */
async function readAgain(path: string, headers: Record<string, string> = ADA) {
  const response = await fetch(`${url}/chat/${path}`, { headers });
  return { status: response.status, text: await response.text() };
}

const shown = (messages: Message[]) =>
  messages
    .flatMap(({ event, data }) => (event.endsWith('text.delta') ? [data.delta] : []))
    .join('');

describe('examples/endpoint', { timeout: 120_000 }, () => {
  afterAll(async () => {
    example?.kill('SIGTERM');
    expect(await (example?.ended ?? 0)).toBe(0);
  });

  it('streams an answer to its end', async () => {
    await world().offline.script([{ kind: 'answer', text: 'Two wheels, one chain.' }]);
    const messages = await read(await chat({ message: 'What is a bicycle?' }));
    expect(shown(messages)).toBe('Two wheels, one chain.');
    expect(messages.at(-1)).toMatchObject({ event: 'turn.done', data: { status: 'completed' } });
  });

  it('goes on where a broken stream ended, and gives the same turn for the same key', async () => {
    const text = 'A long answer that is read in two parts, of which the first one breaks off.';
    await world().offline.script([{ kind: 'answer', text, delayMs: 30 }]);
    const request = { message: 'Tell me more.' };
    const keyed = { ...ADA, 'idempotency-key': 'key-1' };
    const first = await chat(request, keyed);
    const turn = String(first.headers.get('x-turn'));
    const before = await read(first, ({ event }) => event.endsWith('text.delta'));
    const last = before.at(-1)?.id ?? 0;
    const after = await read(
      await fetch(`${url}/chat/${turn}`, {
        headers: { ...ADA, 'last-event-id': String(last) },
      }),
    );
    expect(shown([...before, ...after])).toBe(text);
    const again = await chat(request, keyed);
    expect(again.headers.get('x-turn')).toBe(turn);
    expect(shown(await read(again))).toBe(text);
  });

  it.each([
    ['{"message": 1}', 400, 'bad_request'],
    ['no json', 400, 'bad_request'],
    ['{"message":"b","conversation":"nobody"}', 404, 'conversation_not_found'],
  ])('refuses %s', async (body, status, code) => {
    const response = await fetch(`${url}/chat`, { method: 'POST', headers: ADA, body });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { code } });
  });

  it('does not know a turn that does not exist', async () => {
    expect(await readAgain('nobody')).toMatchObject({ status: 404 });
  });

  it('refuses who does not say who they are', async () => {
    expect((await chat({ message: 'Hello' }, {})).status).toBe(401);
    expect(await readAgain('nobody', {})).toMatchObject({ status: 401 });
  });

  it('gives a user no turn of another, by its id, its key or its conversation', async () => {
    const said = { kind: 'answer', text: 'A secret.' } as const;
    await world().offline.script([said, said]);
    const eve = { 'x-user': 'eve', 'idempotency-key': '1' };
    const request = { message: 'What is it?' };
    const own = await chat(request, { ...ADA, 'idempotency-key': '1' });
    const turn = String(own.headers.get('x-turn'));
    const conversation = String(own.headers.get('x-conversation'));
    expect(shown(await read(own))).toBe('A secret.');
    expect((await chat({ ...request, conversation }, eve)).status).toBe(404);
    const others = await readAgain(turn, eve);
    expect(others.status).toBe(404);
    expect(others.text).not.toContain('secret');
    const same = await chat(request, eve);
    expect(same.status).toBe(200);
    expect(same.headers.get('x-turn')).not.toBe(turn);
    expect(shown(await read(same))).toBe('A secret.');
    expect(await readAgain(turn)).toMatchObject({ status: 200 });
  });

  it.each(['abc', '-1', '1.5', '9'.repeat(40)])('refuses to go on after %s', async (after) => {
    const { headers } = await chat({ message: 'Hello' });
    const turn = String(headers.get('x-turn'));
    expect(await readAgain(`${turn}?after=${after}`)).toMatchObject({ status: 400 });
  });
});
