import type { Ajv, Options } from 'ajv';
import type { Ajv2020 } from 'ajv/dist/2020.js';
import { RE2JS } from 're2js';
import { describeError } from '../contracts/thrown.ts';
import { toRe2 } from './translate.ts';

type RegExpEngine = NonNullable<NonNullable<Options['code']>['regExp']>;

/** What is longer is no e-mail address, no date and no URI: some expressions of formats take the square of its length. */
const MAX_FORMATTED = 4_096;

/** Matches in time that grows with the text alone, whoever has written the pattern and the text. */
export const linearPatterns: RegExpEngine = Object.assign(compile, { code: 'linearPatterns' });

function compile(pattern: string): RE2JS {
  // What JavaScript does not take is told in its words.
  const { source } = new RegExp(pattern, 'u');
  try {
    return RE2JS.compile(toRe2(pattern));
  } catch (error) {
    const why = describeError(error).replace('error parsing regexp: ', '');
    throw new Error(`pattern /${source}/ cannot be matched in linear time: ${why}`, {
      cause: error,
    });
  }
}

/** Keeps the expressions of formats from long texts. */
export function shortFormats(ajv: Ajv | Ajv2020): void {
  for (const [name, format] of Object.entries(ajv.formats)) {
    if (!(format instanceof RegExp) && name !== 'uri') continue;
    const fits = format instanceof RegExp ? (text: string) => format.test(text) : format;
    if (typeof fits !== 'function') continue;
    ajv.addFormat(name, (text: string) => text.length <= MAX_FORMATTED && fits(text));
  }
}
