import { createContext, Script } from 'node:vm';

/** What was to be done took longer than it may. */
export class TookTooLong extends Error {}

const sandbox: { work?: () => unknown } = {};
const context = createContext(sandbox);
const script = new Script('work()');

/** Runs work that never awaits, and cuts it off: it would keep everything else in this process from going on. */
export function inTime<T>(maxMs: number, work: () => T): T {
  sandbox.work = work;
  try {
    return script.runInContext(context, { timeout: maxMs }) as T;
  } catch (error) {
    if (isTimeout(error)) throw new TookTooLong(`it takes longer than ${maxMs} ms`);
    throw error;
  } finally {
    delete sandbox.work;
  }
}

function isTimeout(error: unknown): boolean {
  const isObject = typeof error === 'object' && error !== null;
  return isObject && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}
