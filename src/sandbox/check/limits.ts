import { availableParallelism } from 'node:os';
import { unlessEndedBy, type Attempt } from './attempt.ts';

const MIB = 1_048_576;
/** Time of a processor is handed out in slices, so that a little more can come together. */
const CPU_TOLERANCE = 1.35;

/** Programs that want more than a run may have. */
export const LIMIT_ATTEMPTS: readonly Attempt[] = [
  {
    limit: 'time',
    tried: 'to sleep for ever and ignore every signal',
    language: 'python',
    timeoutMs: 1_000,
    code: () => `
import signal, time
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: time.sleep(60)`,
    broken: (result) => unlessEndedBy('time', result),
  },
  {
    limit: 'output',
    tried: 'to write without end',
    language: 'bash',
    code: () => 'yes',
    broken: (result, { outputBytes }) => {
      const bytes = Buffer.byteLength(result.stdout);
      if (bytes > outputBytes) return `${bytes} bytes came out`;
      return unlessEndedBy('output', result);
    },
  },
  {
    limit: 'memory',
    tried: 'to fill twice the memory in each of two processes',
    language: 'python',
    timeoutMs: 60_000,
    code: ({ memoryBytes }) => `
import os
os.fork()
held = [bytearray(b"x" * ${MIB}) for _ in range(${Math.ceil((2 * memoryBytes) / MIB)})]
os.write(1, b"filled")`,
    broken: (result) => (result.stdout === '' ? unlessEndedBy('memory', result) : 'it was filled'),
  },
  {
    limit: 'processes',
    tried: 'to fork until it is refused',
    language: 'python',
    code: ({ pids }) => `
import os, time
made = 0
try:
    while made < ${2 * pids}:
        if os.fork() == 0: time.sleep(60)
        made += 1
except OSError: pass
print(made)`,
    broken: ({ stdout }, { pids }) => countAtMost(pids, stdout, 'processes were made'),
  },
  {
    limit: 'processor',
    tried: 'to count in as many processes as there are processors',
    language: 'python',
    cannot: ({ cpus }) => {
      const there = availableParallelism();
      return there > cpus ? null : `a run may use ${cpus} of this host's ${there} processors`;
    },
    code: () => `
import os, time
start = time.monotonic()
children = []
for _ in range(${availableParallelism() - 1}):
    child = os.fork()
    if child == 0: children = None; break
    children.append(child)
while time.monotonic() - start < 2: pass
if children is not None:
    for child in children: os.waitpid(child, 0)
    print(sum(os.times()[:4]) / (time.monotonic() - start))`,
    broken: ({ stdout }, { cpus }) => {
      return countAtMost(cpus * CPU_TOLERANCE, stdout, 'processors were used');
    },
  },
  {
    limit: 'disk',
    tried: 'to write wherever it is possible until it is refused',
    language: 'python',
    code: ({ diskBytes }) => `
written = 0
for folder in [".", "/tmp", "/var/tmp", "/dev/shm", "/dev", "/run", "", "/home", "/sandbox", "/var"]:
    try:
        with open(folder + "/filler", "xb", buffering=0) as file:
            while written < ${2 * diskBytes}: written += file.write(b"x" * 65536)
    except OSError: pass
print(written)`,
    broken: ({ stdout }, { diskBytes }) => countAtMost(diskBytes, stdout, 'bytes were written'),
  },
];

/** A program that could not count at all shows nothing. */
function countAtMost(most: number, stdout: string, what: string): string | null {
  const count = Number(stdout);
  return count > 0 && count <= most
    ? null
    : `${stdout.trim() || 'it is not known how many'} ${what}`;
}
