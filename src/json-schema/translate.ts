/** White space, as JavaScript has it. */
const SPACE =
  '\\t-\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}';
const NO_SPACE =
  '\\x{0}-\\x{8}\\x{e}-\\x{1f}!-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}' +
  '\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}';
const ANY = '\\x{0}-\\x{10ffff}';
const LINE_ENDS = '\\n\\r\\x{2028}\\x{2029}';

const ESCAPE = [
  String.raw`u\{[0-9a-f]+\}`,
  String.raw`ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}`,
  'u[0-9a-f]{4}',
  'c[a-z]',
  String.raw`p\{[^}]*\}`,
  'k<[^>]*>',
  String.raw`[1-9]\d*`,
  '[^]',
].join('|');
const GROUP = String.raw`\(\?(?:<?[=!]|<[^>\]]*>|[a-z-]+:)`;
const TOKEN = new RegExp(String.raw`\\(?:${ESCAPE})|${GROUP}|\[\^?\]?|[^]`, 'giu');

/**
 * A pattern of JavaScript, valid with the flag `u`, in the syntax of RE2, where it means the same.
 * @throws Error naming what RE2 has not
 */
export function toRe2(pattern: string): string {
  let inClass = false;
  return pattern.replace(TOKEN, (token) => {
    const before = inClass;
    if (token.startsWith('[')) inClass = !token.endsWith(']');
    else if (token === ']') inClass = false;
    if (token.startsWith('\\')) return escape(token.slice(1), before);
    return before ? token.replace('[', '\\[') : outside(token);
  });
}

function outside(token: string): string {
  if (token === '.') return `[^${LINE_ENDS}]`;
  if (token === '[]') return `[^${ANY}]`;
  if (token === '[^]') return `[${ANY}]`;
  if (!token.startsWith('(?')) return token;
  if (/[=!]$/.test(token)) throw new Error('it looks ahead or behind');
  if (token.endsWith(':')) throw new Error('it sets flags');
  return token.endsWith('>') ? '(' : token;
}

function escape(escaped: string, inClass: boolean): string {
  if (escaped === 's') return inClass ? SPACE : `[${SPACE}]`;
  if (escaped === 'S') return inClass ? NO_SPACE : `[${NO_SPACE}]`;
  if (/^(?:[1-9]|k<)/.test(escaped)) throw new Error('it refers back to a group');
  if (inClass && escaped === 'b') return '\\x{8}';
  if (escaped === '0') return '\\x{0}';
  if (escaped.startsWith('u')) return `\\x{${codePoint(escaped).toString(16)}}`;
  if (/^c[a-z]$/i.test(escaped)) return `\\x{${(escaped.charCodeAt(1) % 32).toString(16)}}`;
  return `\\${escaped.replace(/^(p\{)(?:sc|Script|gc|General_Category)=/i, '$1')}`;
}

function codePoint(escaped: string): number {
  const units = escaped.match(/[0-9a-f]+/gi) ?? [];
  const [first = 0, second] = units.map((unit) => Number.parseInt(unit, 16));
  return second === undefined ? first : (first - 0xd800) * 0x400 + second - 0xdc00 + 0x10000;
}
