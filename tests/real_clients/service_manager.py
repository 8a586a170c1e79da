"""A stand-in for systemd as the init system, for one service in a namespace: it starts
systemd-networkd and restarts it.

    python3 service_manager.py RUN_FOLDER COMMAND [ARGUMENT ...]

A restart is done as the unit asks for it: the end by SIGUSR2 (``RestartKillSignal=``), and what
networkd gives into safe keeping by ``FDSTORE=1`` (from release 257 on: what it has configured) is
handed to its next process. It happens when the file RUN_FOLDER/restart appears, which the stand-in
for systemctl makes.
"""

from __future__ import annotations

import array
import os
import signal
import socket
import sys
import time
from typing import Dict, List

FIRST_FD = 3  # where sd_listen_fds(3) expects what is handed over


def read_notices(notify: socket.socket, store: Dict[str, int]) -> None:
    """Keep the file descriptors that have come by sd_notify(3)."""
    while True:
        try:
            data, ancillary, _flags, _address = notify.recvmsg(4096, socket.CMSG_SPACE(64))
        except BlockingIOError:
            return
        fields = dict(line.partition("=")[::2] for line in data.decode().split("\n"))
        for _level, _kind, content in ancillary:
            numbers = array.array("i")
            numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
            for number in numbers:
                if fields.get("FDSTORE") == "1":
                    store[fields.get("FDNAME", "stored")] = number
                else:
                    os.close(number)
        if fields.get("FDSTOREREMOVE") == "1":
            store.pop(fields.get("FDNAME", "stored"), None)


def start(argv: List[str], notify_path: str, store: Dict[str, int]) -> int:
    """Start the service with what the store holds; returns its process id."""
    pid = os.fork()
    if pid:
        return pid
    environment = dict(os.environ, NOTIFY_SOCKET=notify_path)
    if store:
        environment.update(
            LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(store)), LISTEN_FDNAMES=":".join(store)
        )
        high = [os.dup2(number, 100 + at) for at, number in enumerate(store.values())]
        for at, number in enumerate(high):
            os.dup2(number, FIRST_FD + at, inheritable=True)
    os.execvpe(argv[0], argv, environment)


def main(folder: str, *argv: str) -> None:
    """Serve until killed."""
    notify_path, request = folder + "/notify", folder + "/restart"
    store: Dict[str, int] = {}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(notify_path)
        os.chmod(notify_path, 0o666)
        notify.setblocking(False)
        pid = start(list(argv), notify_path, store)
        while True:
            time.sleep(0.02)
            read_notices(notify, store)
            if os.path.exists(request):
                os.unlink(request)
                os.kill(pid, signal.SIGUSR2)
                os.waitpid(pid, 0)
                read_notices(notify, store)
                pid = start(list(argv), notify_path, store)


if __name__ == "__main__":
    main(*sys.argv[1:])
