export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export interface JsonObject {
  [key: string]: Json;
}

/** A Responses item, exactly as it goes over the wire: `message`, `function_call`, `reasoning`, … */
export type Item = JsonObject & { type: string };

/** Levels of objects and arrays that a caller or a model may nest: what walks them may do so by recursion. */
export const MAX_NESTING = 100;

/** Never recurses itself, whatever it is given. */
export function isNestedDeeper(value: Json, max = MAX_NESTING): boolean {
  const left: [value: Json, depth: number][] = [[value, 0]];
  for (let next = left.pop(); next; next = left.pop()) {
    const [parent, depth] = next;
    if (depth > max) return true;
    if (typeof parent !== 'object' || parent === null) continue;
    for (const child of Object.values(parent)) left.push([child, depth + 1]);
  }
  return false;
}
