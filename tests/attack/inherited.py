"""What nbc's own process has, and the notebook's must not get. `host.py` gives nbc all of it."""

import ctypes
import fcntl
import os
import signal
import struct

from probe import CAPABILITY, libc, probe


@probe()
def descriptors(host):
    """Uses a file that nbc has open."""
    for number in range(4, 1024):
        try:
            os.fstat(number)
            if host["canary"] in os.pread(number, 4096, 0).decode("latin-1"):
                return f"descriptor {number}"
        except OSError:
            pass


@probe()
def environment(host):
    """Finds a secret in its environment."""
    return "found" if host["canary"] in str(os.environ) else None


@probe()
def environment_of_nbc(host):
    """Reads nbc's environment."""
    with open(f"/proc/{host['nbc']}/environ") as file:
        return "found" if host["canary"] in file.read() else None


@probe()
def environment_of_the_parent(host):
    """Reads the environment of the process above it."""
    with open(f"/proc/{os.getppid()}/environ") as file:
        return "found" if host["canary"] in file.read() else None


@probe()
def arguments_of_nbc(host):
    """Reads nbc's command line."""
    with open(f"/proc/{host['nbc']}/cmdline") as file:
        return file.read()[:20] or None


@probe()
def working_folder(host):
    """Starts where nbc was started."""
    return os.getcwd() if os.getcwd() == host["nbc_folder"] else None


@probe()
def terminal(host):
    """Writes to nbc's terminal."""
    os.write(os.open("/dev/tty", os.O_RDWR), b"\x1b]0;typed\x07")
    return "written"


@probe(is_rare=True)
def terminal_typed(host):
    """Types a command into nbc's terminal."""
    fcntl.ioctl(os.open("/dev/tty", os.O_RDWR), 0x5412, b"x")
    return "typed"


@probe()
def standard_input(host):
    """Reads what nbc could read."""
    return "open" if os.fstat(0).st_rdev != os.stat("/dev/null").st_rdev else None


@probe()
def mask_of_files(host):
    """Makes files that everybody may write to, because nbc would."""
    return "none" if os.umask(0o22) == 0 else None


@probe()
def ignored_signals(host):
    """Ignores what nbc ignores."""
    return "SIGUSR2" if signal.getsignal(signal.SIGUSR2) == signal.SIG_IGN else None


@probe()
def new_rights(host):
    """Gains rights from set-user-id programs."""
    return "it may" if libc.prctl(39, 0, 0, 0, 0) == 0 else None


@probe(CAPABILITY)
def capabilities(host):
    """Has a right of root."""
    header, data = struct.pack("Ii", 0x20080522, 0), ctypes.create_string_buffer(24)
    libc.capget(header, data)
    sets = struct.unpack("IIIIII", data.raw)
    ambient = [it for it in range(41) if libc.prctl(47, 1, it, 0, 0) == 1]
    return f"{sets} {ambient}" if any(sets) or ambient else None


@probe(CAPABILITY)
def root(host):
    """Is root."""
    return "it is" if 0 in os.getresuid() + os.getresgid() else None


@probe(CAPABILITY)
def root_again(host):
    """Becomes root."""
    os.setresuid(0, 0, 0)
    return f"{os.getresuid()}"


@probe(CAPABILITY)
def group_of_nbc(host):
    """Reads what a group of nbc's may read."""
    with open(host["group_file"]) as file:
        return file.read()


@probe(CAPABILITY)
def another_user(host):
    """Becomes another user of the host."""
    os.setresgid(2, 2, 2)
    os.setresuid(2, 2, 2)
    return f"{os.getresuid()}"
