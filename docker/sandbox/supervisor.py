"""PID 1 of a sandbox container: takes one request from its input, runs the code, writes one result to its output.

The request: a line `<bytes of specification> <sha256 of all that follows>`, the specification as JSON, the code, and
each file. Without a whole request nothing is run, and the exit code is NEVER_STARTED.

The result: JSON lines. The first says how the run ended, one for each entry of the working folder follows, the last has
the sha256 of all before it. Bytes of unknown origin are base64. The container's log keeps it, so that it can be read
again by whoever comes after the worker that asked.

The code runs as the same user. Nothing of this process is open to it (PR_SET_DUMPABLE), and of its signals only those
arrive for which there are handlers: while code runs that is SIGCHLD alone.
"""

import base64
import ctypes
import hashlib
import json
import os
import selectors
import shutil
import signal
import stat
import subprocess
import sys
import time

NEVER_STARTED = 3
REQUEST_TIMEOUT_S = 30
MAX_SPECIFICATION_BYTES = 1 << 20
CHUNK_BYTES = 48 * 1024  # a multiple of 3: base64 of the chunks is base64 of the whole
MAX_LISTED = 1000

ROOT = "/sandbox"
WORK = ROOT + "/work"
FONT_INDEX = "/opt/turnkeeper/matplotlib"
OOM_COUNTERS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")

PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
FILTER_INSTRUCTION_BYTES = 8
libc = ctypes.CDLL(None, use_errno=True)


class BadRequest(Exception):
    """Less came than was promised, or something else."""


def main():
    libc.prctl(PR_SET_DUMPABLE, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for folder in ("work", "tmp", "code"):
        os.mkdir(f"{ROOT}/{folder}")
    work = os.open(WORK, os.O_RDONLY | os.O_DIRECTORY)
    try:
        request = receive(sys.stdin.buffer)
    except BadRequest as error:
        print(f"no whole request came: {error}", file=sys.stderr)
        return NEVER_STARTED
    ending = run(request)
    send(sys.stdout.buffer, ending, found_in(work, request))
    return 0


# ── the request ──────────────────────────────────────────────────────────────


def receive(stream):
    """Reads the request and puts code and files in their places."""
    signal.signal(signal.SIGALRM, out_of_patience)
    signal.alarm(REQUEST_TIMEOUT_S)
    try:
        spec_bytes, digest = stream.readline(200).split()
        if int(spec_bytes) > MAX_SPECIFICATION_BYTES:
            raise BadRequest("the specification is too long")
        seen = hashlib.sha256()
        request = json.loads(read(stream, int(spec_bytes), seen))
        request["given"] = {}
        save(stream, f"{ROOT}/code/{request['codeFile']}", request["codeBytes"], seen)
        for file in request["files"]:
            path = f"{WORK}/{file['name']}"
            request["given"][file["name"]] = save(stream, path, file["bytes"], seen)
    except (ValueError, OSError) as error:
        raise BadRequest(error) from error
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    if seen.hexdigest() != digest.decode():
        raise BadRequest("its digest is another one")
    return request


def out_of_patience(*_):
    raise BadRequest(f"{REQUEST_TIMEOUT_S} seconds are over")


def save(stream, path, size, seen):
    """Writes the next `size` bytes to a file; answers their digest."""
    digest = hashlib.sha256()
    with open(path, "xb") as file:
        while size > 0:
            chunk = read(stream, min(size, CHUNK_BYTES), seen)
            digest.update(chunk)
            file.write(chunk)
            size -= len(chunk)
    return digest.digest()


def read(stream, size, seen):
    content = stream.read(size)
    if len(content) < size:
        raise BadRequest("it ended early")
    seen.update(content)
    return content


# ── the run ──────────────────────────────────────────────────────────────────


class Run:
    """The code's process, what it wrote, and what ended it."""

    def __init__(self, child, output_bytes):
        self.child = child
        self.output_bytes = output_bytes
        self.status = None
        self.limit = None
        self.outputs = {child.stdout: bytearray(), child.stderr: bytearray()}
        self.selector = selectors.DefaultSelector()
        for pipe in self.outputs:
            os.set_blocking(pipe.fileno(), False)
            self.selector.register(pipe, selectors.EVENT_READ)

    def drain(self, pipe):
        """Takes what is there, up to a byte more than is allowed; answers whether there may be more to come."""
        output = self.outputs[pipe]
        while len(output) <= self.output_bytes:
            try:
                chunk = os.read(pipe.fileno(), self.output_bytes + 1 - len(output))
            except BlockingIOError:
                return True
            if not chunk:
                return False
            output += chunk
        self.limit = self.limit or "output"
        return False

    def reap(self):
        """Takes leave of all that ended; answers whether there may be others."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if pid == self.child.pid:
                    self.status = status
        except ChildProcessError:
            return False


def run(request):
    started = time.monotonic()
    ooms = oom_kills()
    try:
        child = start(request)
    except (OSError, subprocess.SubprocessError) as error:
        complaint = f"{request['command'][0]}: {error}\n"
        return ending(127, None, b"", complaint.encode(), started)
    this = Run(child, request["outputBytes"])
    wait(this, started + request["timeoutMs"] / 1000)
    ended = time.monotonic()
    end_everything(this)
    if this.limit is None and this.status != 0 and oom_kills() > ooms:
        this.limit = "memory"
    killed = this.status is None or os.WIFSIGNALED(this.status)
    code = None if killed else os.WEXITSTATUS(this.status)
    stdout, stderr = this.outputs.values()
    return ending(code, this.limit, stdout, stderr, started, ended)


def start(request):
    environment = request["environment"]
    if os.path.isdir(FONT_INDEX) and "MPLCONFIGDIR" in environment:
        shutil.copytree(FONT_INDEX, environment["MPLCONFIGDIR"])
    return subprocess.Popen(
        [*request["command"], f"{ROOT}/code/{request['codeFile']}"],
        cwd=WORK,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
        preexec_fn=lambda: confine(base64.b64decode(request["seccomp"])),
    )


class FilterProgram(ctypes.Structure):
    """The kernel's `struct sock_fprog`."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def confine(seccomp):
    """In the child: where memory runs out, it is to go, not the supervisor; calls that the filter refuses are none."""
    libc.prctl(PR_SET_DUMPABLE, 1)
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    if not seccomp:
        return
    program = FilterProgram(len(seccomp) // FILTER_INSTRUCTION_BYTES, seccomp)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program)) != 0:
        raise OSError(ctypes.get_errno(), "the system call filter is refused")


def wait(this, deadline):
    """Until the code ended by itself or a limit is reached."""
    waker, wakened = os.pipe()
    os.set_blocking(wakened, False)
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakened, warn_on_full_buffer=False)
    this.selector.register(waker, selectors.EVENT_READ)
    this.reap()
    while this.status is None and this.limit is None:
        left = deadline - time.monotonic()
        if left <= 0:
            this.limit = "time"
            return
        for key, _ in this.selector.select(left):
            if key.fileobj == waker:
                os.read(waker, 4096)
            elif not this.drain(key.fileobj):
                this.selector.unregister(key.fileobj)
        this.reap()


def end_everything(this):
    """Kills whatever the code left running, and takes what is left in the pipes."""
    while this.reap():
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            continue
        time.sleep(0.002)
    for pipe in this.outputs:
        this.drain(pipe)


def oom_kills():
    for path in OOM_COUNTERS:
        try:
            with open(path) as file:
                counters = dict(line.split() for line in file)
            return int(counters["oom_kill"])
        except (OSError, KeyError, ValueError):
            continue
    return 0


def ending(exit_code, limit, stdout, stderr, started, ended=None):
    return {
        "exitCode": exit_code,
        "limit": limit,
        "durationMs": round(((ended or time.monotonic()) - started) * 1000),
        "stdout": text(stdout),
        "stderr": text(stderr),
    }


# ── the result ───────────────────────────────────────────────────────────────


def found_in(work, request):
    """The entries of the working folder that are not as they were given, each with its content if that may come out."""
    os.fchmod(work, 0o700)
    room = request["artifactBytes"]
    places = request["artifacts"]
    listed = 0
    names = sorted(os.listdir(work))
    for index, name in enumerate(names):
        if listed == MAX_LISTED:
            yield {"kind": "more", "count": len(names) - index}, None
            return
        entry, file = look_at(work, name)
        try:
            if file is not None and is_as_given(file, name, request["given"]):
                continue
            wanted = file is not None and places > 0 and entry["bytes"] <= room and is_plain(name)
            if wanted:
                places -= 1
                room -= entry["bytes"]
            listed += 1
            yield entry, file if wanted else None
        finally:
            if file is not None:
                file.close()


def look_at(work, name):
    """What an entry is, and a plain file open for reading; the code that made it no longer runs."""
    entry = {"name": text(os.fsencode(name)), "kind": "other", "bytes": 0}
    try:
        status = os.stat(name, dir_fd=work, follow_symlinks=False)
        entry["bytes"] = status.st_size
        if stat.S_ISLNK(status.st_mode):
            entry["kind"] = "link"
        elif stat.S_ISDIR(status.st_mode):
            entry["kind"] = "folder"
        elif stat.S_ISREG(status.st_mode):
            entry["kind"] = "file"
            return entry, os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=work), "rb")
    except OSError:
        pass
    return entry, None


def is_as_given(file, name, given):
    if name not in given:
        return False
    digest = hashlib.file_digest(file, "sha256").digest()
    file.seek(0)
    return digest == given[name]


def is_plain(name):
    """Whether the name may come out: roughly, for the worker looks more closely."""
    return all(" " <= character != "\x7f" for character in name)


def send(stream, how, entries):
    digest = hashlib.sha256()

    def write(content):
        digest.update(content)
        stream.write(content)

    write(json.dumps(how).encode() + b"\n")
    for entry, file in entries:
        line = json.dumps(entry).encode()
        if file is None:
            write(line + b"\n")
            continue
        write(line[:-1] + b', "content": "')
        while chunk := file.read(CHUNK_BYTES):
            write(base64.b64encode(chunk))
        write(b'"}\n')
    stream.write(json.dumps({"sha256": digest.hexdigest()}).encode() + b"\n")
    stream.flush()


def text(content):
    return base64.b64encode(content).decode()


if __name__ == "__main__":
    sys.exit(main())
