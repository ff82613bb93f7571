import { describe, expect, it } from 'vitest';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { answer, newTalk } from '../support/talk.ts';
import { ask, expectShown, hashOf, untilStatus, useConsole } from './console-stage.ts';

const FAILS: ScriptStep = { kind: 'error', status: 400 };

const stage = useConsole();
const { world } = stage;

describe('the console, with a turn that has ended', { timeout: 180_000 }, () => {
  it('retries one that failed, regenerates its answer, and asks something else in a branch', async () => {
    await newTalk(world.current);
    const page = await (await stage.openWindow()).openTab();
    const button = (name: string) => page.getByRole('button', { name, exact: true });
    const following = async (work: () => Promise<void>) => {
      const before = page.url();
      await work();
      await page.waitForURL((url) => url.href !== before);
      return page.url().split('/').at(-1) ?? '';
    };

    await world.current.offline.script([FAILS]);
    const failed = await ask(page, 'What do the beavers build?');
    await untilStatus(page, 'failed');
    const conversation = hashOf(page).split('/')[2];

    await world.current.offline.script([answer('Dams.')]);
    const retried = await following(() => button('Retry').click());
    await untilStatus(page, 'completed');
    await expectShown(page, 'Dams.');
    expect(await page.locator('.turn').count()).toBe(1);
    expect(await button('Retry').isHidden()).toBe(true);

    await world.current.offline.script([answer('Dams and lodges.')]);
    const regenerated = await following(() => button('Regenerate').click());
    await untilStatus(page, 'completed');
    await expectShown(page, 'Dams and lodges.');

    await button('Edit').click();
    const question = page.getByLabel('Another question');
    expect(await question.inputValue()).toBe('What do the beavers build?');
    await question.fill('What do the bees build?');
    await world.current.offline.script([answer('Combs.')]);
    const edited = await following(() => button('Ask this instead').click());
    await untilStatus(page, 'completed');
    await expectShown(page, 'Combs.');
    expect(hashOf(page).split('/')[2]).not.toBe(conversation);

    const { turns } = world.current.turnkeeper;
    const origins = await Promise.all([retried, regenerated, edited].map((id) => turns.get(id)));
    expect(origins.map(({ origin }) => origin)).toEqual([
      { kind: 'retry', turnId: failed },
      { kind: 'regenerate', turnId: retried },
      { kind: 'edit', turnId: regenerated },
    ]);
  });

  it('shows what a branch begins with, and says why a turn cannot be made again', async () => {
    const { turnkeeper, offline } = world.current;
    const talk = await newTalk(world.current);
    await offline.script([answer('Dams.'), answer('Of wood.'), answer('Of mud.')]);
    const ended = async (input: string) => {
      const turn = await turnkeeper.turns.start({ ...talk, input });
      await turnkeeper.turns.result(turn.id);
      return turn;
    };
    const first = await ended('What do the beavers build?');
    const second = await ended('What of?');
    const branch = await turnkeeper.turns.edit(second.id, { input: 'And what else of?' });
    await turnkeeper.turns.result(branch.id);
    const window = await stage.openWindow();
    const page = await window.openTab(`#/conversations/${branch.conversationId}`);
    const earlier = page.getByRole('article', { name: 'Earlier' });
    await earlier.getByText('Dams.').waitFor();
    await expectShown(page, 'Of mud.');

    stage.expectComplaint(/409/);
    const old = await window.openTab(`#/conversations/${talk.conversationId}/turns/${first.id}`);
    await old.getByRole('button', { name: 'Regenerate' }).click();
    await old.getByText('is not the last of its conversation').waitFor();
  });
});
