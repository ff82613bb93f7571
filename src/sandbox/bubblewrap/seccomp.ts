import { endianness } from 'node:os';

/** Numbers of system calls, and of the machine as the kernel tells it. */
interface Machine {
  audit: number;
  socket: number;
  refused: readonly number[];
}

/**
 * Refused: keys (`add_key`, `request_key`, `keyctl`), `perf_event_open`, `bpf`, `userfaultfd`, and the three of `io_uring`,
 * which can open sockets unseen. None has a use here, all have been ways out of a sandbox.
 */
const MACHINES: Partial<Record<NodeJS.Architecture, Machine>> = {
  x64: {
    audit: 0xc000003e,
    socket: 41,
    refused: [248, 249, 250, 298, 321, 323, 425, 426, 427],
  },
  arm64: {
    audit: 0xc00000b7,
    socket: 198,
    refused: [217, 218, 219, 241, 280, 282, 425, 426, 427],
  },
};

/** Unix, IPv4, IPv6, netlink: what a network namespace covers. Others, such as vsock, reach beyond the machine. */
const FAMILIES = [1, 2, 10, 16];

const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const ERRNO = 0x00050000;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_AT_LEAST = 0x35;
const RETURN = 0x06;

/** Offsets in what the kernel shows a filter of a call: its number, the machine, the low half of the first argument. */
const NUMBER = 0;
const MACHINE = 4;
const FIRST_ARGUMENT = 16;

/** Numbers from here on are calls of x32, a second set of the same ones. */
const X32 = 0x40000000;

/** The system call filter of the sandbox as a compiled BPF program; null on a processor it has no numbers for. */
export function seccompFilter(architecture: NodeJS.Architecture = process.arch): Buffer | null {
  const machine = MACHINES[architecture];
  if (!machine || endianness() !== 'LE') return null;
  return Buffer.concat([
    instruction(LOAD, MACHINE),
    instruction(JUMP_EQUAL, machine.audit, 1, 0),
    instruction(RETURN, KILL_PROCESS),
    instruction(LOAD, NUMBER),
    instruction(JUMP_AT_LEAST, X32, 0, 1),
    instruction(RETURN, KILL_PROCESS),
    ...machine.refused.flatMap((number) => [
      instruction(JUMP_EQUAL, number, 0, 1),
      instruction(RETURN, ERRNO | ENOSYS),
    ]),
    instruction(JUMP_EQUAL, machine.socket, 1, 0),
    instruction(RETURN, ALLOW),
    instruction(LOAD, FIRST_ARGUMENT),
    ...FAMILIES.flatMap((family) => [
      instruction(JUMP_EQUAL, family, 0, 1),
      instruction(RETURN, ALLOW),
    ]),
    instruction(RETURN, ERRNO | EAFNOSUPPORT),
  ]);
}

/** `struct sock_filter`: code, how many to skip when true and when false, operand. */
function instruction(code: number, operand: number, whenTrue = 0, whenFalse = 0): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(whenTrue, 2);
  bytes.writeUInt8(whenFalse, 3);
  bytes.writeUInt32LE(operand, 4);
  return bytes;
}
