#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { addSandboxCheck, NOTHING_CHECKED } from './commands/sandbox-check.ts';
import { readSandbox } from './config.ts';
import { checkSandbox } from './sandbox/check.ts';
import { openSandbox } from './sandbox/open.ts';

const turnkeeper = new Command('turnkeeper')
  .description('A durable workflow orchestrator for LLM conversations.')
  .exitOverride();

const sandbox = turnkeeper.command('sandbox').description('where run_code runs');
addSandboxCheck(sandbox, {
  // Read only when it is asked for: other commands have other settings.
  open: async (kind) => {
    const settings = readSandbox();
    return openSandbox(kind === undefined ? settings : { ...settings, kind });
  },
  check: checkSandbox,
  print: (line) => void process.stdout.write(`${line}\n`),
});

try {
  await turnkeeper.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : NOTHING_CHECKED;
}
