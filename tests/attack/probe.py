"""What every probe needs: the table of probes, and system calls by their number.

A probe is a function. It attacks, and returns evidence of success as a text. An `OSError` or `None` means
that it was contained. Whatever else goes wrong is a bug of the probe, and fails the suite.
"""

import ctypes
import errno
import os

PROBES = {}

# The user who can show without isolation that a probe is real. A probe that needs a capability may be refused even to
# root, in a container; then the suite says that it is unproven there.
ANYONE, USER, CAPABILITY = "anyone", "user", "capability"


class Probe:
    def __init__(self, attack, proof, is_rare, open_in_place, ends_run, limits):
        self.attack = attack
        self.proof = proof
        self.is_rare = is_rare
        self.open_in_place = open_in_place
        self.ends_run = ends_run
        self.limits = limits

    def as_row(self, name):
        return {
            "name": name,
            "does": (self.attack.__doc__ or "").strip(),
            "proof": self.proof,
            "is_rare": self.is_rare,
            "open_in_place": self.open_in_place,
            "ends_run": self.ends_run,
            "limits": self.limits,
        }


def probe(proof=ANYONE, is_rare=False, open_in_place="", ends_run=False, **limits):
    """Adds a function to the table.

    `is_rare`: kernels without this interface are common. `open_in_place`: why it is not contained without
    namespaces. `ends_run`: the attack is on the run itself, so any end of it will do.
    """

    def add(attack):
        group = attack.__module__
        PROBES[f"{group}.{attack.__name__}"] = Probe(
            attack, proof, is_rare, open_in_place, ends_run, limits
        )
        return attack

    return add


libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def call(number, *arguments):
    """A system call; raises what it answers."""
    ctypes.set_errno(0)
    wide = [ctypes.c_long(it) if isinstance(it, int) else it for it in arguments]
    answer = libc.syscall(ctypes.c_long(number), *wide)
    if answer == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return answer


# The answers of a filter, of a missing right and of a kernel that lacks the call.
REFUSALS = {errno.EPERM, errno.ENOSYS, errno.EACCES}


def reach(number, *arguments):
    """Evidence that the kernel took a call seriously, even if its arguments were (on purpose) no good."""
    try:
        return f"the kernel answered {call(number, *arguments)}"
    except OSError as error:
        if error.errno in REFUSALS:
            raise
        return f"the kernel answered {errno.errorcode[error.errno]}"
