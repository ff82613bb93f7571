import type { ErrorObject } from 'ajv';

/** More lines than this help nobody, and a long array can have one mistake an element. */
const MAX_LINES = 20;
const MAX_LINE_LENGTH = 300;

/** What does not fit, a line each. */
export function readable(errors: ErrorObject[]): string[] {
  const lines = errors.slice(0, MAX_LINES).map(line);
  const more = errors.length - lines.length;
  return more > 0 ? [...lines, `… and ${more} more`] : lines;
}

function line({ instancePath, message, keyword, params }: ErrorObject): string {
  const text = `${instancePath || '/'} ${message ?? keyword}${detail(keyword, params)}`;
  return text.length > MAX_LINE_LENGTH ? `${text.slice(0, MAX_LINE_LENGTH - 1)}…` : text;
}

/** What ajv knows and its message leaves out. */
function detail(keyword: string, params: Record<string, unknown>): string {
  if (keyword === 'additionalProperties') return `: ${JSON.stringify(params.additionalProperty)}`;
  if (keyword === 'unevaluatedProperties') return `: ${JSON.stringify(params.unevaluatedProperty)}`;
  if (keyword === 'enum') return `: ${JSON.stringify(params.allowedValues)}`;
  if (keyword === 'const') return `: ${JSON.stringify(params.allowedValue)}`;
  return '';
}
