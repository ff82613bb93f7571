import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Turnkeeper } from '../../src/client/client.ts';
import { deletionChore } from '../../src/recovery/deletions.ts';
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

async function answeredTurn() {
  const talk = await newTalk(client);
  const turn = await client.turns.start({ ...talk, input: 'Hello' });
  await answer(world.store, turn, [assistantMessage('Hi')]);
  return { ...talk, turnId: turn.id };
}

const chore = () => deletionChore({ store: world.store, starter, logger: world.logger });

/** A sweep that comes when whoever deleted it has had the time to finish. Answers how many conversations are gone. */
async function sweepLater({ conversationId }: { conversationId: string }): Promise<number> {
  await world.sql(
    "UPDATE turnkeeper.conversations SET deletion_tried_at = deletion_tried_at - interval '1 minute' WHERE id = $1",
    [conversationId],
  );
  return chore().run();
}

async function expectGone({ conversationId, turnId }: { conversationId: string; turnId: string }) {
  await expectRefused(client.turns.get(turnId), 'turn_not_found', /no turn/);
  await expectRefused(
    client.conversations.get(conversationId),
    'conversation_not_found',
    /no conv/,
  );
}

describe('deleting a conversation', () => {
  it('takes its turns, and ends what may still run for it', async () => {
    const talk = await answeredTurn();
    const deleted = await client.conversations.delete(talk.conversationId);
    expect(deleted).toMatchObject({ id: talk.conversationId, finished: true });
    expect(deleted.remains.map(({ where }) => where)).toEqual(
      expect.arrayContaining(['temporal', 'backups', 'provider', 'documents']),
    );
    await expectGone(talk);
    expect(starter.terminated).toEqual(
      expect.arrayContaining([talk.turnId, `summary:${talk.conversationId}`]),
    );
  });

  it('is refused while a turn holds it, until that is cancelled', async () => {
    const talk = await newTalk(client);
    const { id: turnId } = await client.turns.start({ ...talk, input: 'Hello' });
    const held = client.conversations.delete(talk.conversationId);
    await expectRefused(held, 'conversation_busy', new RegExp(turnId));
    await client.conversations.get(talk.conversationId);
    await world.store.turns.seal('default', turnId, { status: 'cancelled' });
    await client.conversations.delete(talk.conversationId);
    await expectGone({ ...talk, turnId });
  });

  it('is for its own tenant', async () => {
    const talk = await answeredTurn();
    const { client: other } = world.client({ tenant: 'other' });
    const foreign = other.conversations.delete(talk.conversationId);
    await expectRefused(foreign, 'conversation_not_found', /no conversation/);
    for (const id of ['none', '00000000-0000-4000-8000-000000000000'])
      await expectRefused(client.conversations.delete(id), 'conversation_not_found', /no conv/);
    await client.turns.get(talk.turnId);
  });

  it('is done once by two at once', async () => {
    const talk = await answeredTurn();
    const both = [1, 2].map(() => client.conversations.delete(talk.conversationId));
    const [one, other] = (await Promise.allSettled(both)).toSorted((a, b) =>
      a.status < b.status ? -1 : 1,
    );
    expect(one).toMatchObject({ status: 'fulfilled', value: { finished: true } });
    expect(other).toMatchObject({ reason: { code: 'conversation_not_found' } });
    await expectGone(talk);
  });

  it('succeeds though Temporal is away, whose workflows are ended later', async () => {
    const talk = await answeredTurn();
    starter.away = true;
    try {
      expect(await client.conversations.delete(talk.conversationId)).toMatchObject({
        finished: false,
      });
    } finally {
      starter.away = false;
    }
    await expectGone(talk);
    expect(await sweepLater(talk)).toBe(1);
    expect(starter.terminated).toContain(talk.turnId);
  });

  it('is finished by a worker when whoever began it was killed in between', async () => {
    const talk = await answeredTurn();
    await world.store.conversations.delete('default', talk.conversationId);
    await expectGone(talk);
    expect(await chore().run()).toBe(0);
    expect(await sweepLater(talk)).toBe(1);
    expect(await chore().run()).toBe(0);
    expect(starter.terminated).toContain(talk.turnId);
  });
});
