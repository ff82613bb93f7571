import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { estimateItemTokens, estimateTextTokens } from '../../src/conversation/tokens.ts';

const source = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const rows = Array.from({ length: 100 }, (_, id) => ({
  id,
  name: `Item ${id}`,
  price: (id * 3.17).toFixed(2),
  at: new Date(1.7e12 + id * 86_400_000).toISOString(),
}));

const SAMPLES: Record<string, string> = {
  English: source('README.md').slice(0, 4_000),
  German:
    'Die Förderung für erneuerbare Energien wird schrittweise erhöht. Außerdem soll der Ausbau der Stromnetze ' +
    'beschleunigt werden, damit überschüssige Energie verteilt werden kann.',
  Russian:
    'Здравствуйте, я хотел бы узнать, когда будет доставлен мой заказ. Подтверждения я не получил.',
  Arabic: 'مرحبا، أود أن أعرف متى سيصل طلبي. لقد طلبته الأسبوع الماضي ولم أستلمه حتى الآن.',
  Chinese: '我想知道我的包裹现在在哪里。上周三我在你们的网站上订购了一双鞋，但是到现在还没有收到。',
  Japanese: '昨日注文した商品はいつ届きますか？配送状況を確認したいのですが、ログインできません。',
  TypeScript: source('src/store/seal.ts'),
  JSON: JSON.stringify(rows),
  UUIDs: rows.map(({ id }) => `0198c${id}7e-4f${id}1-7c3a-9b${id}2-8d1e5f${id}a60b4c`).join('\n'),
};

describe('an estimate of tokens', () => {
  it.each(Object.entries(SAMPLES))('of %s is near what the tokenizer counts', (_, text) => {
    const share = estimateTextTokens(text) / countTokens(text);
    expect(share).toBeGreaterThan(0.85);
    expect(share).toBeLessThan(1.3);
  });

  it('takes no longer for what the tokenizer takes seconds for', () => {
    const tokens = estimateTextTokens('a'.repeat(200_000));
    // What 200,000 of them come to by the tokenizer, 40 seconds later: 25,000.
    expect(tokens).toBeGreaterThan(20_000);
    expect(tokens).toBeLessThan(32_000);
  });

  it('counts an image as an image and not as its characters', () => {
    const image_url = `data:image/png;base64,${'A'.repeat(400_000)}`;
    const content = [{ type: 'input_image', image_url }];
    expect(estimateItemTokens({ type: 'message', role: 'user', content })).toBeLessThan(2_000);
  });

  it('counts what a model reads of an item, whatever its type', () => {
    const words = 'word '.repeat(100).trim();
    const items = [
      { type: 'message', id: 'msg_1', status: 'completed', role: 'user', content: words },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: words }] },
      { type: 'function_call', call_id: 'call_1', name: 'look_up', arguments: words },
      { type: 'function_call_output', call_id: 'call_1', output: words },
      { type: 'something_new', payload: { deep: [words, null, 1] } },
    ];
    for (const item of items) {
      expect(estimateItemTokens(item)).toBeGreaterThanOrEqual(100);
      expect(estimateItemTokens(item)).toBeLessThan(115);
    }
  });
});
