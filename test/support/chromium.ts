import { execFileSync } from 'node:child_process';
import { chromium, type Browser } from 'playwright-core';

const EXECUTABLE = '/usr/bin/chromium';
/** Root has no sandbox of its own to start; the rest keeps the browser from asking its maker's hosts. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A browser without a window. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: EXECUTABLE, args: FLAGS });
}

/** Why there is no browser here; null when there is one. */
export function chromiumMissing(): string | null {
  try {
    execFileSync(EXECUTABLE, ['--version'], { stdio: ['ignore', 'pipe', 'ignore'] });
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
