import { startChild } from '../src/dev/child.ts';
import type { ScriptStep } from '../src/dev/offline-model/script.ts';

const WORDS = 60;
/** Deltas of an answer, and the pause before each. */
export const DELTAS = 20;
export const DELTA_MS = 5;

export const ANSWER = Array.from({ length: WORDS }, (_, index) => `word${index}`).join(' ');

/** The scripted model, in a process of its own. */
export interface BenchModel {
  baseUrl: string;
  /** Forgets the requests so far, so that it stays as fast as it was. */
  refresh(): Promise<void>;
  stop(): Promise<void>;
}

/** Always gives the same answer in the same time. */
export async function startModel(): Promise<BenchModel> {
  const child = await startChild({ name: 'The model', script: 'dev/offline-model/main' });
  const baseUrl = String(child.ready['listening']);
  const step: ScriptStep = {
    kind: 'answer',
    text: ANSWER,
    chunks: DELTAS,
    delayMs: DELTA_MS,
    times: 1e9,
  };
  const refresh = async () => {
    const url = new URL('/control/script', baseUrl);
    const body = JSON.stringify({ steps: [step] });
    const answer = await fetch(url, { method: 'POST', body });
    if (!answer.ok) throw new Error(`The model refused its script: ${await answer.text()}`);
  };
  await refresh();
  return { baseUrl, refresh, stop: () => child.stop() };
}
