import { networkInterfaces } from 'node:os';
import { ENVIRONMENT } from '../inside.ts';
import type { Attempt } from './attempt.ts';

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
    except OSError: pass`,
    broken: ({ stdout }, _limits, { reached }) => {
      if (reached()) return 'a port of this host was reached';
      return stdout === '[]\n' ? null : stdout.trim();
    },
  },
  {
    limit: 'files',
    tried: 'to read files of this host, and to change its programs',
    language: 'bash',
    code: (_limits, { file }) => `
cat ${file} /proc/1/root${file} /proc/self/cwd/../../../../..${file} /etc/shadow 2>/dev/null
ls -A /root /home /mnt /srv 2>/dev/null | grep -v -e ':$' -e '^$'
for target in /usr/bin/made /usr/lib/made /etc/made /made; do touch $target 2>/dev/null && echo $target; done`,
    broken: ({ stdout }) =>
      stdout === '' ? null : `this came out: ${stdout.trim().slice(0, 200)}`,
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
      return others.length === 0 && stdout !== '' ? null : `there were ${others.join(', ')}`;
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
(: >>/proc/sysrq-trigger) 2>/dev/null && echo opened the keys of the console`,
    broken: ({ stdout }) => (stdout === '' ? null : stdout.trim().replaceAll('\n', ', ')),
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
