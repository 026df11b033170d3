"""Interfaces of the kernel that no notebook needs, and settings of the machine."""

import ctypes
import errno
import fcntl
import mmap
import os
import struct

from probe import ANYONE, CAPABILITY, call, probe, reach


def interface(name, does, number, *arguments, proof=ANYONE, is_rare=False):
    """A probe that shows whether a call reaches the kernel. Its arguments change nothing."""

    def attack(host):
        return reach(number, *arguments)

    attack.__name__, attack.__doc__, attack.__module__ = name, does, __name__
    probe(proof, is_rare)(attack)


NEW_USER = 0x10000000
interface("mount", "Mounts a file system.", 165, b"none", b".", b"nbc-no-such", 0, None, proof=CAPABILITY)
interface("umount", "Unmounts one.", 166, b"/nbc-no-such", 0x1000)
interface("pivot_root", "Changes the root.", 155, b"/nbc-no-such", b"/nbc-no-such", proof=CAPABILITY)
interface("chroot", "Changes its own root.", 161, b".", proof=CAPABILITY)
interface("open_tree", "Copies a tree of mounts.", 428, -100, b"/", 1, proof=CAPABILITY, is_rare=True)
interface("fsopen", "Makes a file system.", 430, b"tmpfs", 0, proof=CAPABILITY, is_rare=True)
interface("fsconfig", "Configures a file system.", 431, -1, 0, None, None, 0, is_rare=True)
interface("move_mount", "Moves a mount.", 429, -1, b"", -1, b"", 4, proof=CAPABILITY, is_rare=True)
interface("mount_setattr", "Changes a mount.", 442, -1, b"", 0x1000, None, 0, is_rare=True)
interface("statmount", "Asks for the mounts by the newest call.", 457, None, None, 0, 0, is_rare=True)
interface("unshare", "Makes a user namespace.", 272, NEW_USER, is_rare=True)
interface("setns", "Enters a namespace.", 308, -1, 0)
interface("add_key", "Stores a key.", 248, b"user", b"nbc", b"x", 1, -2, is_rare=True)
interface("request_key", "Asks for a key.", 249, b"user", b"nbc", None, 0, is_rare=True)
interface("keyctl", "Finds the keys of the session.", 250, 0, -3, 0, is_rare=True)
interface("bpf", "Loads a program into the kernel.", 321, 9999, None, 0, proof=CAPABILITY, is_rare=True)
interface("perf", "Counts events.", 298, None, 0, -1, -1, 0xFF00, is_rare=True)
interface("io_uring_setup", "Makes a queue of calls.", 425, 1, None, is_rare=True)
interface("io_uring_enter", "Submits a queue of calls.", 426, -1, 0, 0, 0, None, 0, is_rare=True)
interface("userfaultfd", "Handles page faults.", 323, 1, is_rare=True)
interface("kexec", "Replaces the kernel.", 246, 0, 9999, None, 0xFFFF, proof=CAPABILITY, is_rare=True)
interface("module", "Loads a module.", 175, None, 0, b"", proof=CAPABILITY, is_rare=True)
interface("module_by_file", "Loads a module from a file.", 313, -1, b"", 0, proof=CAPABILITY, is_rare=True)
interface("module_removed", "Removes a module.", 176, b"nbc_none", 0o4000, proof=CAPABILITY, is_rare=True)
interface("kernel_log", "Reads the kernel's log.", 103, 10, None, 0, proof=CAPABILITY)
interface("swap_on", "Adds swap space.", 167, b"/nbc-no-such", 0, proof=CAPABILITY)
interface("swap_off", "Removes swap space.", 168, b"/nbc-no-such", proof=CAPABILITY)
interface("reboot", "Restarts the machine.", 169, 0, 0, 0, None, proof=CAPABILITY)
interface("accounting", "Logs every process.", 163, b"/nbc-no-such", proof=CAPABILITY)
interface("quota", "Changes quotas.", 179, 0, None, 0, None, is_rare=True)
interface("port", "Talks to hardware.", 173, 0x80, 1, 1, proof=CAPABILITY, is_rare=True)
interface("segments", "Changes its segment table.", 154, 0, None, 0, is_rare=True)
interface("layout", "Weakens its layout of memory.", 135, 0x0400000)
interface("clock", "Sets the clock.", 164, None, None, proof=CAPABILITY)
interface("clock_by_id", "Sets a clock.", 227, 99, None)
interface("clock_tuned", "Tunes the clock.", 159, bytes(208))
interface("clock_tuned_by_id", "Tunes a clock.", 305, 0, bytes(208))
interface("alarm", "Makes a timer that wakes the machine.", 283, 9, 0, proof=CAPABILITY, is_rare=True)
interface("host_name", "Names the machine.", 170, b"x", -1, proof=CAPABILITY)
interface("domain_name", "Names the domain.", 171, b"x", -1, proof=CAPABILITY)
interface("fanotify", "Watches every file.", 300, 0x200, 0, is_rare=True)
interface("secret_memory", "Takes memory out of the kernel's map.", 447, 0, is_rare=True)
interface("memory_file", "Makes a file in nobody's memory.", 319, b"nbc", 0)
interface("handle", "Asks for the handle of a file.", 303, -100, b".", bytes(8), bytes(4), 0)
interface("process_memory_advised", "Pages another process out.", 440, -1, None, 0, 0, 0, is_rare=True)
interface("process_memory_released", "Reaps another process.", 448, -1, 0, is_rare=True)
interface("pages_migrated", "Moves pages between nodes.", 256, 0, 0, None, None, is_rare=True)
interface("second_filter", "Loads a filter of its own.", 317, 1, 0xFF00, None)
interface("terminal_input", "Types into a terminal.", 16, 0, 0x5412, b"x")
interface("terminal_input_wide", "The same, with bits that the kernel ignores.", 16, 0, 0x100005412, b"x")
interface("console_input", "Pastes into the console.", 16, 0, 0x541C, b"\x02")
interface("terminal_taken", "Takes a terminal over.", 16, 2, 0x540E, 1)
interface("unknown_request", "Sends a device an unusual request.", 16, 0, 0x12345678, 0)


@probe(is_rare=True)
def namespace_by_clone(host):
    """Makes a namespace by the call that makes processes."""
    pid = call(56, NEW_USER | 17, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "made"


@probe(is_rare=True)
def namespace_by_clone3(host):
    """The same, with flags where no filter can read them."""
    arguments = struct.pack("QQQQQQQQ", NEW_USER, 0, 0, 0, 17, 0, 0, 0)
    pid = call(435, arguments, len(arguments))
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "made"


@probe(is_rare=True)
def foreign_call_numbers(host):
    """Calls by the numbers of another ABI of the same processor (x32)."""
    return f"process {call(0x40000000 | 39)}"


@probe(is_rare=True, ends_run=True)
def old_calls(host):
    """Calls by the gate of 32-bit programs."""
    # mov eax, 20 (getpid); int 0x80; ret
    code = bytes.fromhex("b814000000cd80c3")
    area = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    area.write(code)
    run = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(area)))
    return f"process {run()}"


@probe()
def shared_memory(host):
    """Attaches shared memory of the user."""
    shmat = ctypes.CDLL(None, use_errno=True).shmat
    shmat.restype = ctypes.c_void_p
    address = shmat(host["segment"], None, 0o10000)
    if address in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return ctypes.string_at(address, 40).split(b"\0")[0].decode()


def made_and_removed(make, remove, *arguments):
    identity = call(make, 0, *arguments)
    call(remove, identity, 0, 0, None)
    return f"number {identity}"


@probe()
def shared_memory_made(host):
    """Makes shared memory that outlives it."""
    return made_and_removed(29, 31, 4096, 0o1600)


@probe()
def semaphores_made(host):
    """Makes semaphores that outlive it."""
    return made_and_removed(64, 66, 1, 0o1600)


@probe()
def queue_made(host):
    """Makes a queue that outlives it."""
    return made_and_removed(68, 71, 0o1600)


@probe(is_rare=True)
def posix_queue_made(host):
    """Makes a queue with a name."""
    name = f"nbc-attack-{os.getpid()}".encode()
    queue = call(240, name, os.O_RDWR | os.O_CREAT, 0o600, None)
    call(241, name)
    return f"descriptor {queue}"


@probe()
def shared_folder(host):
    """Finds the shared memory files of the host."""
    return read_first([host["shared_memory"]])


def read_first(paths):
    """The first of these files with something in it."""
    refused = OSError(errno.ENOENT, "no such file")
    for path in paths:
        try:
            with open(path, "rb", buffering=0) as file:
                if file.read(64).strip(b"\0 \n0"):
                    return path
        except OSError as error:
            refused = error
    raise refused


@probe(CAPABILITY)
def kernel_memory(host):
    """Reads the kernel's memory and addresses."""
    return read_first(["/proc/kcore", "/proc/kallsyms", "/proc/kpageflags", "/proc/vmallocinfo"])


@probe()
def tables(host):
    """Reads tables of the kernel that describe the host."""
    names = "cmdline config.gz modules partitions diskstats interrupts mounts/.. sysvipc/shm locks keys"
    return read_first([f"/proc/{it}" for it in names.split() + ["sys/kernel/random/boot_id"]])


@probe()
def hardware(host):
    """Reads about the host's hardware."""
    return str(os.listdir("/sys")[:3])


@probe(CAPABILITY)
def core_pattern(host):
    """Opens the setting that names a program for the kernel to run as root."""
    os.close(os.open("/proc/sys/kernel/core_pattern", os.O_RDWR))
    return "opened"


@probe(CAPABILITY)
def settings(host):
    """Opens settings of the kernel for writing."""
    for name in ["kernel/hostname", "vm/drop_caches", "vm/overcommit_memory", "fs/file-max"]:
        try:
            os.close(os.open(f"/proc/sys/{name}", os.O_WRONLY))
            return name
        except OSError as error:
            refused = error
    raise refused


@probe(CAPABILITY)
def magic_key(host):
    """Opens the file that restarts the machine."""
    os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY))
    return "opened"


@probe(CAPABILITY)
def control_group(host):
    """Makes a control group."""
    refused = OSError(errno.ENOENT, "no control groups")
    for mount in ["", "/unified", "/memory", "/pids", "/cpu", "/freezer"]:
        path = f"/sys/fs/cgroup{mount}/nbc-attack-{os.getpid()}"
        try:
            os.mkdir(path)
            os.rmdir(path)
            return path
        except OSError as error:
            refused = error
    raise refused


@probe(CAPABILITY)
def namespaces_entered(host):
    """Enters the namespaces of another process."""
    file = os.open(f"/proc/{host['victim']}/ns/net", os.O_RDONLY)
    call(308, file, 0)
    return "entered"
