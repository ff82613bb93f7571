import { networkInterfaces } from 'node:os';
import { ENVIRONMENT } from '../inside.ts';
import { END, unlessPrinted, type Attempt } from './attempt.ts';

/** Shells and container engines set these by themselves. */
const ALSO_SET = ['PWD', 'OLDPWD', 'SHLVL', '_', 'LC_CTYPE', 'HOSTNAME', 'container'];
/** Of a network that is for documentation: nobody has it, but where there is a network there is a way to it. */
const OUTSIDE = '192.0.2.1';

/** Programs that want to get at what is not theirs. */
export const WALL_ATTEMPTS: readonly Attempt[] = [
  {
    limit: 'network',
    tried: 'to find an interface, a way outside, and a port of this host',
    language: 'python',
    code: (_limits, { port }) => `
import errno, socket
print([name for _, name in socket.if_nameindex() if name != "lo"])
for address in ${JSON.stringify(['localhost', ...hostAddresses(), OUTSIDE])}:
    try:
        socket.create_connection((address, ${port}), 1)
        print("reached", address)
    except OSError as error:
        if address != "localhost" and error.errno != errno.ENETUNREACH: print(address, error)
for family in [17, 38, 40]: # packets, the kernel's cryptography, the hypervisor
    try:
        socket.socket(family, socket.SOCK_RAW if family == 17 else socket.SOCK_STREAM)
        print("opened a socket of family", family)
    except OSError: pass
print("${END}")`,
    broken: (result, _limits, { reached }) => {
      return reached() ? 'a port of this host was reached' : unlessPrinted('[]', result);
    },
  },
  {
    limit: 'files',
    tried: 'to read files of this host, and to change its programs',
    language: 'bash',
    code: (_limits, { file }) => `
cat ${file} /proc/1/root${file} /proc/self/cwd/../../../../..${file} /etc/shadow 2>/dev/null
ls -A /root /home /mnt /srv 2>/dev/null | grep -v -e ':$' -e '^$'
for target in /usr/bin/made /usr/lib/made /etc/made /made; do touch $target 2>/dev/null && echo $target; done
echo ${END}`,
    broken: (result) => unlessPrinted('', result),
  },
  {
    limit: 'environment',
    tried: 'to read variables of the worker',
    language: 'bash',
    code: () =>
      "cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n' | cut -d= -f1 | sort -u; env | cut -d= -f1",
    broken: ({ stdout }) => {
      const known = [...Object.keys(ENVIRONMENT), ...ALSO_SET];
      const others = stdout.split('\n').filter((name) => name !== '' && !known.includes(name));
      if (others.length > 0) return `there were ${others.join(', ')}`;
      return stdout.includes('PATH') ? null : 'it found no environment at all';
    },
  },
  {
    limit: 'rights',
    tried: 'to have capabilities, gain some, mount and make namespaces',
    language: 'bash',
    code: () => `
test "$(id -u)" != 0 || echo root
grep -E '^Cap(Inh|Prm|Eff|Amb):' /proc/self/status | grep -v '0000000000000000$'
grep '^NoNewPrivs:' /proc/self/status | grep -v '1$'
mount -t tmpfs none /tmp 2>/dev/null && echo mounted
unshare --user --map-root-user true 2>/dev/null && echo made a namespace
(: >>/proc/sysrq-trigger) 2>/dev/null && echo opened the keys of the console
echo ${END}`,
    broken: (result) => unlessPrinted('', result),
  },
  {
    limit: 'kernel',
    tried: 'to call the kernel where it has been weak',
    language: 'python',
    code: () => `
import ctypes, errno, platform
kernel = ctypes.CDLL(None, use_errno=True)
x64 = {"add_key": 248, "keyctl": 250, "perf_event_open": 298, "kexec_load": 246, "bpf": 321, "userfaultfd": 323, "init_module": 175}
arm64 = {"add_key": 217, "keyctl": 219, "perf_event_open": 241, "kexec_load": 104, "bpf": 280, "userfaultfd": 282, "init_module": 105}
for name, number in (arm64 if platform.machine() == "aarch64" else x64).items():
    ctypes.set_errno(0)
    made = kernel.syscall(number, 0, 0, 0, 0, 0) >= 0
    if made or ctypes.get_errno() not in [errno.EPERM, errno.EACCES, errno.ENOSYS]: print(name)
print("${END}")`,
    broken: (result) => unlessPrinted('', result),
  },
  {
    limit: 'artifacts',
    tried: 'to hand out links to files of this host, devices, huge and badly named files',
    language: 'bash',
    code: ({ artifactBytes }, { file }) => `
ln -s ${file} secret; ln -s /etc/passwd passwd; ln -s / root; mkfifo pipe; mkdir folder
ln /etc/passwd hard 2>/dev/null; ln /usr/bin/env hard 2>/dev/null
truncate -s ${artifactBytes + 1} huge; touch $'new\\nline' $'not\\xffutf8' '\\..\\x'`,
    broken: ({ artifacts, refused }) => {
      const names = artifacts.map(({ name }) => name).join(', ');
      if (artifacts.length > 0) return `these came out: ${names}`;
      return refused.length > 0 ? null : 'nothing was made';
    },
  },
];

function hostAddresses(): string[] {
  const addresses = Object.values(networkInterfaces()).flat();
  return addresses.flatMap((entry) => {
    return entry?.family === 'IPv4' && !entry.internal ? [entry.address] : [];
  });
}
