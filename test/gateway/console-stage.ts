import { promisify } from 'node:util';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { closeGateway } from '../../src/gateway/listen.ts';
import { launchChromium } from '../support/chromium.ts';
import { hasPart, requirePart } from '../support/require-part.ts';
import { SOON } from '../support/talk.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { useWorld, type TestWorld } from '../support/turns.ts';
import type { World } from '../support/world.ts';
import { openGateway } from './use-gateway.ts';

export const WEB_UI = 'http://127.0.0.1:8233/';

/** The console of a gateway in this process, in a real browser. */
export interface ConsoleStage {
  world: TestWorld;
  readonly url: string;
  /** What stands between browser and gateway. */
  readonly wire: TcpProxy;
  /** The one connection that is in use carries nothing any more, and the browser is not told. */
  freezeStream(): Promise<void>;
  /** Tabs of a browser window of its own. What a tab complains of fails the test, unless it is expected. */
  openWindow(options?: BrowserContextOptions): Promise<Window>;
  /** This complaint is part of the test. */
  expectComplaint(pattern: RegExp): void;
}

export interface Window {
  openTab(path?: string): Promise<Page>;
  /** Its network: new requests fail, and browsers tell their pages. */
  goOffline(offline: boolean): Promise<void>;
}

export function useConsole(): ConsoleStage {
  const world = useWorld();
  let server: Awaited<ReturnType<typeof openServer>> | undefined;
  let browser: Browser | undefined;
  let complaints: string[] = [];
  let expected: RegExp[] = [];

  beforeAll(async () => {
    if (!hasPart('chromium') || !hasPart('temporal') || !hasPart('postgres')) return;
    server = await openServer(world.current);
    browser = await launchChromium();
  });
  beforeEach((context) => {
    requirePart(context, 'chromium');
    complaints = [];
    expected = [];
  });
  afterEach(async () => {
    server?.wire.restore();
    await Promise.all(browser?.contexts().map((context) => context.close()) ?? []);
    const unexpected = complaints.filter((text) => !expected.some((known) => known.test(text)));
    expect(unexpected).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  const opened = () => {
    if (!browser || !server) throw new Error('The console is open only while tests run.');
    return { browser, ...server };
  };
  return {
    world,
    get url() {
      return opened().url;
    },
    get wire() {
      return opened().wire;
    },
    freezeStream: () => opened().freezeStream(),
    async openWindow(options = {}) {
      const { url } = opened();
      const context = await opened().browser.newContext(options);
      return {
        async openTab(path = '') {
          const page = await context.newPage();
          page.setDefaultTimeout(SOON.timeout);
          page.on('pageerror', (error) => complaints.push(String(error)));
          page.on('console', (message) => {
            if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
          });
          await page.goto(`${url}/console${path}`);
          return page;
        },
        goOffline: (offline) => context.setOffline(offline),
      };
    },
    expectComplaint: (pattern) => void expected.push(pattern),
  };
}

/** A gateway, and the browser's way to it. */
async function openServer({ turnkeeper }: World) {
  const info = { version: '0.0.0', temporalUi: WEB_UI, namespace: 'default', runsOn: ['tests'] };
  const { app, url } = await openGateway({ clientFor: () => turnkeeper, info });
  const wire = await startTcpProxy(new URL(url).host);
  const connections = promisify(app.server.getConnections.bind(app.server));
  return {
    wire,
    url: `http://${wire.address}`,
    async freezeStream() {
      app.server.closeIdleConnections();
      await expect.poll(() => connections(), SOON).toBe(1);
      wire.freeze();
    },
    async close() {
      await wire.stop();
      await closeGateway(app);
    },
  };
}

/** Writes it and sends it by keyboard. Resolves once the turn is in the address. */
export async function ask(page: Page, text: string): Promise<string> {
  const before = page.url();
  await page.getByLabel('Message').fill(text);
  await page.getByLabel('Message').press('Control+Enter');
  await page.waitForURL((url) => url.href !== before && url.href.includes('/turns/'));
  return page.url().split('/').at(-1) ?? '';
}

/** Texts of the messages of the turn that the page follows. */
export function shown(page: Page): Promise<string[]> {
  return page.locator('.watched .answer .message').allTextContents();
}

export async function expectShown(page: Page, ...texts: string[]): Promise<void> {
  await expect.poll(() => shown(page), SOON).toEqual(texts);
}

/** The last events that the page has got, each once and none left out. */
export async function expectWholeStream(page: Page): Promise<void> {
  await page.getByText('Raw events').click();
  const listed = page.locator('.events b');
  await expect.poll(() => listed.count(), SOON).toBeGreaterThan(1);
  const rows = await listed.allTextContents();
  const numbers = rows.map((row) => parseInt(row));
  const [last = 0] = numbers;
  expect(numbers).toEqual(numbers.map((_, index) => last - index));
}

export async function untilStatus(page: Page, status: string): Promise<void> {
  await page.locator('.watched .badge', { hasText: status }).waitFor();
}

/** The part of the address that leads to where the page is. */
export function hashOf(page: Page): string {
  return new URL(page.url()).hash;
}
