import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { answer, newTalk } from '../support/talk.ts';
import { ask, untilStatus, useConsole } from './console-stage.ts';
import { poorContrasts } from './contrast.ts';

const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true };
const UNBROKEN = 'antidisestablishmentarianism'.repeat(20);

const stage = useConsole();

/** Each place of the page, with everything that folds unfolded. */
async function* places(page: Page): AsyncGenerator<string> {
  await page.getByRole('heading', { name: 'Start a turn' }).waitFor();
  yield 'the start';
  await stage.world.current.offline.script([answer(UNBROKEN)]);
  await ask(page, `Say ${UNBROKEN}`);
  await untilStatus(page, 'completed');
  for (const fold of ['Raw events', 'The same with curl']) await page.getByText(fold).click();
  await page.getByText('turn.done').waitFor();
  yield 'a turn';
  const menu = page.getByRole('button', { name: 'Conversations' });
  if (await menu.isVisible()) await menu.click();
  yield 'the list of conversations';
  await page.getByRole('link', { name: 'New assistant' }).click();
  await page.getByRole('heading', { name: 'New assistant' }).waitFor();
  yield 'a new assistant';
}

describe('how the console looks', () => {
  it('fits a phone without scrolling sideways', async () => {
    await newTalk(stage.world.current);
    const page = await (await stage.openWindow(PHONE)).openTab();
    for await (const place of places(page)) {
      const width = await page.evaluate('document.documentElement.scrollWidth');
      expect(width, place).toBeLessThanOrEqual(PHONE.viewport.width);
      expect(await page.evaluate(`document.getElementById('scroller').scrollWidth`), place).toBe(
        PHONE.viewport.width,
      );
    }
  });

  it.each(['light', 'dark'] as const)(
    'has text that can be read, in %s colours',
    async (scheme) => {
      await newTalk(stage.world.current);
      const page = await (await stage.openWindow({ colorScheme: scheme })).openTab();
      for await (const place of places(page)) {
        expect(await poorContrasts(page), place).toEqual([]);
      }
    },
  );

  it('is served with a policy that lets in nothing but its own files', async () => {
    const { headers } = await fetch(`${stage.url}/console`);
    expect(headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(headers.get('cache-control')).toBe('no-cache');
  });
});
