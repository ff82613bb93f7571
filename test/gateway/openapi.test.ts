import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openapiText } from '../../scripts/openapi-text.ts';
import { ERROR_CODES } from '../../src/contracts/errors.ts';
import { STATUS } from '../../src/gateway/errors.ts';
import { closeGateway } from '../../src/gateway/listen.ts';
import type { OpenApi } from './documented.ts';
import { openGateway, type TestGateway } from './use-gateway.ts';

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await openGateway({});
});

afterAll(() => closeGateway(gateway.app));

/** As Fastify prints it. */
const CONSOLE_FILES = 'GET /console*';

/** Methods and paths as Fastify has them, but for the files of the console, and for heads, which go with their GET. */
function routesOf({ app }: TestGateway): string[] {
  const lines = app.printRoutes({ commonPrefix: false }).split('\n');
  const path: string[] = [];
  const routes = lines.flatMap((line) => {
    const found = /^([│ ]*)[├└]── (\S*) ?(?:\(([\w, -]+)\))?$/.exec(line);
    if (!found) return [];
    const [, indent = '', segment = '', methods] = found;
    path.splice(indent.length / 4, Infinity, segment);
    return (methods ?? '')
      .split(', ')
      .filter(Boolean)
      .map((method) => `${method} ${path.join('')}`);
  });
  return routes.filter((route) => route !== CONSOLE_FILES && !route.startsWith('HEAD '));
}

describe('docs/openapi.json', () => {
  it('is the document that the server serves: `npm run openapi` writes it', async () => {
    expect(await read('docs/openapi.json')).toBe(await openapiText());
  });

  it('has every route of the server but the files of the console', () => {
    const { paths } = gateway.app.swagger() as unknown as OpenApi;
    const listed = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map(
        (method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`,
      ),
    );
    const served = routesOf(gateway);
    expect(served.length).toBeGreaterThan(20);
    expect(listed.sort()).toEqual(served.sort());
  });
});

describe('docs/http.md', () => {
  it('has the status of every error code', async () => {
    const rows = (await read('docs/http.md')).matchAll(/^\| (\d{3}) \| (.*) \|$/gm);
    const listed = [...rows].flatMap(([, status, codes = '']) =>
      [...codes.matchAll(/`(\w+)`/g)].map(([, code]) => [code, Number(status)]),
    );
    expect(Object.fromEntries(listed)).toEqual(STATUS);
    expect(listed).toHaveLength(Object.keys(ERROR_CODES).length);
  });

  it('has every route', async () => {
    const text = await read('docs/http.md');
    expect(routesOf(gateway).filter((route) => !text.includes(`\`${route}\``))).toEqual([]);
  });
});
