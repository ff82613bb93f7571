import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { answer, newTalk, SOON } from '../support/talk.ts';
import { asking } from '../support/waiting-turns.ts';
import { ask, expectShown, hashOf, untilStatus, useConsole } from './console-stage.ts';
import { poorContrasts } from './contrast.ts';

const CALLS = { transfer: { amount: 500 }, withdraw: { amount: 7 }, pick_seat: { row: 3 } };
const PHONE_WIDTH = 360;

const stage = useConsole();
const { world } = stage;

/** A tab with a turn that waits for an approval, another one and an output. */
async function waiting(): Promise<{ page: Page; second: Page; turnId: string }> {
  const { assistantId } = await newTalk(world.current, { tools: Object.keys(CALLS) });
  await world.current.offline.script([asking(CALLS), answer('That is settled.')]);
  const window = await stage.openWindow();
  const page = await window.openTab();
  await page.getByLabel('Assistant').selectOption({ value: assistantId });
  const turnId = await ask(page, 'Please do.');
  await untilStatus(page, 'requires action');
  return { page, second: await window.openTab(hashOf(page)), turnId };
}

const formOf = (page: Page, name: string) => page.getByRole('form', { name, exact: true });

describe('the console, with a turn that waits', { timeout: 180_000 }, () => {
  it('shows each call with its arguments, and lets people approve, edit, deny and answer', async () => {
    const { page, second, turnId } = await waiting();
    const transfer = formOf(page, 'transfer');
    await transfer.getByRole('heading', { name: 'transfer needs approval' }).waitFor();
    const args = transfer.getByLabel('Arguments');
    expect(JSON.parse(await args.inputValue())).toEqual({ amount: 500 });
    await formOf(page, 'pick_seat').getByLabel('Output').fill('3A, at the');
    await args.fill('{ "amount": 50 }');
    await transfer.getByRole('button', { name: 'Approve' }).click();
    await expect.poll(() => transfer.count(), SOON).toBe(0);
    await expect.poll(() => formOf(second, 'transfer').count(), SOON).toBe(0);

    const withdraw = formOf(second, 'withdraw');
    await withdraw.getByLabel('Reason').fill('Not today.');
    await withdraw.getByRole('button', { name: 'Deny' }).click();
    await expect.poll(() => formOf(page, 'withdraw').count(), SOON).toBe(0);

    const output = formOf(page, 'pick_seat').getByLabel('Output');
    expect(await output.inputValue()).toBe('3A, at the');
    await output.fill('3A, at the window');
    await formOf(page, 'pick_seat').getByRole('button', { name: 'Send output' }).click();
    for (const tab of [page, second]) {
      await untilStatus(tab, 'completed');
      await expectShown(tab, 'That is settled.');
    }
    expect(await world.current.turnkeeper.turns.actions(turnId)).toMatchObject([
      { state: 'approved', editedArguments: { amount: 50 } },
      { state: 'denied', reason: 'Not today.' },
      { state: 'answered' },
    ]);
  });

  it('says what is wrong with what was written, keeps it, and can be read on a phone', async () => {
    stage.expectComplaint(/400/);
    const { page } = await waiting();
    const transfer = formOf(page, 'transfer');
    const approve = transfer.getByRole('button', { name: 'Approve' });
    await transfer.getByLabel('Arguments').fill('{ "amount": ');
    await approve.click();
    await transfer.getByText('These are not JSON.').waitFor();
    await transfer.getByLabel('Arguments').fill('{ "amount": -5 }');
    await approve.click();
    await transfer.getByText('/amount must be >= 0').waitFor();
    expect(await transfer.getByLabel('Arguments').inputValue()).toBe('{ "amount": -5 }');
    expect(await poorContrasts(page)).toEqual([]);
    await page.setViewportSize({ width: PHONE_WIDTH, height: 740 });
    const width = await page.evaluate('document.documentElement.scrollWidth');
    expect(width).toBeLessThanOrEqual(PHONE_WIDTH);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await untilStatus(page, 'cancelled');
    await expect.poll(() => transfer.count(), SOON).toBe(0);
  });
});
