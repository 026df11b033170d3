"""Runs a command under an outer system call filter, as a container's profile would be.

    python deny.py CALL=ERRNO[,CALL=ERRNO...] COMMAND [ARGUMENT...]

CALL is `unshare`, `landlock_create_ruleset`, ... on x86_64.
"""

import ctypes
import errno
import os
import struct
import sys

NUMBERS = {
    "mount": 165,
    "pivot_root": 155,
    "capset": 126,
    "unshare": 272,
    "seccomp": 317,
    "open_tree": 428,
    "clone3": 435,
    "mount_setattr": 442,
    "landlock_create_ruleset": 444,
}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ANSWER = 0x7FFF0000, 0x00050000


def instruction(code, if_true, if_false, value):
    return struct.pack("HBBI", code, if_true, if_false, value)


def program(denied):
    lines = [instruction(LOAD, 0, 0, 0)]
    for number, code in denied:
        lines += [instruction(EQUAL, 0, 1, number), instruction(RETURN, 0, 0, ANSWER | code)]
    return lines + [instruction(RETURN, 0, 0, ALLOW)]


def deny(denied):
    """Filters this process and what it starts."""
    lines = program(denied)
    code = ctypes.create_string_buffer(b"".join(lines))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(lines), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in [
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_void_p(ctypes.addressof(header)), 0, 0),
    ]:
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


def main():
    pairs = [pair.split("=") for pair in sys.argv[1].split(",")]
    deny([(NUMBERS[call], getattr(errno, code)) for call, code in pairs])
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
