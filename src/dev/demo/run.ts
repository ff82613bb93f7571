import { fileURLToPath } from 'node:url';
import { baseName, readDocuments } from './documents.ts';
import type { DocumentFile, DocumentFolder } from './documents.ts';
import { chooseModel } from '../services/environment.ts';
import { pendingFailure } from './history.ts';
import { ingest } from './ingest.ts';
import { count, listNames } from '../services/messages.ts';
import type { DemoOptions } from './options.ts';
import { chooseQuestions } from './questions.ts';
import { showCosts } from './report.ts';
import type { Resources } from '../services/resources.ts';
import { runTurn } from './run-turn.ts';
import { startStack } from './stack.ts';
import type { Stack } from './stack.ts';
import { createStartBoard } from '../services/start-board.ts';
import type { StartBoard } from '../services/start-board.ts';
import type { Terminal } from '../services/terminal.ts';
import type { TurnRecord } from './turn-record.ts';

const EXAMPLES = fileURLToPath(new URL('../../../examples/documents', import.meta.url));

export interface Stage {
  terminal: Terminal;
  resources: Resources;
  /** Aborted when the demo ends early. */
  signal: AbortSignal;
}

export interface Finished {
  stack: Stack;
  turns: TurnRecord[];
  /** The knowledge base that holds the documents. */
  base: string;
}

/** The demo from its first line to the table of costs. What it started stays up until `resources` are closed. */
export async function runDemo(options: DemoOptions, stage: Stage): Promise<Finished> {
  const { terminal, resources, signal } = stage;
  const model = chooseModel(options.model);
  const folder = await readDocuments(options.docs ?? EXAMPLES);
  terminal.line();
  terminal.line(terminal.style.bold('Turnkeeper demo'));
  const board = createStartBoard(terminal);
  const stack = await startStack({ ...options, model, resources, board, signal });
  const base = baseName(folder.files, stack.embeddings);
  const turns = runTurns(options, stage, { stack, model: model.name, base, folder, board });
  return { stack, base, turns: await Promise.race([turns, stack.workers.failure]) };
}

interface Scene {
  stack: Stack;
  model: string;
  base: string;
  folder: DocumentFolder;
  board: StartBoard;
}

async function runTurns(
  options: DemoOptions,
  { terminal, signal }: Stage,
  { stack, model, base, folder, board }: Scene,
): Promise<TurnRecord[]> {
  const files = await fillKnowledgeBase(stack, folder, { base, board, signal });
  const about = { files: options.docs === null ? null : files, computes: stack.computes };
  const questions = chooseQuestions(options.question, about);
  terminal.line();
  const turns: TurnRecord[] = [];
  for (const question of questions) {
    const setting = { stack, terminal, model, base, signal };
    turns.push(await runTurn(setting, question, turns.length + 1));
  }
  showCosts(terminal, turns);
  return turns;
}

/** Answers the files that can be searched now. */
async function fillKnowledgeBase(
  { turnkeeper, temporal }: Stack,
  folder: DocumentFolder,
  { base, board, signal }: { base: string; board: StartBoard; signal: AbortSignal },
): Promise<DocumentFile[]> {
  const { skipped, path } = folder;
  if (skipped.length > 0) board.note(`left out, for it is not text: ${listNames(skipped)}`);
  const all = folder.files.length;
  const onProgress = (done: number) => board.waitFor(`reading documents, ${done} of ${all} done`);
  const reasonSoFar = (id: string) => pendingFailure(temporal, `ingest:${id}`);
  const ingested = await ingest(turnkeeper, folder, { base, signal, onProgress, reasonSoFar });
  const { files, passages, left } = ingested;
  for (const mistake of left) board.note(`left out: ${mistake}`);
  const size = `${count(files.length, 'document')} in ${count(passages, 'passage')}`;
  board.done('documents', `${size}, from ${path}`);
  return files;
}
