import { describe, expect, it } from 'vitest';
import { answer, heldAnswer, newTalk } from '../support/talk.ts';
import { ask, expectShown, hashOf, untilStatus, useConsole } from './console-stage.ts';

const stage = useConsole();
const { world } = stage;

describe('the console, with a turn under way', { timeout: 180_000 }, () => {
  it('refuses another one, lets it wait, or has it take over, as was chosen', async () => {
    await newTalk(world.current);
    const window = await stage.openWindow();
    const page = await window.openTab();
    const whenBusy = page.getByLabel('When busy');
    await world.current.offline.script([heldAnswer('A long story of beavers.'), answer('Bees.')]);
    const first = await ask(page, 'Tell me of the beavers.');
    await untilStatus(page, 'in progress');

    stage.expectComplaint(/409/);
    expect(await whenBusy.inputValue()).toBe('reject');
    await page.getByLabel('Message').fill('And of the bees?');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByRole('link', { name: 'Show that turn' }).waitFor();

    await whenBusy.selectOption('Wait');
    const second = await ask(page, 'And of the bees?');
    await untilStatus(page, 'queued');
    await page.getByText('It waits until the turns before it have ended.').waitFor();
    const other = await window.openTab(hashOf(page));
    await untilStatus(other, 'queued');

    await whenBusy.selectOption('Interrupt');
    await ask(page, 'Only of the bees, please.');
    await untilStatus(page, 'completed');
    await expectShown(page, 'Bees.');
    await untilStatus(other, 'cancelled');
    const { turns } = world.current.turnkeeper;
    expect(await turns.get(first)).toMatchObject({ status: 'cancelled', reason: 'interrupted' });
    expect(await turns.get(second)).toMatchObject({ status: 'cancelled', reason: 'superseded' });
  });

  it('shows what a turn asks that has waited, once it has begun', async () => {
    const talk = await newTalk(world.current);
    const { turnkeeper, offline } = world.current;
    await offline.script([heldAnswer('A long story of beavers.'), answer('Bees.')]);
    await turnkeeper.turns.start({ ...talk, input: 'Of beavers?' });
    const waits = { ...talk, input: 'Of bees?', whenBusy: 'enqueue' as const };
    const { id } = await turnkeeper.turns.start(waits);
    const at = `#/conversations/${talk.conversationId}/turns/${id}`;
    const page = await (await stage.openWindow()).openTab(at);
    await untilStatus(page, 'queued');
    await offline.release();
    await untilStatus(page, 'completed');
    await page.locator('.watched .question', { hasText: 'Of bees?' }).waitFor();
    await expectShown(page, 'Bees.');
  });
});
