import type { JsonObject } from '../../contracts/json.ts';
import { isObject } from '../../conversation/items.ts';
import { text } from './request.ts';
import type { ScriptedCall } from './script.ts';

const FENCED = /^```(\w+)\n([\s\S]*?)^```$/gm;

/** Calls of tools that take a language and code, with the fenced blocks of the question. */
export function findCodeCalls(tools: JsonObject[], question: string): ScriptedCall[] {
  const blocks = [...question.matchAll(FENCED)];
  return tools.flatMap((tool) => {
    const languages = languagesOf(tool);
    return blocks
      .filter(([, language = '']) => languages.includes(language))
      .map(([, language = '', code = '']) => ({
        name: text(tool['name']),
        arguments: { language, code },
      }));
  });
}

/** None for a tool that takes something else. */
function languagesOf({ type, parameters }: JsonObject): string[] {
  if (type !== 'function' || !isObject(parameters) || !isObject(parameters['properties']))
    return [];
  const required = Array.isArray(parameters['required']) ? parameters['required'] : [];
  const { language } = parameters['properties'];
  const takesCode = [...required].sort().join() === 'code,language' && isObject(language);
  return takesCode && Array.isArray(language['enum']) ? language['enum'].map(String) : [];
}
