"""Reading and changing files of the host."""

import ctypes
import fcntl
import os
import stat
import struct
import time

from probe import CAPABILITY, call, probe

IN_PLACE_METADATA = "Landlock has no right for metadata: names, sizes, modes and times can be asked for"


def has(text, mark):
    return f"it says {mark}" if mark in text else None


def read(path, mark):
    with open(path, "rb") as file:
        return has(file.read(65536).decode("latin-1"), mark)


@probe(CAPABILITY)
def shadow(host):
    """Reads the password hashes."""
    return open("/etc/shadow").readline()[:4] + "..."


@probe()
def private_file(host):
    """Reads a file of the user outside of the project."""
    return read(host["secret"], host["canary"])


@probe()
def home_listed(host):
    """Lists a home folder."""
    return str(os.listdir(host["home"]))


@probe()
def temporary_folder_listed(host):
    """Lists the host's temporary folder."""
    folder, name = os.path.split(host["folder"])
    return name if name in os.listdir(folder) else None


@probe()
def file_made(host):
    """Makes a file in a folder that everybody may write to."""
    with open(host["shared"] + "/made", "w") as file:
        file.write("x")
    return file.name


@probe()
def folder_made(host):
    """Makes a folder where everybody may."""
    os.mkdir(host["shared"] + "/folder")
    return host["shared"]


@probe()
def file_appended(host):
    """Appends to a file that everybody may write to."""
    with open(host["writable"], "a") as file:
        file.write("x")
    return file.name


@probe()
def file_cut_short(host):
    """Truncates a file by its path."""
    os.truncate(host["writable"], 1)
    return host["writable"]


@probe()
def file_removed(host):
    """Removes a file."""
    os.unlink(host["writable"])
    return host["writable"]


@probe()
def file_renamed(host):
    """Renames a file."""
    os.rename(host["writable"], host["writable"] + "-away")
    return host["writable"]


@probe()
def hard_link(host):
    """Links a private file to where it may be read."""
    os.link(host["secret"], "linked")
    return read("linked", host["canary"])


@probe()
def symbolic_link(host):
    """Reads through a symbolic link of its own."""
    os.symlink(host["secret"], "pointer")
    return read("pointer", host["canary"])


@probe()
def parent_folders(host):
    """Climbs to the root with `..`."""
    return read("../" * 40 + host["secret"].lstrip("/"), host["canary"])


@probe()
def visible_parent(host):
    """Climbs out of a visible folder with `..`."""
    return read(host["visible"] + "/../home/secret", host["canary"])


@probe()
def visible_link(host):
    """Follows a link in the visible folder that leads out of it."""
    return read(host["visible"] + "/link", host["canary"])


@probe()
def own_root(host):
    """Goes through `/proc/self/root`."""
    return read("/proc/self/root" + host["secret"], host["canary"])


@probe()
def root_of_another(host):
    """Goes through the root of another process."""
    return read(f"/proc/{host['victim']}/root{host['secret']}", host["canary"])


@probe()
def folder_of_another(host):
    """Goes through the working folder of another process."""
    return read(f"/proc/{host['victim']}/cwd/secret", host["canary"])


@probe()
def descriptors_of_another(host):
    """Opens the files that another process has open."""
    return read(f"/proc/{host['victim']}/fd/0", host["canary"])


@probe()
def environment_of_another(host):
    """Reads the environment of another process."""
    return read(f"/proc/{host['victim']}/environ", host["canary"])


@probe()
def command_line_of_another(host):
    """Reads the command line of another process."""
    return read(f"/proc/{host['victim']}/cmdline", "86399")


@probe(is_rare=True)
def memory_of_another(host):
    """Reads the stack of another process through its memory file."""
    lines = open(f"/proc/{host['victim']}/maps").read().splitlines()
    area = next(it for it in lines if it.endswith("[stack]")).split()[0].split("-")
    with open(f"/proc/{host['victim']}/mem", "rb", buffering=0) as file:
        file.seek(int(area[0], 16))
        return has(file.read(int(area[1], 16) - int(area[0], 16)).decode("latin-1"), host["canary"])


@probe(CAPABILITY)
def environment_of_init(host):
    """Reads the environment of the host's first process."""
    with open("/proc/1/environ", "rb") as file:
        return f"{len(file.read())} bytes"


@probe()
def link_of_another(host):
    """Asks which program another process runs."""
    return os.readlink(f"/proc/{host['victim']}/exe")


@probe()
def path_descriptor(host):
    """Opens a folder as a path only, and a file through the link to it in `/proc`."""
    folder = os.open(host["home"], os.O_PATH)
    return read(f"/proc/self/fd/{folder}/secret", host["canary"])


@probe()
def relative_to_a_path_descriptor(host):
    """Opens a file relative to a folder that was opened as a path only."""
    folder = os.open(host["home"], os.O_PATH)
    file = os.open("secret", os.O_RDONLY, dir_fd=folder)
    return has(os.read(file, 4096).decode(), host["canary"])


@probe()
def changed_into(host):
    """Changes into a folder, and reads a file there."""
    os.chdir(host["home"])
    return read("secret", host["canary"])


@probe()
def openat2_call(host):
    """Opens with the newest form of the call."""
    how = struct.pack("QQQ", os.O_RDONLY, 0, 0)
    file = call(437, -100, host["secret"].encode(), how, len(how))
    return has(os.read(file, 4096).decode(), host["canary"])


@probe(CAPABILITY)
def file_handle(host):
    """Opens a file by its handle, past every folder above it."""
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
    mount = ctypes.c_int()
    call(303, -100, host["secret"].encode(), handle, ctypes.byref(mount), 0)
    folder = os.open(host["visible"], os.O_RDONLY)
    file = call(304, folder, handle, os.O_RDONLY)
    return has(os.read(file, 4096).decode(), host["canary"])


@probe(CAPABILITY)
def disk(host):
    """Makes a device node of the disk below the root, and reads from it."""
    major_minor = os.stat(host["folder"] if os.path.exists(host["folder"]) else "/").st_dev
    os.mknod("disk", stat.S_IFBLK | 0o600, major_minor)
    with open("disk", "rb") as file:
        return f"{len(file.read(512))} bytes"


@probe(CAPABILITY)
def memory_device(host):
    """Makes a device node of the machine's memory."""
    os.mknod("memory", stat.S_IFCHR | 0o600, os.makedev(1, 1))
    return "made"


@probe(CAPABILITY)
def devices(host):
    """Opens devices of the host."""
    names = "kmsg mem kvm fuse net/tun loop-control vda sda mapper/control uinput vhost-net".split()
    for name in names:
        try:
            os.close(os.open(f"/dev/{name}", os.O_RDONLY))
            return name
        except OSError:
            pass


@probe()
def terminal_of_another(host):
    """Writes to a terminal of the same user."""
    terminal = os.open(host["terminal"], os.O_RDWR | os.O_NOCTTY)
    os.write(terminal, b"rm -rf\n")
    return host["terminal"]


@probe()
def new_terminal(host):
    """Makes a terminal, of which the host has a limited number."""
    return f"descriptor {os.open('/dev/ptmx', os.O_RDWR | os.O_NOCTTY)}"


@probe()
def named_pipe(host):
    """Writes into a named pipe."""
    pipe = os.open(host["pipe"], os.O_WRONLY | os.O_NONBLOCK)
    os.write(pipe, b"x")
    return host["pipe"]


def mode_changed(path):
    before = os.stat(path).st_mode
    os.chmod(path, 0o606)
    return f"{before:o} became {os.stat(path).st_mode:o}" if os.stat(path).st_mode != before else None


@probe()
def mode(host):
    """Changes the mode of a file of the host."""
    return mode_changed(host["writable"])


@probe()
def mode_of_a_visible_file(host):
    """Changes the mode of a file that it may read."""
    return mode_changed(host["visible"] + "/data.csv")


@probe()
def times_of_a_visible_file(host):
    """Changes the times of a file that it may read."""
    path = host["visible"] + "/data.csv"
    os.utime(path, (1, 1))
    return "it is from 1970" if os.stat(path).st_mtime == 1 else None


@probe(is_rare=True)
def attribute_of_a_visible_file(host):
    """Adds an extended attribute to a file that it may read."""
    os.setxattr(host["visible"] + "/data.csv", "user.nbc", b"x")
    return "set"


@probe(is_rare=True)
def flags_of_a_visible_file(host):
    """Sets flags of the file system on a file that is open for reading only."""
    with open(host["visible"] + "/data.csv") as file:
        flags = bytearray(8)
        fcntl.ioctl(file, 0x80086601, flags)
        value = struct.unpack("q", flags)[0]
        # 0x40: leave it out of backups.
        fcntl.ioctl(file, 0x40086602, struct.pack("q", value ^ 0x40))
    return "changed"


@probe()
def visible_file_written(host):
    """Writes to a file that it may read."""
    with open(host["visible"] + "/data.csv", "a") as file:
        file.write("x")
    return file.name


@probe()
def visible_file_replaced(host):
    """Renames a file of its own over one that it may read."""
    with open("mine", "w") as file:
        file.write("x")
    os.rename("mine", host["visible"] + "/data.csv")
    return "replaced"


@probe()
def visible_file_locked(host):
    """Holds a lock that a tool of the user waits for (nbc's own, for one)."""
    with open(host["visible"] + "/data.csv") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(0.3)


@probe(is_rare=True)
def visible_file_leased(host):
    """Takes a lease, which makes others wait at `open`."""
    with open(host["visible"] + "/data.csv") as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        time.sleep(0.3)


@probe(open_in_place="SQLite needs read locks; they last no longer than the run")
def visible_file_read_locked(host):
    """Holds a read lock, so that a program of the user cannot write."""
    with open(host["visible"] + "/data.csv") as file:
        fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        time.sleep(0.3)


@probe()
def folder_watched(host):
    """Asks for news of a folder."""
    watch = call(294, 0)
    return f"watch {call(254, watch, host['shared'].encode(), 0x100)}"


@probe(open_in_place=IN_PLACE_METADATA)
def metadata(host):
    """Asks how large a private file is."""
    return f"{os.stat(host['secret']).st_size} bytes"


@probe(open_in_place=IN_PLACE_METADATA)
def names_guessed(host):
    """Finds out whether a file exists."""
    return "it does" if os.path.exists(host["home"]) else None


@probe(CAPABILITY)
def system_written(host):
    """Makes a file among the system's programs."""
    path = f"/usr/bin/nbc-attack-{os.getpid()}"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o755))
    os.unlink(path)
    return path


@probe(CAPABILITY)
def system_changed(host):
    """Opens a file of `/etc` for writing."""
    os.close(os.open("/etc/passwd", os.O_WRONLY | os.O_APPEND))
    return "opened"
