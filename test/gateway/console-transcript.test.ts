import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  answerReader,
  type AnswerReader,
  type NumberedEvent,
} from '../../src/conversation/answer-text.ts';

const SCRIPT = new URL('../../src/gateway/console/transcript.js', import.meta.url);
/** The page's own script, as browsers get it. */
const { createTranscript } = (await import(SCRIPT.href)) as {
  createTranscript(): {
    read(number: number, event: NumberedEvent['event']): void;
    texts: AnswerReader['texts'];
  };
};

const messageId = fc.constantFrom('msg_1', 'msg_2', 'msg_3');
const text = fc.string({ maxLength: 5 });
const item = fc.record({ id: messageId, text }).map((said) => ({
  ...{ type: 'message', id: said.id, role: 'assistant', status: 'completed' },
  content: [{ type: 'output_text', text: said.text, annotations: [] }],
}));

const event: fc.Arbitrary<NumberedEvent['event']> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('response.output_text.delta'),
      item_id: messageId,
      delta: text,
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('response.output_item.done'), item }) },
  fc.record({ type: fc.constant('turn.folded'), items: fc.array(item, { maxLength: 2 }) }),
  fc.record({ type: fc.constant('turn.rewind'), to: fc.nat({ max: 20 }) }),
  fc.record({
    type: fc.constantFrom('turn.folded', 'response.output_item.done', 'something.else'),
  }),
);

describe('the transcript of the console', () => {
  it('reads the protocol as the reader of the server does', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        const reader = answerReader();
        const transcript = createTranscript();
        for (const [index, said] of events.entries()) {
          reader.read({ number: index + 1, event: said });
          transcript.read(index + 1, said);
        }
        expect(transcript.texts()).toEqual(reader.texts());
      }),
      { numRuns: 500 },
    );
  });
});
