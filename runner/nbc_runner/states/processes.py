"""Forks as the kernel sees them: their end, their memory, their time, and what they leave behind."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import tempfile

# Bytes that a state may take beside those of the run; more, where the limit of the notebook leaves more.
LEAST_MEMORY = 256 << 20
# Seconds without any work, beside twice what the cells took in the run, after which a fork waits for a lost thread.
PATIENCE = 2
# Processes that states may leave behind before no other state starts beside them.
FEW_ORPHANS = 16


def end_group(pid: int) -> None:
    """Ends a fork, and with it whatever it started."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except OSError:
            pass
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        pass


def limit_memory(more: int) -> None:
    """Lets this process have so many bytes more than it has."""
    limit_data(data() + more)


def limit_data(limit: int) -> None:
    """Lets this process have so many bytes of data."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def data() -> int:
    """Bytes of data that this process has, as the kernel's limit counts them; very many where it does not say."""
    with open("/proc/self/status", "rb") as file:
        lines = (line.split() for line in file if line.startswith(b"VmData:"))
        return next((int(line[1]) << 10 for line in lines), 1 << 60)


def resident() -> int:
    """Bytes of this process that are in memory."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def ticks(pid: int) -> int | None:
    """CPU time of a process, in ticks; `None` while it has children."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:
            if file.read(1):
                return None
        with open(f"/proc/{pid}/stat", "rb") as file:
            return sum(map(int, file.read().rpartition(b")")[2].split()[11:15]))
    except (OSError, ValueError):
        return None


class Leftovers:
    """Files and processes that states leave behind, against those that were there before the first one."""

    def __init__(self) -> None:
        self._room, self._temporary, self._orphans = _room(), _temporary(), _orphans()

    def are_many(self) -> bool:
        """Whether states left so much behind that others have too little room."""
        return self._room - _room() > self._room // 4 or len(_orphans() - self._orphans) > FEW_ORPHANS

    def remove(self) -> None:
        """Removes new files, and processes that have lost their parent."""
        for pid in _orphans() - self._orphans:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        for name in _temporary() - self._temporary:
            path = os.path.join(tempfile.gettempdir(), name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                try:
                    os.remove(path)
                except OSError:
                    pass
        # Files that cannot be removed must not keep states waiting.
        self._room = min(self._room, _room())


def _room() -> int:
    found = os.statvfs(tempfile.gettempdir())
    return found.f_bavail * found.f_frsize


def _temporary() -> set[str]:
    try:
        return set(os.listdir(tempfile.gettempdir()))
    except OSError:
        return set()


def _orphans() -> set[int]:
    """Processes whose parent is the first one of the sandbox."""
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in (1, os.getpid()):
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    if file.read().rpartition(b")")[2].split()[1] == b"1":
                        found.add(int(name))
            except OSError:
                continue
    return found
