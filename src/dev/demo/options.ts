import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { TurnkeeperError } from '../../contracts/errors.ts';
import { describeError } from '../../contracts/thrown.ts';

export interface DemoOptions {
  /** Absolute path; null for the documents that come with the examples. */
  docs: string | null;
  /** Absolute path; null for a temporary directory. */
  dataDir: string | null;
  /** Real parts instead of the embedded ones. */
  parts: boolean;
  model: string | null;
  question: string | null;
  keep: boolean;
  json: boolean;
  help: boolean;
}

export const HELP = `Turnkeeper's demo: durable conversation turns on real parts, on this machine alone.

  npm run demo [-- FLAGS]

It starts a Temporal development server with its Web UI, an embedded database, a model and a worker, reads a folder of
documents, and runs four turns: one answered from the documents, one with parallel tool calls, one whose worker is killed
in mid-answer, and one that computes in a sandbox, where this machine has Docker or bubblewrap. With OPENAI_API_KEY or OPENAI_BASE_URL set, the model is that one; else the offline model, which
needs no key and quotes sentences from the documents.

  --question "…"   ask this instead of the four
  --docs DIR       answer from the text and Markdown files below DIR instead of examples/documents
  --model NAME     the model to ask where a key or a server is set (gpt-5-mini by default)
  --data-dir DIR   keep all data there; by default it is temporary and removed at the end
  --parts          run on PostgreSQL, Qdrant's engine and Docker instead of the embedded defaults
  --keep           stay up until Ctrl-C, and print the settings for programs of your own
  --json           print the result as JSON, the last line of standard output; all else goes to standard error
  --help           print this
`;

/** Throws `invalid_request` for a flag that does not exist or lacks its value. */
export function readOptions(args: string[]): DemoOptions {
  const flags = parseFlags(args);
  const [docs, dataDir] = [flags.docs, flags['data-dir']].map((path) =>
    path === undefined ? null : resolve(path),
  );
  return {
    docs: docs ?? null,
    dataDir: dataDir ?? null,
    parts: flags.parts ?? false,
    model: flags.model ?? null,
    question: flags.question ?? null,
    keep: flags.keep ?? false,
    json: flags.json ?? false,
    help: flags.help ?? false,
  };
}

function parseFlags(args: string[]) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        docs: { type: 'string' },
        'data-dir': { type: 'string' },
        model: { type: 'string' },
        question: { type: 'string' },
        parts: { type: 'boolean' },
        keep: { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    });
    for (const [flag, value] of Object.entries(values)) {
      if (typeof value === 'string' && value.trim() === '')
        throw new Error(`Option '--${flag}' is empty`);
    }
    return values;
  } catch (error) {
    const reason = describeError(error);
    // What follows is advice on quoting that does not help here.
    const [mistake = reason] = reason.split(/\. |\.?\n/);
    const list = '`npm run demo -- --help` lists the flags.';
    throw new TurnkeeperError('invalid_request', `${mistake.replace(/\.$/, '')}. ${list}`);
  }
}
