"""Reaching other processes, and outliving the run."""

import ctypes
import fcntl
import os
import signal
import struct
import time

from probe import CAPABILITY, USER, call, libc, probe

EXISTENCE = "without a pid namespace, whether a number is taken can be asked for in many ways"


@probe()
def listed(host):
    """Finds a process of the host in the process list."""
    return "found" if str(host["victim"]) in os.listdir("/proc") else None


@probe(open_in_place=EXISTENCE)
def existence(host):
    """Asks whether a process exists, and whose it is."""
    return f"it is of user {os.stat('/proc/' + str(host['victim'])).st_uid}"


@probe()
def status(host):
    """Reads what another process is doing."""
    return open(f"/proc/{host['victim']}/status").readline().strip()


@probe(open_in_place=EXISTENCE)
def schedule_read(host):
    """Asks on which processors another process may run."""
    return str(os.sched_getaffinity(host["victim"]))


@probe()
def signalled(host):
    """Sends a signal to a process of the same user."""
    os.kill(host["victim"], signal.SIGCONT)
    return "sent"


@probe()
def stopped(host):
    """Stops a process of the same user."""
    os.kill(host["victim"], signal.SIGSTOP)
    return "sent"


@probe()
def nbc_signalled(host):
    """Sends a signal to nbc."""
    os.kill(host["nbc"], signal.SIGCONT)
    return "sent"


@probe(USER)
def everyone_signalled(host):
    """Sends a signal to every process that will have it."""
    # In the sandbox the only receivers are the sandbox's own; `host.py` tells whether it got one.
    os.kill(-1, signal.SIGURG)
    time.sleep(0.2)


@probe()
def thread_signalled(host):
    """Sends a signal to a thread of another process."""
    call(234, host["victim"], host["victim"], int(signal.SIGCONT))
    return "sent"


@probe()
def signal_queued(host):
    """Queues a signal with a forged sender."""
    information = struct.pack("iiii", int(signal.SIGURG), 0, -1, 1) + bytes(112)
    call(129, host["victim"], int(signal.SIGURG), information)
    return "sent"


@probe()
def signal_by_descriptor(host):
    """Sends a signal through a descriptor of the process."""
    call(424, call(434, host["victim"], 0), int(signal.SIGCONT), None, 0)
    return "sent"


@probe()
def signal_by_owner(host):
    """Has the kernel send a signal, as news of a pipe that "belongs" to another process."""
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETSIG, int(signal.SIGURG))
    fcntl.fcntl(reader, fcntl.F_SETOWN, host["witness"])
    fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC)
    os.write(writer, b"x")
    time.sleep(0.2)


@probe()
def signal_by_owner_of_a_socket(host):
    """The same, with the request that sockets have for it."""
    import socket

    one, other = socket.socketpair()
    fcntl.fcntl(one, fcntl.F_SETSIG, int(signal.SIGURG))
    fcntl.ioctl(one, 0x8901, struct.pack("i", host["witness"]))
    fcntl.fcntl(one, fcntl.F_SETFL, os.O_ASYNC)
    other.send(b"x")
    time.sleep(0.2)


@probe(ends_run=True, wall=1)
def first_stopped(host):
    """Stops the process of nbc that waits for it."""
    if host["is_bare"]:
        os.kill(os.getppid(), 0)
        return "it could"
    os.kill(os.getppid(), signal.SIGSTOP)


@probe(ends_run=True, wall=1)
def first_killed(host):
    """Kills the process of nbc that waits for it, and goes on."""
    if host["is_bare"]:
        os.kill(os.getppid(), 0)
        return "it could"
    if os.fork() == 0:
        os.setsid()
        time.sleep(300)
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(300)


@probe(ends_run=True, wall=1)
def outer_killed(host):
    """Kills whoever is above the process that waits for it."""
    if host["is_bare"]:
        os.kill(os.getppid(), 0)
        return "it could"
    for pid in range(max(1, os.getppid() - 12), os.getppid() + 1):
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    time.sleep(300)


@probe()
def priority(host):
    """Slows another process down."""
    os.setpriority(os.PRIO_PROCESS, host["victim"], 10)
    return "set"


@probe(USER)
def priority_of_the_user(host):
    """Slows every process of the user down."""
    os.setpriority(os.PRIO_USER, 0, 10)
    time.sleep(0.1)


@probe(USER)
def disk_priority_of_the_user(host):
    """Puts every process of the user last in the queue for the disk."""
    call(251, 3, os.getuid(), (2 << 13) | 7)
    time.sleep(0.1)


@probe()
def disk_priority(host):
    """Puts another process last in the queue for the disk."""
    call(251, 1, host["victim"], (3 << 13) | 0)
    return "set"


@probe()
def processors(host):
    """Takes processors away from another process."""
    os.sched_setaffinity(host["victim"], {min(os.sched_getaffinity(0))})
    return "set"


@probe()
def schedule(host):
    """Changes the schedule of another process."""
    os.sched_setscheduler(host["victim"], os.SCHED_IDLE, os.sched_param(0))
    return "set"


@probe()
def schedule_attributes(host):
    """Changes the schedule with the newer call."""
    call(314, host["victim"], struct.pack("IIQiIQQQ", 48, 3, 0, 5, 0, 0, 0, 0), 0)
    return "set"


@probe(is_rare=True)
def limits(host):
    """Changes the limits of another process."""
    call(302, host["victim"], 7, struct.pack("QQ", 100, 100), None)
    return "set"


@probe()
def first_to_be_killed(host):
    """Names another process as the one to end when memory is short."""
    with open(f"/proc/{host['victim']}/oom_score_adj", "w") as file:
        file.write("1000")
    return "set"


@probe(CAPABILITY)
def last_to_be_killed(host):
    """Names itself as the last one to end."""
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("-1000")
    return "set"


@probe(is_rare=True)
def traced(host):
    """Takes control of another process."""
    call(101, 0x4206, host["victim"], 0, 0)
    return "attached"


@probe(is_rare=True)
def memory_read(host):
    """Copies memory of another process."""
    buffer = ctypes.create_string_buffer(8)
    local = struct.pack("PN", ctypes.addressof(buffer), 8)
    try:
        call(310, host["victim"], local, 1, struct.pack("PN", 1, 8), 1, 0)
    except OSError as error:
        if error.errno != 14:
            raise
    return "it was asked for an address"


@probe(is_rare=True)
def descriptor_taken(host):
    """Takes an open file out of another process."""
    file = call(438, call(434, host["victim"], 0), 0, 0)
    return os.read(file, 100).decode() or "taken"


@probe(is_rare=True)
def compared(host):
    """Compares the memory layout of two processes."""
    return f"{call(312, host['victim'], host['witness'], 1, 0, 0)}"


@probe(is_rare=True)
def pages_moved(host):
    """Moves the memory of another process."""
    call(279, host["victim"], 0, None, None, None, 0)
    return "moved"


def daemon(work):
    """Runs `work` in a process that nobody waits for."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                os.write(writer, b"x")
                work()
        except OSError:
            os.write(writer, b"x")
        os._exit(0)
    os.read(reader, 1)


@probe()
def outlived(host):
    """Leaves a process behind, in a session of its own."""
    daemon(lambda: time.sleep(300))


@probe()
def outlived_deaf(host):
    """Leaves one behind that ignores signals."""

    def deaf():
        for number in set(range(1, 65)) - {9, 19, 32, 33}:
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        time.sleep(300)

    daemon(deaf)


@probe()
def outlived_stopped(host):
    """Leaves one behind that is stopped."""
    daemon(lambda: os.kill(os.getpid(), signal.SIGSTOP))


@probe()
def outlived_as_a_program(host):
    """Leaves one behind under another name."""
    daemon(lambda: os.execv("/bin/sleep", ["systemd", "300"]))


@probe()
def zombies(host):
    """Leaves dead children of dead parents behind."""

    def breed():
        for _ in range(8):
            if os.fork() == 0:
                os._exit(0)
        time.sleep(300)

    daemon(breed)


@probe()
def adopted(host):
    """Adopts orphans itself, and leaves them behind."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        libc.prctl(36, 1, 0, 0, 0)
        daemon(lambda: time.sleep(300))
        os.write(writer, b"x")
        time.sleep(300)
    os.read(reader, 1)


@probe()
def moving(host):
    """Hands its life on from process to process, so that no list of processes is right for long."""
    end = time.monotonic() + (0.05 if host["is_bare"] else 4)

    def move():
        while time.monotonic() < end:
            if os.fork() != 0:
                os._exit(0)
        # Without isolation it stays where it is at last, or nobody could tell that it lives.
        if host["is_bare"]:
            time.sleep(300)

    for _ in range(8):
        daemon(move)
    time.sleep(0.1)


@probe()
def moving_fast(host):
    """The same in machine code: fork, and the parent leaves at once."""
    import mmap

    # xor ebx, ebx; loop: mov eax, 57 (fork); syscall; test eax, eax; je loop; js loop;
    # mov eax, 231 (exit_group); xor edi, edi; syscall
    code = bytes.fromhex("b8390000000f05 85c0 74f5 78f3 b8e7000000 31ff 0f05".replace(" ", ""))
    area = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    area.write(code)
    run = ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(area)))
    if host["is_bare"]:
        # It would go on for ever.
        return "it could"
    for _ in range(4):
        daemon(run)


@probe()
def fork_by_vfork(host):
    """Leaves the child of a call that keeps its parent waiting."""
    import mmap

    # mov eax, 58 (vfork); syscall; test eax, eax; jne out; mov eax, 34 (pause); syscall; out: ret
    code = bytes.fromhex("b83a0000000f0585c07507b8220000000f05c3")
    area = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    area.write(code)
    run = ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(area)))
    daemon(run)


@probe(ends_run=True, wall=1)
def stops_itself(host):
    """Stops, so that it never ends."""
    os.kill(os.getpid(), signal.SIGSTOP)


@probe(ends_run=True, wall=1)
def stops_its_group(host):
    """Stops its whole group of processes."""
    os.kill(0, signal.SIGSTOP)


@probe(ends_run=True, wall=1)
def deaf(host):
    """Ignores every signal, closes everything and sleeps."""
    for number in set(range(1, 65)) - {9, 19, 32, 33}:
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    if not host["is_bare"]:
        os.closerange(0, 1024)
    time.sleep(300)
