"""The host that the probes attack, and its witness.

`host.py FOLDER PROGRAM [ARGUMENT...]` makes files, servers, a process and a terminal that a notebook has no
business with, starts PROGRAM (the suite's stand-in for nbc) so that it has everything a process can pass
on, and then answers its questions on the socket `questions`, as JSON: `where` with the places of all that,
`check` with the harm done since the last check.
"""

import ctypes
import fcntl
import json
import os
import pty
import secrets
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
CONTENT = "1,2\n"


class Host:
    def __init__(self, folder):
        self.folder = folder
        self.canary = "canary-" + secrets.token_hex(8)
        self.harm = set()
        for name in ["home", "shared", "visible"]:
            os.makedirs(f"{folder}/{name}")
        os.chmod(f"{folder}/shared", 0o777)
        os.chmod(f"{folder}/visible", 0o755)
        self.write("home/secret", self.canary + "\n", 0o600)
        self.write("visible/data.csv", CONTENT, 0o644)
        os.symlink(f"{folder}/home/secret", f"{folder}/visible/link")
        self.write("shared/writable", CONTENT, 0o666)
        os.mkfifo(f"{folder}/shared/pipe")
        os.chmod(f"{folder}/shared/pipe", 0o666)
        self.pipe = os.open(f"{folder}/shared/pipe", os.O_RDWR | os.O_NONBLOCK)
        self.write("shared/group", "of the group\n", 0o640)
        if os.getuid() == 0:
            os.chown(f"{folder}/shared/group", 2, 4)
        self.shared_memory = f"/dev/shm/nbc-attack-host-{os.getpid()}"
        with open(self.shared_memory, "w") as file:
            file.write(self.canary)
        self.segment = self.make_segment()
        self.servers()
        master, slave = pty.openpty()
        os.set_blocking(master, False)
        self.master, self.slave = master, slave
        self.terminal = os.ttyname(slave)
        signal.signal(signal.SIGURG, lambda *_: self.harm.add("a signal came"))
        signal.siginterrupt(signal.SIGURG, False)
        self.victim = None
        self.new_victim()
        self.before = self.state()
        threading.Thread(target=self.watch_locks, daemon=True).start()

    def write(self, name, text, mode):
        path = f"{self.folder}/{name}"
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        os.utime(path, (1_600_000_000, 1_600_000_000))

    def make_segment(self):
        segment = libc.shmget(0, 4096, 0o1666)
        libc.shmat.restype = ctypes.c_void_p
        address = libc.shmat(segment, None, 0)
        ctypes.memmove(address, self.canary.encode() + b"\0", len(self.canary) + 1)
        # It can be attached for as long as somebody has it attached, and then it goes.
        libc.shmctl(segment, 0, None)
        return segment

    def servers(self):
        self.listeners, self.receivers = [], []

        def listen(family, address):
            listener = socket.socket(family, socket.SOCK_STREAM)
            listener.bind(address)
            listener.listen(64)
            self.listeners.append(listener)
            return listener

        def receive(family, address):
            receiver = socket.socket(family, socket.SOCK_DGRAM)
            receiver.bind(address)
            receiver.setblocking(False)
            self.receivers.append(receiver)
            return receiver

        self.tcp = listen(socket.AF_INET, ("127.0.0.1", 0)).getsockname()[1]
        try:
            self.tcp6 = listen(socket.AF_INET6, ("::1", 0)).getsockname()[1]
        except OSError:
            self.tcp6 = 0
        self.udp = receive(socket.AF_INET, ("127.0.0.1", 0)).getsockname()[1]
        self.abstract, self.abstract_log = f"nbc-attack-{os.getpid()}", f"nbc-attack-log-{os.getpid()}"
        listen(socket.AF_UNIX, "\0" + self.abstract)
        receive(socket.AF_UNIX, "\0" + self.abstract_log)
        for name in ["shared/socket", "visible/socket"]:
            listen(socket.AF_UNIX, f"{self.folder}/{name}")
            os.chmod(f"{self.folder}/{name}", 0o777)
        receive(socket.AF_UNIX, f"{self.folder}/shared/log")
        os.chmod(f"{self.folder}/shared/log", 0o777)
        for listener in self.listeners:
            threading.Thread(target=self.serve, args=(listener,), daemon=True).start()

    def serve(self, listener):
        while True:
            connection, _ = listener.accept()
            self.harm.add(f"a connection to {listener.getsockname()}")
            with connection:
                try:
                    connection.sendall(self.canary.encode())
                except OSError:
                    pass

    def new_victim(self):
        if self.victim:
            self.victim.kill()
            self.victim.wait()
        self.victim = subprocess.Popen(
            ["/bin/sleep", "86399"],
            env={"SECRET": self.canary},
            cwd=f"{self.folder}/home",
            stdin=open(f"{self.folder}/home/secret"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            # It goes with this process, however that ends.
            preexec_fn=lambda: libc.prctl(1, int(signal.SIGKILL)),
        )
        while b"sleep" not in open(f"/proc/{self.victim.pid}/cmdline", "rb").read():
            time.sleep(0.001)

    def state(self):
        """All that no notebook may change."""
        pid = self.victim.pid
        found = {}
        for name in ["shared/writable", "visible/data.csv", "home/secret"]:
            try:
                it = os.lstat(f"{self.folder}/{name}")
                found[name] = [it.st_mode, it.st_uid, it.st_size, it.st_mtime, it.st_nlink]
            except OSError as error:
                found[name] = str(error)
        for name in ["shared", "visible", "home"]:
            found[name + "/"] = sorted(os.listdir(f"{self.folder}/{name}"))
        try:
            stat = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
            # It sleeps, runs, or waits for a page of its program: none is an attack's work.
            found["state of the victim"] = "alive" if stat[0] in "RSD" else stat[0]
            found["priority"] = os.getpriority(os.PRIO_PROCESS, pid)
            found["disk priority"] = libc.syscall(252, 1, pid)
            found["processors"] = sorted(os.sched_getaffinity(pid))
            found["schedule"] = os.sched_getscheduler(pid)
            found["limits"] = open(f"/proc/{pid}/limits").read()
            found["oom"] = open(f"/proc/{pid}/oom_score_adj").read()
            found["own priority"] = os.getpriority(os.PRIO_PROCESS, 0)
        except OSError as error:
            found["victim"] = str(error)
        return found

    def watch_locks(self):
        """Does what tools of the user do: locks, opens for writing, and watches folders."""
        path = f"{self.folder}/visible/data.csv"
        while True:
            time.sleep(0.01)
            try:
                file = os.open(path, os.O_RDWR | os.O_NONBLOCK)
            except OSError as error:
                self.harm.add(f"opening waits: {error.strerror}")
                continue
            for lock in (fcntl.flock, fcntl.lockf):
                try:
                    lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    lock(file, fcntl.LOCK_UN)
                except OSError:
                    self.harm.add(f"somebody holds a lock ({lock.__name__})")
            os.close(file)
            watch = libc.inotify_init()
            if watch < 0:
                self.harm.add("no watch on folders can be had")
            else:
                os.close(watch)

    def check(self):
        for receiver in self.receivers:
            try:
                self.harm.add(f"a datagram came: {receiver.recv(100)!r}")
            except BlockingIOError:
                pass
        for what, file in [("a pipe", self.pipe), ("a terminal", self.master)]:
            try:
                self.harm.add(f"{what} got {os.read(file, 1000)!r}")
            except BlockingIOError:
                pass
        now = self.state()
        self.harm |= {f"{key}: {now.get(key)}" for key in self.before if now.get(key) != self.before[key]}
        harm, self.harm = sorted(self.harm), set()
        if now != self.before:
            self.repair()
        return harm

    def repair(self):
        os.setpriority(os.PRIO_PROCESS, 0, 0) if os.getuid() == 0 else None
        for name in ["shared", "visible"]:
            for entry in os.scandir(f"{self.folder}/{name}"):
                if entry.name not in self.before[name + "/"]:
                    os.rmdir(entry) if entry.is_dir() else os.unlink(entry)
        for name, mode in [("shared/writable", 0o666), ("visible/data.csv", 0o644)]:
            if os.path.exists(f"{self.folder}/{name}"):
                os.unlink(f"{self.folder}/{name}")
            self.write(name, CONTENT, mode)
        self.new_victim()
        self.before = self.state()

    def coordinates(self, nbc):
        at = self.folder
        return {
            "folder": at, "home": f"{at}/home", "secret": f"{at}/home/secret", "shared": f"{at}/shared",
            "writable": f"{at}/shared/writable", "pipe": f"{at}/shared/pipe", "socket": f"{at}/shared/socket",
            "log": f"{at}/shared/log", "group_file": f"{at}/shared/group", "canary": self.canary,
            "terminal": self.terminal, "segment": self.segment, "shared_memory": self.shared_memory,
            "tcp": self.tcp, "tcp6": self.tcp6, "udp": self.udp, "abstract": self.abstract,
            "abstract_log": self.abstract_log, "victim": self.victim.pid, "witness": os.getpid(), "nbc": nbc,
            "nbc_folder": at,
        }  # fmt: skip

    def start(self, command):
        """Starts the stand-in for nbc with everything that a process can pass on."""
        pid = os.fork()
        if pid:
            return pid
        os.setsid()
        fcntl.ioctl(self.slave, 0x540E, 0)
        secret = os.open(f"{self.folder}/home/secret", os.O_RDONLY)
        os.dup2(secret, 7, inheritable=True)
        os.dup2(self.slave, 0)
        os.umask(0)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        os.chdir(self.folder)
        os.execve(command[0], command, {**os.environ, "NBC_SECRET": self.canary})

    def close(self):
        self.victim.kill()
        os.unlink(self.shared_memory)


def main():
    host = Host(sys.argv[1])
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{sys.argv[1]}/questions")
    listener.listen()
    nbc = host.start(sys.argv[2:])
    with listener.accept()[0].makefile("rw") as questions:
        for question in questions:
            answer = host.coordinates(nbc) if question == "where\n" else host.check()
            questions.write(json.dumps(answer) + "\n")
            questions.flush()
    _, status = os.waitpid(nbc, 0)
    host.close()
    sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)


if __name__ == "__main__":
    main()
