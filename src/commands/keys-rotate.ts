import type { Command } from 'commander';
import { isTurnkeeperError } from '../contracts/errors.ts';

/** What cli.ts hands over. */
export interface KeysRotateParts {
  /** Wraps all keys with the first of the settings; answers how many were wrapped by another one. */
  rotate: (onBatch: (rewrapped: number) => void) => Promise<number>;
  print: (line: string) => void;
}

const FAILED = 1;

export function addKeysRotate(keys: Command, { rotate, print }: KeysRotateParts): void {
  keys
    .command('rotate')
    .description('wrap the keys of all conversations with the first of TURNKEEPER_ENCRYPTION_KEYS')
    .addHelpText('after', '\nEnded in between, it goes on where it was when it is run again.')
    .action(async () => {
      try {
        const rewrapped = await rotate((count) => print(`${count} keys wrapped anew`));
        print(`Done: ${rewrapped} keys were wrapped anew, and all are wrapped by the first one.`);
      } catch (error) {
        if (!isTurnkeeperError(error)) throw error;
        print(error.message);
        process.exitCode = FAILED;
      }
    });
}
