import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect } from 'vitest';
import type { Json, JsonObject } from '../../src/contracts/json.ts';

interface Operation {
  responses: Record<string, { content?: Record<string, { schema: JsonObject }> }>;
}

export interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  components: JsonObject;
}

/** Holds answers against the document, and remembers which of its answers were seen. */
export function documented(document: OpenApi) {
  const { paths, components } = strict(document as unknown as Json) as unknown as OpenApi;
  const seen = new Set<string>();
  return {
    check(method: string, url: string, status: number, body: Json): void {
      const [path = ''] = url.split('?');
      const template = Object.keys(paths).find((known) => matches(known, path)) ?? path;
      const responses = paths[template]?.[method.toLowerCase()]?.responses ?? {};
      const documentedAs = responses[status] ?? responses[`${String(status)[0]}XX`];
      expect(documentedAs, `${method} ${template} ${status} is documented`).toBeDefined();
      seen.add(`${method} ${template} ${status}`);
      const schema = documentedAs?.content?.['application/json']?.schema;
      if (schema) expect(mistakes({ ...schema, components }, body)).toEqual([]);
    },
    /** Good answers of the document that nobody has seen. */
    unseen(): string[] {
      const good = Object.entries(paths).flatMap(([path, operations]) =>
        Object.entries(operations).flatMap(([method, { responses }]) =>
          Object.keys(responses)
            .filter((status) => /^2\d\d$/.test(status))
            .map((status) => `${method.toUpperCase()} ${path} ${status}`),
        ),
      );
      return good.filter((answer) => !seen.has(answer));
    },
  };
}

function mistakes(schema: JsonObject, body: Json): string[] {
  const ajv = new Ajv2020({ strict: false, allErrors: true, logger: false });
  addFormats.default(ajv);
  const check = ajv.compile(schema);
  check(body);
  return (check.errors ?? []).map(
    ({ instancePath, message, params }) =>
      `${instancePath} ${message ?? ''} ${JSON.stringify(params)}`,
  );
}

/** The same document, with no room for fields that it does not tell of. */
function strict(value: Json): Json {
  if (Array.isArray(value)) return value.map(strict);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([key, field]) => [key, strict(field)] as const);
  const closed = 'properties' in value && !('additionalProperties' in value);
  return { ...Object.fromEntries(fields), ...(closed && { additionalProperties: false }) };
}

function matches(template: string, path: string): boolean {
  return new RegExp(`^${template.replace(/\{[^}]+\}/g, '[^/]+')}$`).test(path);
}
