import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Turnkeeper } from '../../src/client/client.ts';
import type { InputItem } from '../../src/client/input.ts';
import type { RecordingStarter } from './recording-starter.ts';
import {
  answer,
  assistantMessage,
  expectRefused,
  newTalk,
  startWorld,
  type World,
} from './world.ts';

let world: World;
let client: Turnkeeper;
let starter: RecordingStarter;

beforeAll(async () => {
  world = await startWorld();
  ({ client, starter } = world.client());
});
afterAll(() => world.stop());

const itemsOf = async (conversationId: string) =>
  (await client.conversations.items(conversationId)).data.map(({ item }) => item);

const part = (text: string) => ({ type: 'input_text', text });

describe('starting a turn', () => {
  it('stores the input, holds the conversation and starts the workflow', async () => {
    const talk = await newTalk(client);
    const turn = await client.turns.start({ ...talk, input: 'Hello' });
    expect(starter.started.at(-1)).toMatchObject({
      tenant: 'default',
      turnId: turn.id,
      conversationId: talk.conversationId,
      assistant: { id: talk.assistantId, version: 1, name: 'Helper' },
      models: ['test-model'],
      deadlineMs: turn.deadline.getTime(),
    });
    expect(await client.turns.get(turn.id)).toMatchObject({
      state: 'started',
      status: 'in_progress',
    });
    expect(await client.conversations.get(talk.conversationId)).toMatchObject({
      activeTurn: turn.id,
    });
    expect(await itemsOf(talk.conversationId)).toEqual([
      { type: 'message', role: 'user', content: [part('Hello')] },
    ]);
  });

  it('takes messages of all kinds of parts and gives them one form', async () => {
    const talk = await newTalk(client);
    const image = {
      type: 'input_image',
      image_url: 'data:image/png;base64,AA==',
      detail: 'low',
    } as const;
    const file = { type: 'input_file', file_data: 'AA==', filename: 'a.pdf' } as const;
    const input: InputItem[] = [
      { role: 'developer', content: 'Be brief.' },
      {
        type: 'message',
        role: 'user',
        content: [image, file, { type: 'input_text', text: 'What?' }],
      },
    ];
    await client.turns.start({ ...talk, input });
    expect(await itemsOf(talk.conversationId)).toEqual([
      { type: 'message', role: 'developer', content: [part('Be brief.')] },
      { type: 'message', role: 'user', content: [image, file, part('What?')] },
    ]);
  });

  it('runs the version of the assistant that was asked for', async () => {
    const talk = await newTalk(client);
    await client.assistants.update(talk.assistantId, { name: 'Helper', model: 'newer' });
    await client.turns.start({ ...talk, assistantVersion: 1, input: 'Hello' });
    expect(starter.started.at(-1)).toMatchObject({ models: ['test-model'] });
  });

  it('accepts the turn all the same when Temporal is away, and says so in the log', async () => {
    const { client: cut, starter: away } = world.client();
    const talk = await newTalk(cut);
    away.away = true;
    const turn = await cut.turns.start({ ...talk, input: 'Hello' });
    expect(await cut.turns.get(turn.id)).toMatchObject({ state: 'accepted' });
    expect(world.logs.at(-1)).toMatchObject({ level: 'warn', fields: { turnId: turn.id } });
  });
});

describe('starting a turn with a key', () => {
  it('gives the same turn for the same request, in whatever state it is', async () => {
    const talk = await newTalk(client);
    const request = { ...talk, input: 'Hello', idempotencyKey: 'turn-1' };
    const turn = await client.turns.start(request);
    expect(await client.turns.start({ ...request })).toMatchObject({
      id: turn.id,
      state: 'started',
    });
    await answer(world.store, turn, [assistantMessage('Hi')]);
    expect(await client.turns.start({ ...request })).toMatchObject({
      id: turn.id,
      state: 'sealed',
    });
    expect(starter.startedIds().filter((id) => id === turn.id)).toHaveLength(1);
    expect(await itemsOf(talk.conversationId)).toHaveLength(2);
  });

  it('refuses the key with another request', async () => {
    const talk = await newTalk(client);
    await client.turns.start({ ...talk, input: 'Hello', idempotencyKey: 'turn-1' });
    const other = client.turns.start({ ...talk, input: 'Bye', idempotencyKey: 'turn-1' });
    await expectRefused(other, 'idempotency_conflict', /turn-1/);
  });

  it('takes one key for each operation on each resource, and in each tenant', async () => {
    const idempotencyKey = 'the same everywhere';
    const { client: other } = world.client({ tenant: 'another' });
    const keyed = async (by: Turnkeeper) => {
      const { id: assistantId } = await by.assistants.create({
        ...{ name: 'Keyed', model: 'test-model', idempotencyKey },
      });
      const { id: conversationId } = await by.conversations.create({ idempotencyKey });
      const document = { base: 'b', name: 'n.md', content: 'c', idempotencyKey };
      const { id: documentId } = await by.documents.add(document);
      const talk = { assistantId, conversationId };
      const { id: turnId } = await by.turns.start({ ...talk, input: 'Hello', idempotencyKey });
      return { ...talk, documentId, turnId };
    };
    const here = await keyed(client);
    expect(await keyed(client)).toEqual(here);
    const { assistantId, conversationId, turnId } = here;
    const { id: elsewhere } = await client.conversations.create();
    const hello = { assistantId, input: 'Hello', idempotencyKey };
    const second = await client.turns.start({ ...hello, conversationId: elsewhere });
    const items = [{ role: 'user', content: 'x' } as const];
    await world.store.turns.seal('default', turnId, { status: 'cancelled' });
    const retry = await client.turns.retry(turnId, { idempotencyKey });
    await world.store.turns.seal('default', retry.id, { status: 'cancelled' });
    const anew = await client.turns.regenerate(retry.id, { idempotencyKey });
    await world.store.turns.seal('default', anew.id, { status: 'cancelled' });
    const edit = await client.turns.edit(anew.id, { input: 'Hi', idempotencyKey });
    for (let times = 0; times < 2; times += 1)
      await client.conversations.addItems(conversationId, { items, idempotencyKey });
    const made = [second.id, retry.id, anew.id, edit.id];
    const all = [...Object.values(here), ...Object.values(await keyed(other)), ...made];
    expect(new Set(all).size).toBe(all.length);
    expect(await itemsOf(conversationId)).toHaveLength(2);
  });

  it('starts the turn of then when that was accepted only', async () => {
    const talk = await newTalk(client);
    const request = { ...talk, input: 'Hello', idempotencyKey: 'turn-1' };
    starter.away = true;
    const turn = await client.turns.start(request);
    starter.away = false;
    await client.turns.start({ ...request });
    expect(starter.startedIds()).toContain(turn.id);
    expect(await client.turns.get(turn.id)).toMatchObject({ state: 'started' });
  });

  it('leaves the key free when the conversation was busy', async () => {
    const talk = await newTalk(client);
    const first = await client.turns.start({ ...talk, input: 'First' });
    const request = { ...talk, input: 'Second', idempotencyKey: 'turn-2' };
    await expectRefused(client.turns.start(request), 'conversation_busy', /is held by/);
    await answer(world.store, first, [assistantMessage('1')]);
    await expect(client.turns.start(request)).resolves.toMatchObject({ state: 'accepted' });
  });
});

describe('starting a turn in a conversation that is held', () => {
  it('is refused while the other turn lives, and names it', async () => {
    const talk = await newTalk(client);
    const active = await client.turns.start({ ...talk, input: 'First' });
    await expect(client.turns.start({ ...talk, input: 'Second' })).rejects.toMatchObject({
      code: 'conversation_busy',
      details: { activeTurn: active.id },
    });
    expect(await itemsOf(talk.conversationId)).toHaveLength(1);
  });

  it('starts the other turn when that was accepted only', async () => {
    const talk = await newTalk(client);
    starter.away = true;
    const active = await client.turns.start({ ...talk, input: 'First' });
    starter.away = false;
    await expectRefused(
      client.turns.start({ ...talk, input: 'Second' }),
      'conversation_busy',
      /held/,
    );
    expect(starter.startedIds()).toContain(active.id);
  });

  it('ends the other turn when its workflow is gone, and takes its place', async () => {
    const talk = await newTalk(client);
    const lost = await client.turns.start({ ...talk, input: 'First' });
    starter.states.set(lost.id, 'not_found');
    const turn = await client.turns.start({ ...talk, input: 'Second' });
    expect(await client.turns.get(lost.id)).toMatchObject({
      status: 'failed',
      reason: 'workflow_lost',
    });
    expect(await client.conversations.get(talk.conversationId)).toMatchObject({
      activeTurn: turn.id,
    });
  });

  it('is refused when Temporal cannot tell about the other turn', async () => {
    const talk = await newTalk(client);
    const active = await client.turns.start({ ...talk, input: 'First' });
    starter.away = true;
    await expectRefused(
      client.turns.start({ ...talk, input: 'Second' }),
      'conversation_busy',
      /held/,
    );
    starter.away = false;
    expect(await client.turns.get(active.id)).toMatchObject({ state: 'started' });
  });
});
