import type OpenAI from 'openai';
import type { JsonObject } from '../../contracts/json.ts';

type Responses = OpenAI.Responses.ResponseStreamEvent;

/** A response as it goes over the wire: `output_text` is the SDK's addition. */
export type WireResponse = Omit<OpenAI.Responses.Response, 'output_text'> & { store: boolean };

export type OutputItem = OpenAI.Responses.ResponseOutputItem;

type Unnumbered<E> = E extends { response: OpenAI.Responses.Response }
  ? Omit<E, 'response' | 'sequence_number'> & { response: WireResponse }
  : E extends unknown
    ? Omit<E, 'sequence_number'>
    : never;

/** An event before the log gives it its number, typed by the SDK so that a missing field doesn't compile. */
export type WireEvent = Unnumbered<Responses>;

/** An event a script made up, of any type. */
export type ScriptedEvent = JsonObject & { type: string };

export interface NumberedEvent {
  type: string;
  sequence_number: number;
}
