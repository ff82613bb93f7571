/** A worker of the stage, with the tool that the scripted turns call. */
import { defineTool, runWorker } from '../../../src/run-worker.ts';

await runWorker({
  tools: [
    defineTool({
      name: 'look_up',
      description: 'Looks a mark up.',
      parameters: {
        type: 'object',
        properties: { mark: { type: 'string' } },
        required: ['mark'],
        additionalProperties: false,
      },
      policy: 'idempotent',
      run: ({ mark }) => ({ mark: String(mark) }),
    }),
  ],
  onReady: () => process.stdout.write(`${JSON.stringify({ ready: true })}\n`),
});
