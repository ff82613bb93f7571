import { describe, expect, it, vi } from 'vitest';
import { answerText } from '../../src/conversation/answer-text.ts';
import { eventsOf, eventTypes, runTurn, useWorld } from '../support/turns.ts';
import { SOON } from '../support/talk.ts';

const TEXT = 'Beavers build dams and lodges out of branches, mud and stones.';

// As in production: told of events by the database, and nothing kept longer than it has to.
const world = useWorld((url) => ({ DATABASE_LISTEN_URL: url, TURNKEEPER_EVENT_RETENTION_MS: '0' }));

describe('a turn that ended long ago', () => {
  it('has lost its deltas and nothing of its answer', { timeout: 60_000 }, async () => {
    const turn = await runTurn(world.current, { script: [{ kind: 'answer', text: TEXT }] });
    await vi.waitFor(async () => {
      const types = eventTypes(await eventsOf(world.current, turn.id));
      expect(types).toContain('turn.folded');
      expect(types.filter((type) => type.endsWith('.delta'))).toEqual([]);
    }, SOON);
    expect(answerText(await eventsOf(world.current, turn.id))).toBe(TEXT);
    expect(turn.answer).toBe(TEXT);
  });
});
