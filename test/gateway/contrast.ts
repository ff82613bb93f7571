import type { Page } from 'playwright-core';

/** What WCAG's level AA asks of text of ordinary size. */
const LEAST = 4.5;

interface Painted {
  text: string;
  color: string;
  /** Backgrounds from the element outwards. */
  backgrounds: string[];
}

/** Texts of the page that stand out too little from what is behind them. */
export async function poorContrasts(page: Page): Promise<string[]> {
  const painted = await page.evaluate<Painted[]>(PAINTED);
  return painted.flatMap(({ text, color, backgrounds }) => {
    const behind = backgrounds.map(channels).find(([, , , alpha = 1]) => alpha === 1);
    const ratio = contrast(channels(color), behind ?? [255, 255, 255]);
    return ratio < LEAST ? [`${text}: ${ratio.toFixed(2)}`] : [];
  });
}

/** Runs in the page. */
const PAINTED = `[...document.querySelectorAll('body *')]
  .filter((element) => element.checkVisibility() && !element.matches(':disabled') &&
    [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()))
  .map((element) => {
    const backgrounds = [];
    for (let at = element; at; at = at.parentElement) backgrounds.push(getComputedStyle(at).backgroundColor);
    return { text: element.textContent.trim().slice(0, 40), color: getComputedStyle(element).color, backgrounds };
  })`;

/** `rgb(1, 2, 3)`, `rgba(1, 2, 3, 0.5)` */
function channels(color: string): number[] {
  return (color.match(/[\d.]+/g) ?? []).map(Number);
}

function contrast(one: number[], other: number[]): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05);
}

/** Relative luminance, as WCAG defines it. */
function luminance(color: number[]): number {
  const [red = 0, green = 0, blue = 0] = color.map((channel) => {
    const share = channel / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
