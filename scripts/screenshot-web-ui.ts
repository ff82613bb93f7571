/**
 * Takes a picture of a page of Temporal's Web UI, for the README:
 * `npx tsx scripts/screenshot-web-ui.ts <link of a turn> docs/images/turn-in-web-ui.png`, while `npm run demo -- --keep` runs.
 */
import { launchChromium } from '../test/support/chromium.ts';

const VIEWPORT = { width: 1_440, height: 960 };

async function takePicture(url: string, path: string): Promise<void> {
  const browser = await launchChromium();
  try {
    const page = await browser.newPage({ viewport: VIEWPORT, deviceScaleFactor: 1.5 });
    await page.goto(url);
    await page.getByText('Completed').first().waitFor();
    // Its fonts and icons come last.
    await page.waitForLoadState('networkidle');
    await page.screenshot({ path });
  } finally {
    await browser.close();
  }
}

const [url, path] = process.argv.slice(2);
if (!url || !path) throw new Error('Usage: tsx scripts/screenshot-web-ui.ts <url> <file.png>');
await takePicture(url, path);
