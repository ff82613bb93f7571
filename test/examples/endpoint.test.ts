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

function chat(body: unknown, key?: string): Promise<Response> {
  const headers = key === undefined ? {} : { 'idempotency-key': key };
  return fetch(`${url}/chat`, { method: 'POST', headers, body: JSON.stringify(body) });
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
    const messages = await read(await chat({ user: 'ada', message: 'What is a bicycle?' }));
    expect(shown(messages)).toBe('Two wheels, one chain.');
    expect(messages.at(-1)).toMatchObject({ event: 'turn.done', data: { status: 'completed' } });
  });

  it('goes on where a broken stream ended, and gives the same turn for the same key', async () => {
    const text = 'A long answer that is read in two parts, of which the first one breaks off.';
    await world().offline.script([{ kind: 'answer', text, delayMs: 30 }]);
    const request = { user: 'ada', message: 'Tell me more.' };
    const first = await chat(request, 'key-1');
    const turn = String(first.headers.get('x-turn'));
    const before = await read(first, ({ event }) => event.endsWith('text.delta'));
    const last = before.at(-1)?.id ?? 0;
    const after = await read(
      await fetch(`${url}/chat/${turn}`, { headers: { 'last-event-id': String(last) } }),
    );
    expect(shown([...before, ...after])).toBe(text);
    const again = await chat(request, 'key-1');
    expect(again.headers.get('x-turn')).toBe(turn);
    expect(shown(await read(again))).toBe(text);
  });

  it.each([
    ['{"user": 1}', 400, 'bad_request'],
    ['no json', 400, 'bad_request'],
    ['{"user":"a","message":"b","conversation":"nobody"}', 404, 'conversation_not_found'],
  ])('refuses %s', async (body, status, code) => {
    const response = await fetch(`${url}/chat`, { method: 'POST', body });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { code } });
  });

  it('does not know a turn that does not exist', async () => {
    const response = await fetch(`${url}/chat/nobody`);
    expect(response.status).toBe(404);
  });
});
