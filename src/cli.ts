#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { addDoctor } from './commands/doctor.ts';
import { confirm } from './commands/doctor/confirm.ts';
import { addKeysRotate } from './commands/keys-rotate.ts';
import { addSandboxCheck, NOTHING_CHECKED } from './commands/sandbox-check.ts';
import { composeDoctor } from './compose-doctor.ts';
import { loadConfig, readSandbox } from './config.ts';
import { rotateMasterKeys } from './rotate-master-keys.ts';
import { checkSandbox } from './sandbox/check.ts';
import { openSandbox } from './sandbox/open.ts';
import { jsonLogger } from './telemetry/logger.ts';

const print = (line: string) => void process.stdout.write(`${line}\n`);

const turnkeeper = new Command('turnkeeper')
  .description('A durable workflow orchestrator for LLM conversations.')
  .exitOverride();

addDoctor(turnkeeper, {
  ...composeDoctor(jsonLogger()),
  confirm,
  print,
});

const sandbox = turnkeeper.command('sandbox').description('where run_code runs');
addSandboxCheck(sandbox, {
  // Read only when it is asked for: other commands have other settings.
  open: async (kind) => {
    const settings = readSandbox();
    return openSandbox(kind === undefined ? settings : { ...settings, kind });
  },
  check: checkSandbox,
  print,
});

const keys = turnkeeper.command('keys').description('what protects histories');
addKeysRotate(keys, {
  rotate: (onBatch) => rotateMasterKeys(loadConfig(), onBatch),
  print,
});

try {
  await turnkeeper.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : NOTHING_CHECKED;
}
