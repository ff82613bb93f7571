import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/contracts/json.ts';
import { compileSchema } from '../../src/json-schema/compile.ts';
import { linearPatterns } from '../../src/json-schema/patterns.ts';

const LONG = 'a'.repeat(50_000);

/** Every kind of character that classes and anchors tell apart. */
const TEXTS = [
  ...Array.from({ length: 0x3100 }, (_, code) => String.fromCodePoint(code)),
  ...['\ufeff', '\ud83d', '😀', '\u{10ffff}', '', 'ab', 'a\nb', '😀A', 'foo', 'éfoo'],
];

const PATTERNS = [
  ...['^\\s+$', '^[\\s]$', '^[^\\s]$', '^\\S$', '^[\\S\\n]$', '^[^\\S]$', '^.$', '^[.]$', '.'],
  ...[
    '^[^]$',
    '^[]$',
    '^[[]$',
    '^[[^]$',
    '^[\\]\\[\\-^]$',
    '^[a\\-z]$',
    '^[(?<]?$',
    '[&&]',
    '^[(?=]$',
  ],
  ...[
    '^[\\u0041😀]$',
    '^\\u{1F600}$',
    '^\\uD83D\\uDE00A$',
    '^\\uD83D$',
    '^[\\cJ\\0-\\x1f]$',
    '^[\\b]$',
  ],
  ...['^\\p{L}+$', '^[\\p{Script=Greek}\\d]$', '^\\P{gc=Lu}$', '^\\w\\W?$', '^\\D$', '\\bfoo\\b'],
  ...['^(?<x>a)(?:b)$', '^(?:[^/]+/)*$', 'a|^$', '^\\.\\/$', 'b$'],
];

describe('a pattern of a JSON Schema', () => {
  it.each(PATTERNS)('means what it means in JavaScript: %s', (pattern) => {
    const [ours, theirs] = [linearPatterns(pattern, 'u'), new RegExp(pattern, 'u')];
    expect(TEXTS.filter((text) => ours.test(text) !== theirs.test(text))).toEqual([]);
  });

  it.each<[string, JsonObject, Json]>([
    ['a string', { pattern: '^(a+)+$' }, `${LONG}!`],
    ['a key', { patternProperties: { '^(a|a)*$': true }, maxProperties: 0 }, { [`${LONG}!`]: 1 }],
    ['several alike', { pattern: '^([a-z]+[a-z]+)+[0-9]$' }, LONG],
  ])('takes no longer for an evil text: %s', (_, schema, value) => {
    expect(compileSchema(schema)(value)).toHaveLength(1);
  });

  it.each([
    ['(?=a)b', 'looks ahead'],
    ['(?<!a)b', 'looks ahead or behind'],
    ['(a)\\1', 'refers back'],
    ['(?<x>a)\\k<x>', 'refers back'],
    ['a{1001}', 'repeat count'],
    ['(', 'Unterminated group'],
  ])('that cannot be had in linear time is refused with the reason: %s', (pattern, why) => {
    const compiling = () => compileSchema({ pattern });
    expect(compiling).toThrow(why);
    expect(compiling).toThrow(`/${pattern}/`);
  });
});

describe('a value that would take for ever to check', () => {
  const next = { required: ['end'], properties: { next: { $ref: '#/$defs/link' } } };
  const endless = { $defs: { link: { anyOf: [next, next] } }, $ref: '#/$defs/link' };

  it('does not fit, after a while, and the next one is checked as ever', () => {
    let chain: JsonObject = {};
    for (let length = 0; length < 60; length++) chain = { next: chain };
    const check = compileSchema(endless);
    expect(check(chain)).toEqual(['/ cannot be checked: it takes longer than 2000 ms']);
    expect(check({ end: true })).toBeNull();
  });

  it.each(['email', 'uri', 'url', 'hostname', 'uri-template', 'ipv6', 'duration'])(
    'for its format does not have it: %s',
    (format) => {
      const check = compileSchema({ format });
      for (const evil of [`a@${LONG}${LONG}`, `http://${'a-'.repeat(50_000)}!`])
        expect(check(evil)).toEqual([`/ must match format "${format}"`]);
    },
  );

  it('is not taken for one because it has a format', () => {
    const fits = { email: 'a@b.ch', uri: 'http://a.ch/b', date: '2026-02-28', uuid: UUID };
    for (const [format, text] of Object.entries(fits))
      expect(compileSchema({ format })(text)).toBeNull();
    expect(compileSchema({ format: 'date', formatMinimum: '2026-03-01' })(fits.date)).toHaveLength(
      1,
    );
  });
});

const UUID = '01890000-0000-7000-8000-000000000000';
