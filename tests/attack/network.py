"""Reaching anybody over a socket."""

import fcntl
import os
import socket
import struct

from probe import CAPABILITY, call, probe

# Seconds in which a host answers, however busy it is.
PATIENCE = 10


def told(host, connection):
    """Evidence of a connection: `host.py` greets with the canary."""
    connection.settimeout(PATIENCE)
    return connection.recv(100).decode() or None


@probe()
def tcp(host):
    """Connects to a server on the loopback address."""
    return told(host, socket.create_connection(("127.0.0.1", host["tcp"]), 2))


@probe(is_rare=True)
def tcp6(host):
    """Connects over IPv6."""
    if not host["tcp6"]:
        raise OSError(97, "no IPv6 here")
    return told(host, socket.create_connection(("::1", host["tcp6"]), 2))


@probe()
def udp(host):
    """Sends a datagram, as to a name server."""
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", host["udp"]))
    return "sent"


@probe(is_rare=True)
def multipath_tcp(host):
    """Connects over multipath TCP, which Landlock's TCP rights leave out."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
    connection.settimeout(PATIENCE)
    connection.connect(("127.0.0.1", host["tcp"]))
    return told(host, connection)


@probe()
def server(host):
    """Listens on a port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return f"port {listener.getsockname()[1]}"


@probe()
def fast_open(host):
    """Connects by sending."""
    connection = socket.socket()
    connection.settimeout(PATIENCE)
    connection.sendto(b"x", 0x20000000, ("127.0.0.1", host["tcp"]))
    return told(host, connection)


def unix(kind, address):
    connection = socket.socket(socket.AF_UNIX, kind)
    connection.settimeout(PATIENCE)
    connection.connect(address)
    return connection


@probe()
def abstract_socket(host):
    """Connects to a socket of the host by its abstract name."""
    return told(host, unix(socket.SOCK_STREAM, "\0" + host["abstract"]))


@probe()
def socket_by_path(host):
    """Connects to a socket of the host by its path."""
    return told(host, unix(socket.SOCK_STREAM, host["socket"]))


@probe()
def visible_socket(host):
    """Connects to a socket in a folder that it may read."""
    return told(host, unix(socket.SOCK_STREAM, host["visible"] + "/socket"))


@probe()
def datagram_by_path(host):
    """Sends a datagram to a socket of the host, as to its log."""
    unix(socket.SOCK_DGRAM, host["log"]).send(b"forged entry")
    return "sent"


@probe()
def datagram_of_a_pair(host):
    """Sends from one of a pair of sockets to somebody else's."""
    one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.sendto(b"forged entry", host["log"])
    return "sent"


@probe()
def message_of_a_pair(host):
    """The same, with the address where no filter can read it."""
    one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.sendmsg([b"forged entry"], [], 0, host["log"])
    return "sent"


@probe()
def raw_message_of_a_pair(host):
    """The same, with the type of socket that the kernel turns into a datagram socket."""
    one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_RAW)
    one.sendmsg([b"forged entry"], [], 0, host["log"])
    return "sent"


@probe()
def abstract_datagram_of_a_pair(host):
    """Sends from one of a pair of sockets to an abstract name."""
    one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.sendto(b"x", "\0" + host["abstract_log"])
    return "sent"


@probe()
def name_of_its_own(host):
    """Takes an abstract name that a service of the host may want."""
    one = socket.socket(socket.AF_UNIX)
    name = host["abstract"] + "-taken"
    one.bind("\0" + name)
    # In a network of its own the name is nobody else's.
    return name if not one.getsockname() or "nbc" not in os.uname().nodename and in_hosts_network(host) else None


def in_hosts_network(host):
    try:
        return f"@{host['abstract']}\n" in open("/proc/net/unix").read()
    except OSError:
        return False


@probe()
def interfaces(host):
    """Asks any socket for the host's addresses."""
    one, _ = socket.socketpair()
    buffer = bytearray(4096)
    import array
    area = array.array("B", buffer)
    request = struct.pack("iL", len(buffer), area.buffer_info()[0])
    answer = fcntl.ioctl(one, 0x8912, request)
    size = struct.unpack("iL", answer)[0]
    names = {bytes(area[at : at + 16]).split(b"\0")[0].decode() for at in range(0, size, 40)}
    return str(names) if names else None


@probe(CAPABILITY)
def raw(host):
    """Makes a raw socket."""
    return f"descriptor {socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).fileno()}"


@probe(CAPABILITY, is_rare=True)
def packets(host):
    """Listens to every packet of the machine."""
    return f"descriptor {socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x300).fileno()}"


@probe()
def netlink(host):
    """Talks to the kernel's network configuration."""
    return f"descriptor {socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).fileno()}"


@probe(is_rare=True)
def virtual_machine(host):
    """Talks to the hypervisor."""
    return f"descriptor {socket.socket(40, socket.SOCK_STREAM).fileno()}"


@probe(is_rare=True)
def bluetooth(host):
    """Talks over Bluetooth."""
    return f"descriptor {socket.socket(31, socket.SOCK_RAW, 1).fileno()}"


@probe(is_rare=True)
def crypto(host):
    """Uses the kernel's cryptography, which had holes."""
    return f"descriptor {socket.socket(38, socket.SOCK_SEQPACKET).fileno()}"


@probe()
def other_families(host):
    """Tries every other family of sockets."""
    for family in range(1, 46):
        if family in (1, 2, 10):
            continue
        for kind in (1, 2, 3, 5):
            try:
                return f"family {family}: {call(41, family, kind, 0)}"
            except OSError:
                pass


@probe()
def pair_of_another_family(host):
    """Makes a pair of sockets of another family, which goes around the call `socket`."""
    pair = struct.pack("ii", 0, 0)
    for family in (2, 10, 30):
        try:
            return f"{call(53, family, 1, 0, pair)}"
        except OSError as error:
            if error.errno not in (1, 38, 13):
                return f"family {family} was asked: {error.strerror}"
