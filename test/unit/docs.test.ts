import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../src/contracts/errors.ts';
import { TOOL_ERRORS } from '../../src/conversation/tool-output.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const read = (path: string) => readFile(join(ROOT, path), 'utf8');

/** Everything written for people: the folder's Markdown and that of docs/. */
async function documents(): Promise<string[]> {
  const top = await readdir(ROOT);
  const docs = await readdir(join(ROOT, 'docs'), { recursive: true });
  return [...top, ...docs.map((name) => join('docs', name))].filter((name) => name.endsWith('.md'));
}

describe('docs/errors.md', () => {
  it('has one row for each error code, with the advice that the error gives, and no other row', async () => {
    const rows = (await read('docs/errors.md')).matchAll(/^\| `(\w+)` \|.*\| ([^|]+) \|$/gm);
    const listed = [...rows].map(([, code, advice]) => [code, advice]);
    expect(listed.sort()).toEqual(Object.entries(ERROR_CODES).sort());
  });

  it('has one row for each error that a model can read of a tool call', async () => {
    const [, section = ''] = (await read('docs/errors.md')).split('## What tools tell the model');
    const rows = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, type]) => type);
    expect(rows).toEqual(TOOL_ERRORS);
  });
});

describe('docs/guarantees.md', () => {
  const CITED = /`(test\/[\w./-]+\.test\.ts) › ([^`]+)`/g;

  /** Whether the source has the title as a string of its own. */
  function hasTitle(source: string, title: string): boolean {
    const plain = source.replaceAll('\\', '');
    return [`'${title}'`, `"${title}"`, `\`${title}\``].some((literal) => plain.includes(literal));
  }

  async function findProblem(file: string, titles: string): Promise<string | null> {
    const source = await read(file).catch(() => null);
    if (source === null) return `${file} does not exist`;
    const missing = titles.split(' › ').find((title) => !hasTitle(source, title));
    return missing === undefined ? null : `${file} has no test "${missing}"`;
  }

  it('names tests, and each of them exists', async () => {
    const cited = [...(await read('docs/guarantees.md')).matchAll(CITED)];
    expect(cited.length).toBeGreaterThan(0);
    const checks = cited.map(([, file = '', titles = '']) => findProblem(file, titles));
    expect((await Promise.all(checks)).filter((problem) => problem !== null)).toEqual([]);
  });

  it('names every test in the form that is checked', async () => {
    const text = await read('docs/guarantees.md');
    const mentioned = text.match(/test\/[\w./-]+\.test\.ts/g) ?? [];
    expect(mentioned).toHaveLength([...text.matchAll(CITED)].length);
  });
});

describe('documents', () => {
  it('name no folder of somebody’s machine', async () => {
    const folder = /(?<![\w.~:/-])\/(?:root|home|Users|work|tmp|mnt|opt)\/[\w.-]*/g;
    const found = (await documents()).map(async (path) => {
      return ((await read(path)).match(folder) ?? []).map((match) => `${path}: ${match}`);
    });
    expect((await Promise.all(found)).flat()).toEqual([]);
  });

  it('link to files that exist', async () => {
    const found = (await documents()).map(async (path) => {
      const links = (await read(path)).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g);
      const targets = [...links].map(([, target = '']) => target);
      const missing = targets.filter((target) => !existsSync(join(ROOT, dirname(path), target)));
      return missing.map((target) => `${path}: ${target}`);
    });
    expect((await Promise.all(found)).flat()).toEqual([]);
  });
});
