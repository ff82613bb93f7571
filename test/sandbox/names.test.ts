import { describe, expect, it } from 'vitest';
import { nameMistake, shownName } from '../../src/sandbox/names.ts';

describe('a plain file name', () => {
  it.each([
    'a',
    'report 2026.csv',
    'übersicht.png',
    '.hidden',
    '…',
    '-rf',
    '👩‍🔬.txt',
    'x'.repeat(255),
  ])('may be %j', (name) => {
    expect(nameMistake(name)).toBeNull();
  });

  it.each([
    ['', 'is empty'],
    ['.', 'is a folder'],
    ['..', 'is a folder'],
    ['a/b', 'separator'],
    ['a\\b', 'separator'],
    ['/etc/passwd', 'separator'],
    ['two\nlines', 'control character'],
    ['bell\u0007', 'control character'],
    ['nul\u0000', 'control character'],
    ['\u202etxt.exe', 'control character'],
    ['line\u2028separator', 'control character'],
    ['half \ud83d', 'invalid text'],
    ['not text \ufffd', 'invalid text'],
    ['ä'.repeat(128), '255 bytes'],
  ])('is not %j', (name, mistake) => {
    expect(nameMistake(name)).toContain(mistake);
  });

  it('is shown without what a terminal would obey', () => {
    expect(shownName('a\u001b[31m\n\u202e')).toBe('a\\u{1b}[31m\\u{a}\\u{202e}');
    expect(shownName('x'.repeat(300))).toHaveLength(256);
  });
});
