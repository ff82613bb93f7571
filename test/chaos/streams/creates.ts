import { appendFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { CreateRequest } from '../../../src/dev/offline-model/request.ts';
import { ResponseStore } from '../../../src/dev/offline-model/responses.ts';
import { placeOf } from './script.ts';

/** A create that the model has got: the response that it made for it, and what it was asked in. */
export interface Create {
  responseId: string;
  /** As it is called in the script. */
  turn: string;
  /** From 0 on. */
  round: number;
}

/** Writes each create down before any of its answer is sent, so that a kill takes none away. */
export class RecordedResponses extends ResponseStore {
  readonly #file: string;

  constructor(file: string) {
    super();
    this.#file = file;
  }

  override add(...[request, retention]: Parameters<ResponseStore['add']>) {
    const stored = super.add(request, retention);
    appendFileSync(this.#file, `${JSON.stringify(createOf(stored.id, request))}\n`);
    return stored;
  }
}

function createOf(responseId: string, { input }: CreateRequest): Create {
  return { responseId, ...placeOf(JSON.stringify(input)) };
}

export async function readCreates(file: string): Promise<Create[]> {
  const text = await readFile(file, 'utf8');
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Create);
}
