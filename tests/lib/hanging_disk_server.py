"""A disk that hangs: a loop device over a file whose reads are never answered, once they come to a
certain byte.

Run as root, in a mount namespace of its own: ``hanging_disk_server.py IMAGE HANGS_FROM_BYTE``. The
file lies in a file system that this program serves itself (FUSE), so whoever reads the device waits
in the kernel. It prints the loop device and goes on until its standard input ends; then every read
that waits fails, and nothing is left.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
import sys

from tests.lib import loops

LOOKUP, FORGET, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT, BATCH_FORGET = (
    1,
    2,
    3,
    14,
    15,
    18,
    25,
    26,
    42,
)
# length, opcode, unique, node, uid, gid, pid, padding (linux/fuse.h)
HEAD = struct.Struct("=IIQQIIII")
ROOT, FILE = 1, 2
POINT = "/mnt"


class Disk:
    def __init__(self, image: str, hangs_from: int) -> None:
        with open(image, "rb") as handle:
            self.data = handle.read()
        self.hangs_from = hangs_from
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = "fd=%d,rootmode=40000,user_id=0,group_id=0" % self.device
        libc = ctypes.CDLL(None, use_errno=True)
        if (
            libc.mount(b"hanging", POINT.encode(), b"fuse", ctypes.c_ulong(0), options.encode())
            != 0
        ):
            raise OSError(ctypes.get_errno(), "mount fuse")

    def attributes(self, node: int) -> bytes:
        size, mode = (len(self.data), 0o100600) if node == FILE else (0, 0o40700)
        return struct.pack(
            "=QQQQQQIIIIIIIIII",
            node,
            size,
            size // 512,
            0,
            0,
            0,
            0,
            0,
            0,
            mode,
            1,
            0,
            0,
            0,
            4096,
            0,
        )

    def serve(self) -> None:
        """Answer one request, or leave it for ever."""
        request = os.read(self.device, 1024 * 1024 + 4096)
        _, opcode, unique, node, _, _, _, _ = HEAD.unpack_from(request)
        body = request[HEAD.size :]
        error, reply = 0, b""
        if opcode in (FORGET, BATCH_FORGET):
            return
        if opcode == INIT:
            reply = struct.pack("=IIIIHHII", 7, 31, 65536, 0, 12, 9, 65536, 1) + bytes(36)
        elif opcode == LOOKUP:
            reply = struct.pack("=QQQQII", FILE, 0, 3600, 3600, 0, 0) + self.attributes(FILE)
        elif opcode == GETATTR:
            reply = struct.pack("=QII", 3600, 0, 0) + self.attributes(node)
        elif opcode == OPEN:
            reply = struct.pack("=QII", 0, 0, 0)
        elif opcode == READ:
            offset, size = struct.unpack_from("=QI", body, 8)
            if offset + size > self.hangs_from:
                return
            reply = self.data[offset : offset + size]
        elif opcode not in (RELEASE, FLUSH):
            error = -errno.ENOSYS
        os.write(self.device, struct.pack("=IiQ", 16 + len(reply), error, unique) + reply)


def main() -> None:
    disk = Disk(sys.argv[1], int(sys.argv[2]))
    # The file is opened by another process: this one must be free to answer.
    child = os.fork()
    if not child:
        os.close(disk.device)
        try:
            print(loops.attach(POINT + "/disk", "--read-only"), flush=True)
        finally:
            os._exit(0)
    while True:
        readable, _, _ = select.select([disk.device, 0], [], [], 0.1)
        if disk.device in readable:
            disk.serve()
        if 0 in readable and not os.read(0, 1):
            break
    os.close(disk.device)  # from now on everything that waits fails
    os.waitpid(child, 0)


if __name__ == "__main__":
    main()
