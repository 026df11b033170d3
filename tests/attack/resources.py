"""Using up what the machine has. The amounts are small: a little above the limits of the probe's run."""

import json
import mmap
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import time

from probe import CAPABILITY, USER, call, probe

MIB = 1 << 20
# Of the run: `attack.rs` says the same.
MEMORY, PROCESSES, TEMPORARY, FILES, FILE_SIZE = 128 * MIB, 40, 16 * MIB, 256, 12 * MIB


# How long a limit may take to strike, on a machine that is busy with other work.
PATIENCE = 10
# The time of a run that holds something for so long must not be what ends it.
LONG = 40


def hold(seconds=1):
    """Gives the watch time to see it: if it strikes at all, this does not return."""
    is_bare = json.loads(sys.argv[2])["is_bare"]
    time.sleep(seconds if is_bare else PATIENCE)


@probe()
def processes(host):
    """Starts more processes than it may."""
    for count in range(2 * PROCESSES):
        if os.fork() == 0:
            time.sleep(2)
            os._exit(0)
    os.killpg(0, 0)
    return f"{count + 1} processes"


@probe()
def processes_that_breed(host):
    """Forks in every child as well."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    start = os.getpid()
    for _ in range(7):
        try:
            os.fork()
        except OSError:
            os.write(writer, b"refused ")
    if os.getpid() != start:
        time.sleep(2)
        os._exit(0)
    time.sleep(1)
    try:
        raise OSError(11, f"{len(os.read(reader, 65536)) // 8} forks were refused")
    except BlockingIOError as error:
        if error.errno == 11 and "refused" in str(error):
            raise
    return "128 processes"


@probe()
def threads(host):
    """Starts more threads than it may."""
    try:
        for count in range(2 * PROCESSES):
            threading.Thread(target=time.sleep, args=(2,), daemon=True).start()
    except RuntimeError as error:
        raise OSError(11, f"{error}: {count}") from None
    return f"{count + 1} threads"


@probe(wall=LONG)
def heap(host):
    """Fills its memory."""
    kept = []
    while len(kept) < 3 * MEMORY // MIB:
        kept.append(b"x" * MIB)
    hold()
    return f"{len(kept)} MiB"


@probe(wall=LONG)
def heap_of_many(host):
    """Fills the memory of several processes, each below the limit."""
    filled, done = os.pipe()
    for _ in range(6):
        if os.fork() == 0:
            kept = b"x" * (MEMORY // 2)
            os.write(done, b"x")
            time.sleep(2 * PATIENCE)
            os._exit(len(kept) & 0)
    # On a busy machine it takes a while until there is anything to be seen.
    for _ in range(6):
        os.read(filled, 1)
    hold(2)
    return "six halves"


@probe(wall=LONG)
def shared_mapping(host):
    """Fills memory that is shared between processes."""
    area = mmap.mmap(-1, 3 * MEMORY)
    for offset in range(0, len(area), 4096):
        area[offset] = 1
    hold()
    return f"{len(area) // MIB} MiB"


@probe(wall=LONG)
def shared_mapping_unmapped(host):
    """Fills a shared file, and unmaps it while it stays open."""
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else "."
    # A folder that is not writable cannot be filled, and the temporary folder has a probe of its own.
    kept = []
    for number in range(3):
        kept.append(open(f"{folder}/nbc-attack-{os.getpid()}-{number}", "wb"))
        os.unlink(kept[-1].name)
        for _ in range(10):
            kept[-1].write(b"x" * MIB)
        kept[-1].flush()
    hold()
    return "30 MiB"


@probe(is_rare=True)
def memory_files(host):
    """Parks memory in files without a name."""
    for _ in range(3):
        file = os.memfd_create("nbc")
        os.write(file, b"x" * MIB)
    return "3 MiB"


@probe(CAPABILITY, wall=LONG)
def pipes(host):
    """Parks memory in pipes."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES)) if host["is_bare"] else None
    held = 0
    reader, writer = os.pipe()
    for _ in range(24):
        if os.fork() == 0:
            held, kept = 0, []
            try:
                while len(kept) < 100:
                    kept.append(os.pipe())
                    os.set_blocking(kept[-1][1], False)
                    try:
                        while True:
                            held += os.write(kept[-1][1], b"x" * 65536)
                    except BlockingIOError:
                        pass
            except OSError:
                pass
            os.write(writer, f"{held:10}".encode())
            time.sleep(2 * PATIENCE)
            os._exit(0)
    total = sum(int(os.read(reader, 10)) for _ in range(24))
    if total <= 100 * MIB:
        raise OSError(28, f"{total // MIB} MiB fit")
    hold()
    return f"{total // MIB} MiB"


@probe(wall=LONG)
def sockets(host):
    """Parks memory in sockets."""
    kept, held = [], 0
    for _ in range(10):
        if os.fork() == 0:
            try:
                while len(kept) < 200:
                    pair = socket.socketpair()
                    kept.append(pair)
                    for end in pair:
                        end.setblocking(False)
                        try:
                            while True:
                                held += end.send(b"x" * 32768)
                        except BlockingIOError:
                            pass
            except OSError:
                pass
            time.sleep(2 * PATIENCE)
            os._exit(0)
    hold(1.5)
    return "2,000 pairs"


@probe(wall=LONG)
def page_tables(host):
    """Reads so sparsely that only the tables of pages grow."""
    size = 1 << 37
    area = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, mmap.PROT_READ)
    for offset in range(0, size, 2 * MIB):
        area[offset]
    hold(1)
    return "64 Ki tables of 4 KiB"


@probe(wall=LONG)
def stacks(host):
    """Fills memory with the stacks of threads."""
    def deep(count):
        kept = bytearray(4 * MIB)
        for offset in range(0, len(kept), 4096):
            kept[offset] = 1
        time.sleep(2 * PATIENCE)

    for _ in range(30):
        threading.Thread(target=deep, args=(1,), daemon=True).start()
    extra = bytearray(b"x" * (2 * MEMORY))
    hold(1)
    return f"{30 * 4 + len(extra) // MIB} MiB"


@probe(wall=LONG)
def disk(host):
    """Fills the temporary folder."""
    for number in range(6):
        with open(f"{tempfile.gettempdir()}/fill{number}", "wb") as file:
            for _ in range(8):
                file.write(b"x" * MIB)
    hold(0.5)
    return "48 MiB"


@probe(wall=LONG)
def deleted_files(host):
    """Fills the disk with files that have no name any more."""
    kept = []
    for _ in range(6):
        kept.append(tempfile.TemporaryFile())
        for _ in range(8):
            kept[-1].write(b"x" * MIB)
        kept[-1].flush()
    hold(0.5)
    return "48 MiB"


@probe()
def names(host):
    """Makes more files than the temporary folder may hold."""
    os.mkdir("names")
    folder = os.open("names", os.O_RDONLY)
    # Every one costs the host a lot, and fewer would do on a disk.
    count = 10_000 if host["is_bare"] else 70_000
    for number in range(count):
        os.close(os.open(str(number), os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    return f"{count} files"


@probe()
def file_size(host):
    """Makes a file look enormous."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open("large", "wb") as file:
        os.ftruncate(file.fileno(), 64 * MIB)
    return "64 MiB"


@probe(is_rare=True)
def descriptors(host):
    """Opens more files than it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for count in range(2 * FILES):
        os.dup(0)
    return f"{count + 1} descriptors"


def raise_limit(which, soft, hard):
    try:
        resource.setrlimit(which, (soft, hard))
    except ValueError as error:
        raise OSError(1, str(error)) from None


@probe()
def limits_raised(host):
    """Raises its own limits."""
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    raise_limit(resource.RLIMIT_NPROC, 4 * PROCESSES, hard)
    return f"{resource.getrlimit(resource.RLIMIT_NPROC)}"


@probe(is_rare=True)
def core_dump(host):
    """Leaves its memory on the disk when it crashes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    return f"up to {hard}" if hard != 0 else None


@probe(CAPABILITY)
def locked_memory(host):
    """Locks memory, so that others have to be swapped out."""
    raise_limit(resource.RLIMIT_MEMLOCK, 64 * MIB, 64 * MIB)
    area = mmap.mmap(-1, 32 * MIB)
    area.write(b"x" * (32 * MIB))
    import ctypes

    call(149, ctypes.addressof(ctypes.c_char.from_buffer(area)), 32 * MIB)
    return "32 MiB"


@probe(CAPABILITY)
def real_time(host):
    """Runs before everybody else."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    return "first in first out"


@probe(CAPABILITY)
def nice(host):
    """Runs with a better priority than others."""
    return f"{os.nice(-5)}"


@probe(is_rare=True)
def huge_pages(host):
    """Takes pages out of the machine's pool."""
    try:
        mmap.mmap(-1, 2 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)
    except OSError as error:
        # The pool may be empty.
        if error.errno == 12:
            return "the pool was asked"
        raise
    return "2 MiB"


@probe()
def large_pipe(host):
    """Makes the buffer of a pipe larger."""
    import fcntl

    return f"{fcntl.fcntl(os.pipe()[0], 1031, 262144)} bytes"


@probe()
def large_socket(host):
    """Makes the buffer of a socket larger."""
    one, _ = socket.socketpair()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 400_000)
    return f"{one.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)} bytes"


@probe(USER)
def watches(host):
    """Takes every watch on folders that its user may have; other programs of the user then get none."""
    kept = []
    try:
        while len(kept) < 250:
            kept.append(call(294, 0))
    except OSError:
        if not kept:
            raise
    # `host.py` sees whether any are left for others.
    time.sleep(0.3)


@probe(ends_run=True, wall=15, cpu=1)
def processor(host):
    """Burns the time of two processors."""
    os.fork()
    while time.process_time() < 1.5:
        pass
    time.sleep(0.1)
    return "two times 1.5 seconds"


@probe(ends_run=True, wall=15, cpu=1)
def processor_by_children(host):
    """Burns it in many children that end before anybody looks."""
    while os.times().children_user < 1.6:
        pid = os.fork()
        if pid == 0:
            while time.process_time() < 0.1:
                pass
            os._exit(0)
        os.waitpid(pid, 0)
    return "1.6 seconds"


@probe(ends_run=True, wall=1)
def sleep(host):
    """Never ends."""
    time.sleep(300)


@probe(ends_run=True, wall=1)
def sleep_of_the_kernel(host):
    """Waits where no Python runs."""
    call(34)


@probe()
def output(host):
    """Floods its standard output."""
    line = b"x" * 65535 + b"\n"
    for _ in range(256):
        os.write(1, line)


@probe()
def errors(host):
    """Floods its standard error."""
    line = b"x" * 65535 + b"\n"
    for _ in range(256):
        os.write(2, line)
