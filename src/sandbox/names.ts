const MAX_NAME_BYTES = 255;
const NOT_IN_NAMES = /[/\\\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\uFFFD]/u;

/** What keeps this from being a plain file name: no path, nothing that a terminal or a header would obey; null if nothing does. */
export function nameMistake(name: string): string | null {
  if (name === '') return 'is empty';
  if (name === '.' || name === '..') return 'is a folder';
  if (NOT_IN_NAMES.test(name))
    return 'has a path separator, control character or invalid text in it';
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `is longer than ${MAX_NAME_BYTES} bytes`;
  return null;
}

/** A name of any origin, fit to be shown: short, and with nothing in it that a terminal would obey. */
export function shownName(name: string): string {
  const safe = name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
  return safe.length > MAX_NAME_BYTES ? `${safe.slice(0, MAX_NAME_BYTES)}…` : safe;
}
