import { printable } from './terminal.ts';
import type { Terminal } from './terminal.ts';

const NAME_WIDTH = 12;

/** Shows parts as they get ready, several at a time. */
export interface StartBoard {
  /** Waits for a part and tells what it has become. */
  during<T>(name: string, work: () => Promise<T>, describe: (part: T) => string): Promise<T>;
  done(name: string, description: string): void;
  /** What has been shown as ready, one line a part. */
  ready(): string[];
  /** What is being waited for now. */
  waitFor(what: string): void;
  /** Something that people should know. */
  note: (message: string) => void;
}

export function createStartBoard(terminal: Terminal): StartBoard {
  const { style } = terminal;
  const pending = new Set<string>();
  const showPending = () =>
    terminal.status(pending.size === 0 ? null : `starting ${[...pending].join(', ')}`);
  const entry = (mark: string, name: string, text: string) => {
    terminal.line(`   ${mark} ${name.padEnd(NAME_WIDTH)} ${printable(text)}`);
    showPending();
  };
  const ready: string[] = [];
  const done = (name: string, description: string) => {
    ready.push(`${name}: ${description}`);
    entry(style.green('✓'), name, description);
  };
  return {
    done,
    ready: () => [...ready],
    waitFor: (what) => terminal.status(what),
    note: (message) => entry(style.yellow('!'), 'note', message),
    async during(name, work, describe) {
      pending.add(name);
      showPending();
      try {
        const part = await work();
        pending.delete(name);
        done(name, describe(part));
        return part;
      } catch (error) {
        pending.delete(name);
        throw error;
      }
    },
  };
}
