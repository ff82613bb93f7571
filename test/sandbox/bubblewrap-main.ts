import { SandboxUnavailable } from '../../src/contracts/sandbox.ts';
import { bubblewrapSandbox } from '../../src/sandbox/bubblewrap.ts';
import { DEFAULT_LIMITS } from '../../src/sandbox/limits.ts';

/**
 * A process of a test's own that opens the sandbox and runs the Bash program that it is given as its argument. Tells in
 * JSON lines how it went.
 */
const [code] = process.argv.slice(2);
const { signal } = new AbortController();

try {
  const sandbox = await bubblewrapSandbox({ limits: DEFAULT_LIMITS });
  say({ description: sandbox.description });
  if (code !== undefined) {
    const request = { key: 'one', language: 'bash' as const, code, files: [], timeoutMs: 600_000 };
    const { stdout, stderr } = await sandbox.run(request, { signal });
    say({ stdout, stderr });
  }
} catch (error) {
  if (!(error instanceof SandboxUnavailable)) throw error;
  say({ reason: error.reason, retryable: error.retryable, message: error.message });
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
