export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export interface JsonObject {
  [key: string]: Json;
}

/** A Responses item, exactly as it goes over the wire: `message`, `function_call`, `reasoning`, … */
export type Item = JsonObject & { type: string };
