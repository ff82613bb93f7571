import { expect } from 'vitest';
import type { HostileProgram, Outcome } from './program.ts';

const TIMEOUT_MS = 30_000;

function reasonsOf({ result }: Outcome): Record<string, string> {
  return Object.fromEntries(result.refused.map(({ name, reason }) => [name, reason]));
}

function namesOf({ result }: Outcome): string[] {
  return result.artifacts.map(({ name }) => name);
}

/** Programs that leave traps among their artifacts. */
export const SMUGGLING: HostileProgram[] = [
  {
    point: 'links',
    name: 'leaves symbolic links to files and folders of the host',
    language: 'bash',
    timeoutMs: TIMEOUT_MS,
    code: ({ bait }) => `
ln -s ${bait.openFile} open; ln -s ${bait.ownFile} own; ln -s /proc/1/environ environ; ln -s / root
ln -s ../../../../../../../../..${bait.openFile} up; ln -s loop loop; ln -s real chain; echo mine >real`,
    check: (outcome) => {
      expect(namesOf(outcome)).toEqual(['real']);
      const names = ['open', 'own', 'environ', 'root', 'up', 'loop', 'chain'];
      expect(reasonsOf(outcome)).toEqual(Object.fromEntries(names.map((n) => [n, 'is a link'])));
    },
  },
  {
    point: 'links',
    name: 'leaves hard links to what it can see',
    language: 'bash',
    timeoutMs: TIMEOUT_MS,
    code: ({ bait }) => `
for file in ${bait.openFile} /etc/passwd /usr/bin/env /proc/version /opt/turnkeeper/supervisor.py; do ln "$file" "$(basename "$file")"; done 2>/dev/null
echo end`,
    check: (outcome) => {
      expect(outcome.result.stdout).toBe('end\n');
      expect(namesOf(outcome)).toEqual([]);
    },
  },
  {
    point: 'links',
    name: 'puts the whole system in the place of its working folder',
    language: 'bash',
    timeoutMs: TIMEOUT_MS,
    code: () =>
      'cd /; mv /sandbox/work /sandbox/was && ln -s /etc /sandbox/work; echo mine >/sandbox/was/real; echo end',
    check: (outcome) => {
      const contents = outcome.result.artifacts.map(({ content }) => String(content));
      expect(contents.filter((content) => content !== 'mine\n')).toEqual([]);
    },
  },
  {
    point: 'links',
    name: 'swaps a file for a link as long as anything runs',
    language: 'bash',
    timeoutMs: TIMEOUT_MS,
    code: ({ bait }) => `
for name in a b c d; do
  (while :; do ln -sfn ${bait.openFile} $name; ln -sfn /etc/passwd $name; rm -f $name; echo mine >$name; done) 2>/dev/null &
done
sleep 1`,
    check: ({ result }) => {
      for (const { content } of result.artifacts) expect(['', 'mine\n']).toContain(String(content));
    },
  },
  {
    point: 'kinds',
    name: 'leaves pipes, sockets, devices and folders, to be waited for',
    language: 'python',
    timeoutMs: TIMEOUT_MS,
    code: () => `
import socket
os.mkfifo("pipe")
socket.socket(socket.AF_UNIX).bind("socket")
os.makedirs("folder/in/folder")
try: os.mknod("device", 0o020666, os.makedev(1, 5))
except OSError: pass
open("unreadable", "w").close(); os.chmod("unreadable", 0)
os.chmod(".", 0)`,
    check: (outcome) => {
      const reasons = reasonsOf(outcome);
      expect(reasons).toMatchObject({ pipe: 'is no plain file', socket: 'is no plain file' });
      expect(reasons).toMatchObject({ folder: 'is a folder' });
      expect(namesOf(outcome).filter((name) => name !== 'unreadable')).toEqual([]);
    },
  },
  {
    point: 'sizes',
    name: 'leaves huge files with nothing in them',
    language: 'bash',
    timeoutMs: TIMEOUT_MS,
    code: ({ limits }) => `
truncate -s ${limits.artifactBytes + 1} larger; truncate -s ${limits.diskBytes - 4096} huge
truncate -s 1P monstrous 2>/dev/null; rm -f monstrous; echo fine >small`,
    check: (outcome) => {
      expect(namesOf(outcome)).toEqual(['small']);
      expect(Object.keys(reasonsOf(outcome)).sort()).toEqual(['huge', 'larger']);
    },
  },
  {
    point: 'sizes',
    name: 'leaves ten thousand files',
    language: 'python',
    timeoutMs: 60_000,
    code: () => 'for number in range(10_000): open(f"{number:05}", "w").write("x")',
    check: ({ result, limits }) => {
      expect(result.artifacts).toHaveLength(limits.artifacts);
      expect(result.refused.length).toBeLessThan(100);
      expect(result.refused.at(-1)?.reason).toMatch(/^and \d+ more$/);
    },
  },
  {
    point: 'names',
    name: 'gives files names that are paths, commands or no text',
    language: 'python',
    timeoutMs: TIMEOUT_MS,
    code: () => `
names = [b"new\\nline", b"..\\\\..\\\\up", b"\\x1b[2Jclear", b"no\\xfftext", b"\\xe2\\x80\\xaegnp.exe", b"tab\\there", b"...", b"x" * 255]
for name in names: open(name, "w").write("x")`,
    check: (outcome) => {
      expect(namesOf(outcome)).toEqual(['...', 'x'.repeat(255)]);
      expect(outcome.result.refused).toHaveLength(6);
      for (const { name } of outcome.result.refused) expect(name).toMatch(/^[\P{C}]*$/u);
    },
  },
  {
    point: 'names',
    name: 'nests folders deeper than a path can be',
    language: 'python',
    timeoutMs: TIMEOUT_MS,
    code: () => `
for _ in range(200): os.mkdir("d" * 200); os.chdir("d" * 200)
print("end")`,
    check: (outcome) => {
      expect(outcome.result.stdout).toBe('end\n');
      expect(Object.values(reasonsOf(outcome))).toEqual(['is a folder']);
    },
  },
];
