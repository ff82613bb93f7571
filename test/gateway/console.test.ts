import { setTimeout as delay } from 'node:timers/promises';
import type { Route } from 'playwright-core';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { answer, newTalk, REAL_USAGE, SOON } from '../support/talk.ts';
import {
  ask,
  expectShown,
  expectWholeStream,
  hashOf,
  shown,
  untilStatus,
  useConsole,
  WEB_UI,
} from './console-stage.ts';

const WORDS = Array.from(
  { length: 200 },
  (_, index) => `word ${index + 1}${index % 20 ? '' : '\n'}`,
);
const TEXT = WORDS.join(' ');
const HELD_AFTER = 40;
const held: ScriptStep = { kind: 'hold', text: TEXT, afterDeltas: HELD_AFTER };

const ADDED: ScriptStep = {
  kind: 'calls',
  calls: [{ name: 'add', arguments: { a: 2, b: 3 } }],
  usage: REAL_USAGE,
};

const stage = useConsole();
const { world } = stage;

/** A page gives up a silent connection by itself after 40 seconds. */
const SOONER_THAN_SILENCE_MS = 30_000;

/** What is seen of the text as it is held, at least. */
const BEGINNING = /^word 1\n word 2 .*word 15/s;

describe('the console, where there is no assistant yet', { timeout: 180_000 }, () => {
  it('makes a first assistant, starts a turn and shows exactly what the model said', async () => {
    await world.current.offline.script([answer(TEXT)]);
    const page = await (await stage.openWindow()).openTab();
    await page.getByRole('heading', { name: 'Make a first assistant' }).waitFor();
    await page.getByLabel('Name').fill('Builder');
    await page.getByLabel('Model').fill('gpt-5-mini');
    await page.getByLabel('Instructions').fill('Say what beavers build.');
    await page.getByRole('button', { name: 'Create the assistant' }).click();
    const turnId = await ask(page, 'What do the beavers build?');
    await untilStatus(page, 'completed');
    await expectShown(page, TEXT);
    expect((await world.current.turnkeeper.turns.result(turnId)).answer).toBe(TEXT);
    expect(await page.locator('#conversations .title').allTextContents()).toEqual([
      'What do the beavers build?',
    ]);
  });
});

describe('the console', { timeout: 180_000 }, () => {
  beforeEach(async () => {
    const { data } = await world.current.turnkeeper.assistants.list();
    if (data.length === 0) await newTalk(world.current);
  });

  it('goes on after a reload in mid-answer with the same text, and keeps what was being written', async () => {
    await world.current.offline.script([held]);
    const page = await (await stage.openWindow()).openTab();
    await ask(page, 'Tell me at length.');
    await expect.poll(async () => (await shown(page))[0], SOON).toMatch(BEGINNING);
    await page.getByLabel('Message').fill('And another thing');
    const [before] = await shown(page);
    await page.reload();
    await expectShown(page, String(before));
    expect(await page.getByLabel('Message').inputValue()).toBe('And another thing');
    await world.current.offline.release();
    await untilStatus(page, 'completed');
    await expectShown(page, TEXT);
  });

  it('goes on after five seconds offline in mid-answer, with nothing lost and nothing doubled', async () => {
    stage.expectComplaint(
      /ERR_(INTERNET_DISCONNECTED|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING)/,
    );
    await world.current.offline.script([held]);
    const window = await stage.openWindow();
    const page = await window.openTab();
    await ask(page, 'Tell me at length.');
    await expect.poll(async () => (await shown(page))[0], SOON).toMatch(BEGINNING);
    const [before = ''] = await shown(page);
    await window.goOffline(true);
    stage.wire.cut();
    await page.getByText('reconnecting…').waitFor();
    await world.current.offline.release();
    await delay(5_000);
    await expectShown(page, before);
    stage.wire.restore();
    await window.goOffline(false);
    await untilStatus(page, 'completed');
    await expectShown(page, TEXT);
    await expectWholeStream(page);
  });

  it('comes back with the network, also when its connection died without a word', async () => {
    await world.current.offline.script([held]);
    const window = await stage.openWindow();
    const page = await window.openTab();
    await ask(page, 'Tell me at length.');
    await expect.poll(async () => (await shown(page))[0], SOON).toMatch(BEGINNING);
    await stage.freezeStream();
    await window.goOffline(true);
    await window.goOffline(false);
    await world.current.offline.release();
    page.setDefaultTimeout(SOONER_THAN_SILENCE_MS);
    await untilStatus(page, 'completed');
    await expectShown(page, TEXT);
    await expectWholeStream(page);
  });

  it('shows one turn in two tabs alike, and in both that one of them has cancelled it', async () => {
    await world.current.offline.script([held]);
    const window = await stage.openWindow();
    const first = await window.openTab();
    await ask(first, 'Tell both of us.');
    const second = await window.openTab(hashOf(first));
    for (const page of [first, second]) {
      await expect.poll(async () => (await shown(page))[0], SOON).toMatch(BEGINNING);
    }
    await second.getByRole('button', { name: 'Cancel' }).click();
    for (const page of [first, second]) await untilStatus(page, 'cancelled');
    await expect.poll(() => first.getByRole('button', { name: 'Cancel' }).count()).toBe(0);
    const [text = ''] = await shown(first);
    expect(TEXT.startsWith(text)).toBe(true);
    expect(await shown(second)).toEqual([text]);
  });

  it('shows the whole answer in both of two tabs that came at different times', async () => {
    await world.current.offline.script([held]);
    const window = await stage.openWindow();
    const first = await window.openTab();
    await ask(first, 'Tell both of us.');
    await expect.poll(async () => (await shown(first))[0], SOON).toMatch(BEGINNING);
    const second = await window.openTab(hashOf(first));
    await world.current.offline.release();
    for (const page of [first, second]) {
      await untilStatus(page, 'completed');
      await expectShown(page, TEXT);
    }
  });

  it('takes back what a killed worker had shown, and keeps only what came after', async () => {
    await world.current.offline.script([held, answer('It was a lodge all the time.')]);
    const page = await (await stage.openWindow()).openTab();
    await ask(page, 'What is it?');
    await expect.poll(async () => (await shown(page))[0], SOON).toMatch(BEGINNING);
    world.worker.kill('SIGKILL');
    await world.current.startWorker();
    await untilStatus(page, 'completed');
    await expectShown(page, 'It was a lodge all the time.');
    await page.getByText('started over once').waitFor();
  });

  it('shows steps with their tokens, and links to the workflow', async () => {
    const { assistantId } = await newTalk(world.current, { name: 'Adder', tools: ['add'] });
    await world.current.offline.script([ADDED, answer('Five.')]);
    const page = await (await stage.openWindow()).openTab();
    await page.getByLabel('Assistant').selectOption({ value: assistantId });
    const turnId = await ask(page, 'What is 2 + 3?');
    await untilStatus(page, 'completed');
    await expectShown(page, 'Five.');
    await expect
      .poll(() => page.locator('.step-name').allTextContents(), SOON)
      .toEqual(['Model test-model', 'Tool add', 'Model test-model']);
    const details = await page.locator('.step-detail').allTextContents();
    expect(details).toEqual([
      'completed · 4,321 in, 1,234 out',
      'succeeded',
      'completed · 4,321 in, 1,234 out',
    ]);
    const link = page.getByRole('link', { name: 'Workflow in Temporal' });
    expect(await link.getAttribute('href')).toBe(`${WEB_UI}namespaces/default/workflows/${turnId}`);
  });

  it('shows whatever people and models write as text', async () => {
    const hostile = `<img src="/x" onerror="document.title='taken'"><script>document.title='taken'</script> <b>&amp;</b>`;
    await world.current.offline.script([answer(hostile)]);
    const page = await (await stage.openWindow()).openTab();
    await ask(page, hostile);
    await untilStatus(page, 'completed');
    await expectShown(page, hostile);
    await page.getByText('Raw events').click();
    await page.getByText('The same with curl').click();
    expect(await page.locator('.question .message').textContent()).toBe(hostile);
    expect(await page.locator('#page :is(img, script:not([src]))').count()).toBe(0);
    expect(await page.title()).toBe('Turnkeeper');
  });

  it('starts one turn when a request is sent again whose answer was lost', async () => {
    stage.expectComplaint(/ERR_FAILED/);
    await world.current.offline.script([answer('Once.')]);
    const page = await (await stage.openWindow()).openTab();
    const loseAnswer = async (route: Route) => {
      await route.fetch();
      await route.abort();
    };
    await page.route('**/turns', loseAnswer, { times: 1 });
    await page.getByLabel('Message').fill('Say it once.');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('Send again: it will be the same turn').waitFor();
    await page.getByRole('button', { name: 'Send' }).click();
    await expectShown(page, 'Once.');
    const conversationId = String(hashOf(page).split('/')[2]);
    const { data } = await world.current.turnkeeper.turns.list(conversationId);
    expect(data).toHaveLength(1);
  });

  it('says that a conversation is busy, and leads to the turn that holds it', async () => {
    stage.expectComplaint(/409/);
    await world.current.offline.script([held]);
    const page = await (await stage.openWindow()).openTab();
    await ask(page, 'Take your time.');
    await expect.poll(async () => (await shown(page))[0], SOON).toMatch(BEGINNING);
    await page.getByLabel('Message').fill('Hurry up.');
    await page.getByRole('button', { name: 'Send' }).click();
    const link = page.getByRole('link', { name: 'Show that turn' });
    expect(await link.getAttribute('href')).toBe(hashOf(page));
    await page.getByRole('button', { name: 'Cancel' }).click();
    await untilStatus(page, 'cancelled');
  });
});
