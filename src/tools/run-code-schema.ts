import type { JsonObject } from '../contracts/json.ts';

const MAX_CODE_CHARACTERS = 1_048_576;
const MAX_FILES = 32;

export const RUN_CODE_DESCRIPTION = [
  'Runs code in a sandbox without network and returns what it wrote to stdout and stderr, and its exit code.',
  'Print what you want to know.',
  'The working folder holds the given files; new or changed files in it (not in folders) come back as artifacts.',
  'Nothing else is kept between calls: pass the file_id of an artifact to use it again.',
].join(' ');

const NAME = { type: 'string', minLength: 1, description: 'Plain file name, without a path.' };

export const RUN_CODE_PARAMETERS = {
  type: 'object',
  properties: {
    language: { type: 'string', enum: ['python', 'javascript', 'bash'] },
    code: { type: 'string', minLength: 1, maxLength: MAX_CODE_CHARACTERS },
    files: {
      type: 'array',
      maxItems: MAX_FILES,
      description: 'Put into the working folder first.',
      items: {
        anyOf: [
          {
            type: 'object',
            properties: { name: NAME, content: { type: 'string', description: 'Text.' } },
            required: ['name', 'content'],
            additionalProperties: false,
          },
          {
            type: 'object',
            properties: {
              file_id: {
                type: 'string',
                pattern: '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$',
                description: 'Of an artifact of an earlier call.',
              },
              name: { ...NAME, description: 'Its own name by default.' },
            },
            required: ['file_id'],
            additionalProperties: false,
          },
        ],
      },
    },
  },
  required: ['language', 'code'],
  additionalProperties: false,
} satisfies JsonObject;
