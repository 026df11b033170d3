"""Traces of a run outside of its memory: files, open files, shared memory.

A fork has its own memory, but writes into the same files as all others, and reads on where another one left off.
"""

from __future__ import annotations

import os
import stat
import tempfile
from typing import TYPE_CHECKING

from nbc_runner.protocol.constants import constants

if TYPE_CHECKING:
    from typing import TypeAlias

    # Size, time and number of a file; nothing for a folder.
    Told: TypeAlias = tuple[int, int, int] | None

# Entries of the folders that are looked at. Where there are more nothing is watched: what a look leaves out must not
# be taken for new by the next one, and removed.
MOST_ENTRIES = 5000
# Names of what libraries keep for the next time; it says nothing about the notebook.
CACHES = (".", "fontlist-", "fontconfig", "marimo", "matplotlib")
# Bytes of files that are kept to be put back.
MOST_BYTES = 64 << 20


class Traces:
    """Files of the folders that a run can write to, as they are now.

    What the host changes in the folder of the notebook meanwhile is taken for the run's: it is put back in the
    overlay, which the host does not see.
    """

    def __init__(self, keep: bool = True) -> None:
        temporary = os.path.realpath(tempfile.gettempdir())
        here = os.path.realpath(os.getcwd())
        if here == constants.notebook_folder:
            self.folders = {temporary, "/dev/shm", here}
        else:
            # Nothing of this is the notebook's alone but a folder that nbc made for it.
            self.folders = {temporary} if os.path.basename(temporary).startswith("nbc-") else set()
        self.entries = self._look()
        self.contents: dict[str, bytes] = {}
        # Whether all of it can be put back.
        self.is_whole = True
        if keep:
            self._keep()

    def _look(self) -> dict[str, Told]:
        """By path, what tells one state of a file from another."""
        found: dict[str, Told] = {}
        self.visited = 0
        # The last one first: the folder of the notebook may hold very many files that are none of the run's.
        open_folders = sorted(self.folders, key=lambda it: (it != constants.notebook_folder, it))
        while open_folders and self.visited <= MOST_ENTRIES:
            try:
                with os.scandir(open_folders.pop()) as entries:
                    for entry in entries:
                        self.visited += 1
                        if self.visited > MOST_ENTRIES:
                            break
                        if entry.name.startswith(CACHES):
                            continue
                        it = entry.stat(follow_symlinks=False)
                        if stat.S_ISDIR(it.st_mode):
                            found[entry.path] = None
                            open_folders.append(entry.path)
                        elif stat.S_ISREG(it.st_mode):
                            found[entry.path] = (it.st_size, it.st_mtime_ns, it.st_ino)
            except OSError:
                continue
        return found if self.visited <= MOST_ENTRIES else {}

    def _keep(self) -> None:
        left = MOST_BYTES
        for path, told in self.entries.items():
            if told is None:
                continue
            if told[0] > left:
                self.is_whole = False
                continue
            try:
                with open(path, "rb") as file:
                    self.contents[path] = file.read(left)
                left -= told[0]
            except OSError:
                self.is_whole = False

    def are_there(self) -> bool:
        """Whether all is as it was."""
        return self._look() == self.entries

    def restore(self) -> None:
        """Makes all as it was: removes what is new, and writes what changed or is gone."""
        now = self._look()
        for path in sorted(now.keys() - self.entries.keys(), reverse=True):
            _remove(path, now[path] is None)
        for path, told in sorted(self.entries.items()):
            if now.get(path, ()) == told:
                continue
            try:
                if told is None:
                    os.makedirs(path, exist_ok=True)
                elif path in self.contents:
                    if path not in now:
                        # There stands something that is no file: writing must not follow it.
                        _remove(path, False)
                    with open(path, "wb") as file:
                        file.write(self.contents[path])
                    os.utime(path, ns=(told[1], told[1]))
            except OSError:
                continue
        # Files that were written anew have other numbers.
        self.entries = self._look()


def _remove(path: str, is_folder: bool) -> None:
    try:
        os.rmdir(path) if is_folder else os.unlink(path)
    except OSError:
        pass


def shares_memory() -> bool:
    """Whether this process has memory that forks share with each other; semaphores hold no data."""
    with open("/proc/self/maps", "rb") as file:
        return any(line.split(b" ", 2)[1] == b"rw-s" and b"/sem." not in line for line in file)


def open_files(others: set[int]) -> list[tuple[int, int, int]]:
    """Open regular files but `others`: descriptor, flags, and offset."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor in others:
            continue
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                continue
            with open(f"/proc/self/fdinfo/{name}", "rb") as file:
                told = dict(line.split(b":", 1) for line in file if b":" in line)
            found.append((descriptor, int(told[b"flags"], 8), int(told[b"pos"])))
        except (OSError, KeyError, ValueError):
            continue
    return found


def own_files(files: list[tuple[int, int, int]]) -> None:
    """In a fork: opens files again, since all forks together would have one offset."""
    for descriptor, flags, offset in files:
        kept = flags & (os.O_ACCMODE | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            own = os.open(f"/proc/self/fd/{descriptor}", kept)
            os.lseek(own, offset, os.SEEK_SET)
            os.dup2(own, descriptor, inheritable=not flags & os.O_CLOEXEC)
            os.close(own)
        except OSError:
            continue
