import { hostname } from 'node:os';
import { expect } from 'vitest';
import type { HostileProgram, Outcome } from './program.ts';

const TIMEOUT_MS = 30_000;

/** It ran to its end and had nothing to tell. */
function foundNothing({ result }: Outcome): void {
  expect(result).toMatchObject({ limit: null, stdout: 'end\n' });
}

/** Programs that want to reach, read or become what is not theirs. */
export const PRYING: HostileProgram[] = [
  {
    point: 'network',
    name: 'connects to the loopback of the host',
    language: 'python',
    timeoutMs: TIMEOUT_MS,
    code: ({ bait }) => `
import socket
for address in ["127.0.0.1", "localhost", "0.0.0.0", "::1", "::ffff:127.0.0.1", "127.1.2.3"]:
    try: socket.create_connection((address, ${bait.port}), 1); print("reached", address)
    except OSError: pass
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"hello", ("127.0.0.1", ${bait.port}))
print("end")`,
    check: ({ result }) => expect(result.stdout.replace('end\n', '')).toBe(''),
  },
  {
    point: 'network',
    name: 'looks for a way outside',
    language: 'python',
    timeoutMs: TIMEOUT_MS,
    code: () => `
import errno, socket
for _, name in socket.if_nameindex():
    if name != "lo": print("interface", name)
for family, address in [(socket.AF_INET, "192.0.2.1"), (socket.AF_INET, "169.254.169.254"), (socket.AF_INET6, "2001:db8::1")]:
    for kind in [socket.SOCK_STREAM, socket.SOCK_DGRAM]:
        with socket.socket(family, kind) as one:
            one.settimeout(2)
            try: one.connect((address, 53)); print("reached", address)
            except OSError as error:
                if error.errno not in [errno.ENETUNREACH, errno.EADDRNOTAVAIL]: print(address, error)
try: print(socket.getaddrinfo("example.com", 80))
except OSError: pass
print("end")`,
    check: foundNothing,
  },
  {
    point: 'network',
    name: 'opens sockets that no network namespace covers',
    language: 'python',
    timeoutMs: TIMEOUT_MS,
    // 16 (netlink) is covered; 40 is the way to the hypervisor.
    code: () => `
import socket
for family in range(3, 46):
    for kind in [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET]:
        try: socket.socket(family, kind)
        except OSError: continue
        if family not in [10, 16]: print("opened", family, kind)
print("end")`,
    check: foundNothing,
  },
  {
    point: 'network',
    name: 'connects to Unix sockets of the host and to container engines',
    language: 'python',
    timeoutMs: TIMEOUT_MS,
    code: ({ bait }) => `
import socket
engines = ["/var/run/docker.sock", "/run/docker.sock", "/tmp/dk/docker.sock", "/run/containerd/containerd.sock"]
for name in [${JSON.stringify(bait.unixSocket)}, "\\0${bait.abstractSocket}", "/proc/1/root${bait.unixSocket}", *engines]:
    with socket.socket(socket.AF_UNIX) as one:
        try: one.connect(name); print("reached", name)
        except OSError: pass
print("end")`,
    check: foundNothing,
  },
  {
    point: 'files',
    name: 'reads files of the host by every path to them',
    language: 'bash',
    timeoutMs: TIMEOUT_MS,
    code: ({ bait }) => `
for file in ${bait.openFile} ${bait.ownFile}; do
  for root in "" /.. /../../.. /proc/1/root /proc/self/root /proc/1/cwd/.. /proc/self/cwd/../../.. /old_root /oldroot /newroot; do
    cat "$root$file" 2>/dev/null
  done
done
find / -xdev -name 'turnkeeper-hostile-*' 2>/dev/null
echo end`,
    check: foundNothing,
  },
  {
    point: 'files',
    name: 'looks for what belongs to the host in /etc',
    language: 'bash',
    timeoutMs: TIMEOUT_MS,
    code: () => `
cat /etc/machine-id /etc/shadow /etc/gshadow /etc/sudoers /etc/ssh/ssh_host_* /etc/ssl/private/* /root/.* 2>/dev/null
hostname; cat /etc/hostname /etc/hosts /etc/resolv.conf 2>/dev/null
id -un; wc -l </etc/passwd`,
    check: ({ result }) => {
      const words = result.stdout.split(/\s+/);
      expect(words).not.toContain(hostname());
      expect(result.stdout).not.toMatch(/^root:/m);
      expect(result.stdout).not.toContain('search ');
    },
  },
  {
    point: 'files',
    name: 'writes into programs, libraries and /etc',
    language: 'python',
    timeoutMs: TIMEOUT_MS,
    code: ({ mark }) => `
for folder in ["/", "/usr/bin", "/usr/lib", "/usr/share", "/etc", "/dev", "/proc", "/proc/sys/kernel", "/opt", "/var", "/root", "/home"]:
    try: open(f"{folder}/${mark}", "x"); print("made a file in", folder)
    except OSError: pass
for file in ["/etc/passwd", "/etc/hosts", "/usr/bin/env", "/usr/bin/python3", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger", "/dev/mem", "/dev/kmsg", "/dev/kvm", "/dev/vda", "/dev/sda"]:
    for mode in ["ab", "r+b"]:
        try: open(file, mode); print("opened", file, mode)
        except OSError: pass
    try: os.chmod(file, 0o777); print("changed", file)
    except OSError: pass
print("end")`,
    check: foundNothing,
  },
  {
    point: 'environment',
    name: 'reads the environment of every process',
    language: 'bash',
    timeoutMs: TIMEOUT_MS,
    code: () =>
      "env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'; tr '\\0' ' ' </proc/1/cmdline",
    check: ({ result }) => {
      expect(result.stdout).toContain('PATH=/usr/local/bin:/usr/bin:/bin');
      expect(result.stdout).not.toMatch(/DATABASE_URL|DOCKER_HOST|API_KEY|VITEST|npm_/);
    },
  },
  {
    point: 'processes of others',
    name: 'looks for processes of the host, and for what the kernel tells about it',
    language: 'python',
    timeoutMs: TIMEOUT_MS,
    code: () => `
pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
if len(pids) > 4: print("saw", len(pids))
for path in ["/proc/kcore", "/proc/kmsg", "/proc/1/environ", "/proc/1/maps", "/proc/1/stack", "/sys/kernel/debug", "/proc/keys/x"]:
    try: open(path, "rb").read(1); print("read", path)
    except OSError: pass
for pid in [2, 3, 100, 1000, 4000]:
    if pid in pids: continue
    try: os.kill(pid, 0); print("reached", pid)
    except OSError: pass
print("end")`,
    check: foundNothing,
  },
  {
    point: 'rights',
    name: 'wants to be root',
    language: 'bash',
    timeoutMs: TIMEOUT_MS,
    code: () => `
test "$(id -u)" = 0 && echo is root
grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb):' /proc/self/status | grep -v '0000000000000000$'
grep '^NoNewPrivs:' /proc/self/status | grep -v '1$'
python3 -c 'import os; os.setuid(0)' 2>/dev/null && echo became root
python3 -c 'import os; os.setgroups([0])' 2>/dev/null && echo joined groups
find / -xdev -perm -4000 -type f 2>/dev/null | while read -r program; do
  "$program" -c id 2>/dev/null </dev/null | grep 'uid=0' && echo "$program"
done
echo end`,
    check: foundNothing,
  },
  {
    point: 'rights',
    name: 'mounts, makes devices and namespaces, and leaves its root',
    language: 'bash',
    timeoutMs: TIMEOUT_MS,
    code: () => `
mount -t tmpfs none /tmp && echo mounted
mount -o remount,rw / && echo remounted
mknod disk b 8 0 && echo made a device
for what in --user --mount --net --pid "--user --map-root-user --mount"; do unshare $what true && echo "unshared $what"; done
nsenter -t 1 -m true && echo entered
python3 -c 'import os; os.chroot("/tmp")' && echo left its root
hostname other && echo renamed
dd if=/dev/vda of=/dev/null count=1 && echo read a disk
echo end`,
    check: foundNothing,
  },
];
