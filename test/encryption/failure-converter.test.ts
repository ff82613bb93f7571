import { defaultPayloadConverter, type SerializationContext } from '@temporalio/common';
import { encodeErrorToFailure } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { describe, expect, it } from 'vitest';
import { TurnkeeperError } from '../../src/contracts/errors.ts';
import { failureConverter } from '../../src/encryption/failure-converter.ts';
import { codecOver, contextOf, keysInMemory, newTurnId, text } from './keys.ts';

describe('the failure converter', () => {
  const codec = codecOver(keysInMemory());
  const converter = { payloadConverter: defaultPayloadConverter, failureConverter };
  const sent = (error: Error, context?: SerializationContext) =>
    encodeErrorToFailure({ ...converter, payloadCodecs: [codec] }, error, context);

  it('puts what an activity threw into a payload, which is encrypted', async () => {
    const failure = await sent(new Error('The wizard is out.'), contextOf(newTurnId()));
    expect(JSON.stringify(failure)).not.toContain('wizard');
    expect(text(failure.encodedAttributes?.metadata?.['encoding'])).toBe('binary/turnkeeper');
  });

  it('says of a workflow task, whose workflow it is not told, no more than our own errors do', async () => {
    const [foreign, own] = [
      new Error('The wizard is out.'),
      new TurnkeeperError('key_gone', 'Gone.'),
    ];
    expect(JSON.stringify(await sent(foreign))).not.toContain('wizard');
    expect(await sent(own)).toMatchObject({ message: own.message });
  });
});
