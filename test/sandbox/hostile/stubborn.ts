import { expect } from 'vitest';
import type { HostileProgram } from './program.ts';

/** Programs that do not want to end, or to be alone. */
export const STUBBORN: HostileProgram[] = [
  {
    point: 'time',
    memory: true,
    name: 'ignores every signal that can be ignored',
    language: 'python',
    timeoutMs: 2_000,
    code: () => `
import signal, time
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
print("up", flush=True)
while True: time.sleep(60)`,
    check: ({ result, seen }) => {
      expect(result).toMatchObject({ limit: 'time', exitCode: null });
      expect(seen.processes).toBe(1);
      expect(seen.bytes).toBeGreaterThan(0);
    },
  },
  {
    point: 'time',
    name: 'sleeps, and sees to it that its children sleep too',
    language: 'bash',
    timeoutMs: 2_000,
    code: () => 'for i in 1 2 3 4 5; do (trap "" TERM INT HUP; sleep 1000) & done; wait',
    check: ({ result }) => expect(result).toMatchObject({ limit: 'time', exitCode: null }),
  },
  {
    point: 'time',
    name: 'stops itself and everybody whom it can reach',
    language: 'bash',
    timeoutMs: 2_000,
    code: () => 'kill -STOP 1; kill -STOP -1; kill -STOP $$; sleep 60',
    check: ({ result }) => expect(result).toMatchObject({ limit: 'time', exitCode: null }),
  },
  {
    point: 'time',
    name: 'never yields in JavaScript',
    language: 'javascript',
    timeoutMs: 2_000,
    code: () => 'process.on("SIGTERM", () => {}); for (;;);',
    check: ({ result }) => expect(result).toMatchObject({ limit: 'time', exitCode: null }),
  },
  {
    point: 'daemons',
    name: 'leaves a daemon that holds its output open',
    language: 'bash',
    timeoutMs: 30_000,
    code: ({ mark }) => `
setsid bash -c 'exec -a ${mark} sleep 1000' &
(while :; do echo still here; sleep 0.01; done) &
sleep 1; echo done`,
    check: ({ result, seen }) => {
      expect(result).toMatchObject({ limit: null, exitCode: 0 });
      expect(result.stdout).toContain('done');
      expect(seen.processes).toBeGreaterThan(1);
    },
  },
  {
    point: 'daemons',
    name: 'leaves a daemon without any tie to it, and another process every moment',
    language: 'python',
    timeoutMs: 30_000,
    code: () => `
import time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 64)
        open("/tmp/alive", "w").close()
        while True:
            if os.fork() != 0: os._exit(0)
            time.sleep(0.01)
    os._exit(0)
while not os.path.exists("/tmp/alive"): time.sleep(0.01)
print("done")`,
    check: ({ result }) => {
      expect(result).toMatchObject({ limit: null, exitCode: 0, stdout: 'done\n' });
    },
  },
  {
    point: 'supervisor',
    name: 'kills all that it can reach, process 1 first',
    language: 'bash',
    timeoutMs: 30_000,
    code: () => 'kill -KILL 1; kill -TERM 1; kill -SEGV 1; kill -KILL -1; echo alive',
    check: ({ result }) =>
      expect(result.exitCode === null || result.stdout === 'alive\n').toBe(true),
  },
  {
    point: 'supervisor',
    name: 'takes process 1 its resources, and writes in its name',
    language: 'python',
    timeoutMs: 5_000,
    code: () => `
import resource, time
for path in ["/proc/1/fd/1", "/proc/1/mem", "/proc/1/environ", "/proc/1/cwd/x"]:
    for mode in ["rb", "wb"]:
        try: open(path, mode); print("opened", path, mode)
        except OSError: pass
for limit in [resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_AS, resource.RLIMIT_CPU]:
    try: resource.prlimit(1, limit, (0, 0))
    except (OSError, ValueError): pass
time.sleep(0.5)
os.write(1, b"forged")`,
    check: ({ result }) => expect(result.stdout).not.toContain('opened'),
  },
];
