import { expect } from 'vitest';
import type { HostileProgram, Outcome } from './program.ts';

const MIB = 1_048_576;

function endedBy(limit: Outcome['result']['limit']) {
  return ({ result }: Outcome) => expect(result).toMatchObject({ limit, exitCode: null });
}

/** Programs that want more than there is for them. */
export const GREEDY: HostileProgram[] = [
  {
    point: 'processes',
    name: 'is a fork bomb of Bash',
    language: 'bash',
    timeoutMs: 3_000,
    code: () => 'bomb() { bomb | bomb & }; bomb; sleep 60',
    check: ({ seen }) => expect(seen.processes).toBeGreaterThan(0),
  },
  {
    point: 'processes',
    name: 'forks for ever, in sessions of their own',
    language: 'python',
    timeoutMs: 3_000,
    code: () => `
while True:
    try:
        if os.fork() == 0: os.setsid()
    except OSError: pass`,
    check: endedBy('time'),
  },
  {
    point: 'processes',
    name: 'makes threads until it is refused',
    language: 'python',
    timeoutMs: 20_000,
    code: ({ limits }) => `
import threading, time
made = 0
try:
    while made < ${4 * limits.pids}:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        made += 1
except RuntimeError: pass
print(made, flush=True)
os._exit(0)`,
    check: ({ result, limits }) => {
      expect(Number(result.stdout)).toBeGreaterThan(50);
      expect(Number(result.stdout)).toBeLessThan(limits.pids);
    },
  },
  {
    point: 'processes',
    name: 'leaves thousands of dead children unburied',
    language: 'python',
    timeoutMs: 20_000,
    code: () => `
made = 0
try:
    while made < 5000:
        if os.fork() == 0: os._exit(0)
        made += 1
except OSError: pass
print(made)`,
    check: ({ result, limits }) => expect(Number(result.stdout)).toBeLessThan(limits.pids),
  },
  {
    point: 'memory',
    memory: true,
    name: 'fills memory',
    language: 'python',
    timeoutMs: 30_000,
    code: () => `
held = []
while True: held.append(bytearray(os.urandom(1 << 16) * 160))`,
    check: endedBy('memory'),
  },
  {
    point: 'memory',
    memory: true,
    name: 'fills memory with many small processes, which ask not to be the first to go',
    language: 'python',
    timeoutMs: 30_000,
    code: () => `
import time
held = bytearray(b"x" * ${8 * MIB})
for number in range(110):
    if os.fork() == 0:
        for adjustment in ["-1000", "0"]:
            try: open("/proc/self/oom_score_adj", "w").write(adjustment)
            except OSError: pass
        held = bytearray(b"y" * ${16 * MIB})
        time.sleep(60)
while True: held += b"x" * ${MIB}`,
    check: ({ result }) => expect(result.limit).toBe('memory'),
  },
  {
    point: 'memory',
    memory: true,
    name: 'fills memory that belongs to no process',
    language: 'python',
    timeoutMs: 30_000,
    code: ({ limits }) => `
files = []
for _ in range(8):
    files.append(os.memfd_create("filler"))
    for _ in range(${Math.ceil(limits.memoryBytes / MIB / 4)}): os.write(files[-1], b"x" * ${MIB})
print("filled")`,
    check: ({ result }) => {
      expect(result.stdout).toBe('');
      expect(result.exitCode).not.toBe(0);
    },
  },
  {
    point: 'memory',
    memory: true,
    name: 'fills memory with JavaScript',
    language: 'javascript',
    timeoutMs: 30_000,
    code: () => 'const held = []; for (;;) held.push(Buffer.alloc(1 << 24, 1));',
    check: endedBy('memory'),
  },
  {
    point: 'disk',
    name: 'fills its working folder',
    language: 'bash',
    timeoutMs: 60_000,
    code: () =>
      'while head -c 20M /dev/zero >"$RANDOM$RANDOM"; do :; done 2>/dev/null; du -sb . | cut -f1',
    check: ({ result, limits }) => {
      expect(Number(result.stdout)).toBeGreaterThan(limits.diskBytes / 2);
      expect(Number(result.stdout)).toBeLessThanOrEqual(limits.diskBytes + MIB);
    },
  },
  {
    point: 'disk',
    name: 'fills every place in which it can write',
    language: 'python',
    timeoutMs: 60_000,
    code: ({ limits, mark }) => `
written = 0
places = [path for path, _, _ in os.walk("/") if not path.startswith("/proc") and os.access(path, os.W_OK)]
for place in places:
    try:
        with open(f"{place}/${mark}", "wb", buffering=0) as file:
            while written < ${4 * limits.diskBytes}: written += file.write(b"x" * 65536)
    except OSError: pass
print(written)`,
    check: ({ result, limits }) => {
      expect(Number(result.stdout)).toBeGreaterThan(limits.diskBytes / 2);
      expect(Number(result.stdout)).toBeLessThanOrEqual(limits.diskBytes);
    },
  },
  {
    point: 'disk',
    name: 'makes empty files and folders without end',
    language: 'python',
    timeoutMs: 4_000,
    code: () => `
import itertools
for number in itertools.count():
    try: os.mkdir(f"/tmp/{number}"); open(f"{number}", "w").close()
    except OSError: pass`,
    check: ({ result }) => expect(result.limit).toMatch(/^(time|memory)$/),
  },
  {
    point: 'output',
    name: 'writes to standard output without end',
    language: 'bash',
    timeoutMs: 30_000,
    code: () => 'yes "out of bounds"',
    check: ({ result, limits }) => {
      expect(result).toMatchObject({ limit: 'output', exitCode: null, truncated: true });
      expect(Buffer.byteLength(result.stdout)).toBe(limits.outputBytes);
    },
  },
  {
    point: 'output',
    name: 'writes bytes that are no text to standard error without end',
    language: 'bash',
    timeoutMs: 30_000,
    code: () => 'cat /dev/urandom >&2',
    check: ({ result }) => {
      expect(result).toMatchObject({
        limit: 'output',
        exitCode: null,
        truncated: true,
        stdout: '',
      });
      expect(result.stderr).not.toMatch(/\p{Cs}/u);
    },
  },
  {
    point: 'processor',
    name: 'counts on every processor',
    language: 'python',
    timeoutMs: 20_000,
    code: () => `
import time
start, first = time.monotonic(), os.getpid()
for _ in range(7):
    if os.getpid() == first: os.fork()
while time.monotonic() - start < 3: pass
if os.getpid() == first:
    for _ in range(7): os.wait()
    print(sum(os.times()[:4]) / (time.monotonic() - start))`,
    check: ({ result, limits }) => {
      expect(Number(result.stdout)).toBeGreaterThan(0);
      expect(Number(result.stdout)).toBeLessThan(1.35 * limits.cpus);
    },
  },
];
