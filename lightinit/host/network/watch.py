"""Waits until a lease or an address may have appeared: for events, and by a slow poll.

There are two kinds of event: a change in the directories with leases (inotify), and a change of
addresses, links or routes (rtnetlink). If neither is available, it polls ten times a second. It
does not say what has changed. The caller checks everything again, or hands in a
:class:`lightinit.host.network.rtnetlink.Picture`, which hears the events of links and addresses.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
import struct
from typing import Any, Dict, Iterable, List, Optional, Set, Tuple

from lightinit.host.clock import Clock, begin_or_run
from lightinit.host.network.rtnetlink import NETLINK_ROUTE, RECEIVE_BYTES, Picture
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.watch")
# Some changes give no event: the file system has no inotify, or an event was lost.
COARSE_POLL_S = 1.0
FINE_POLL_S = 0.1  # if there are no events at all

IN_MODIFY, IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE = (
    0x2,
    0x8,
    0x40,
    0x80,
    0x100,
    0x200,
)
IN_DELETE_SELF, IN_MOVE_SELF, IN_IGNORED, IN_Q_OVERFLOW = 0x400, 0x800, 0x8000, 0x4000
IN_ONLYDIR, IN_MASK_ADD = 0x1000000, 0x20000000
# dhclient keeps its file open and appends to it, so IN_CLOSE_WRITE alone would never come. Other
# clients replace their files by moving new ones in.
WATCH_MASK = (
    IN_MODIFY
    | IN_CLOSE_WRITE
    | IN_MOVED_FROM
    | IN_MOVED_TO
    | IN_CREATE
    | IN_DELETE
    | IN_DELETE_SELF
    | IN_MOVE_SELF
    | IN_ONLYDIR
    | IN_MASK_ADD
)
PARENT_MASK = IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_MASK_ADD
GONE_MASK = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED
EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows (inotify(7))

RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE = 0x1, 0x10, 0x40  # rtnetlink(7)


class Watch:
    """Events on directories and on the machine's addresses, links and routes.

    It is a context manager and has two descriptors open until its end. It opens nothing before the
    first :meth:`wait`, which returns at once. So a caller that alternates between a check and a
    wait misses no event, and if the first check succeeds, no watch is set up.

    Args:
        system: the machine; the directories are below its root. With a test clock, :meth:`wait`
            calls its ``sleep`` in steps of the coarse poll instead of waiting for events.
        folders: directories as the VM sees them. A missing one is watched from its creation on.
        netlink: whether to listen for addresses, links and routes.
        inotify: whether to watch the directories.
        picture: hears the events of links and addresses.
    """

    def __init__(
        self,
        system: System,
        folders: Iterable[str],
        netlink: bool = True,
        inotify: bool = True,
        picture: Optional[Picture] = None,
    ) -> None:
        self._system = system
        self._folders = list(folders)
        self._want = (netlink, inotify)
        self._own_clock = type(system.clock) is Clock
        self._armed = False
        self._picture = picture or Picture()
        self._netlink: Optional[socket.socket] = None
        self._directories: Optional[_Directories] = None

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_exception: Any) -> None:
        self.close()

    @property
    def kinds(self) -> Tuple[str, ...]:
        """The kinds of event that are available: inotify, netlink, both or none. Known after the
        first wait.
        """
        sources = (("inotify", self._directories), ("netlink", self._netlink))
        return tuple(name for name, source in sources if source is not None)

    def wait(self, timeout_s: float) -> bool:
        """Wait until something may have changed, at most ``timeout_s`` seconds and at most one
        coarse poll (1 s).

        Returns:
            True after an event, and at the first call; False if the time is over.
        """
        if not self._armed:
            self._arm()
            return True
        if not self.kinds:
            self._system.clock.sleep(max(0.0, min(timeout_s, FINE_POLL_S)))
            return False
        step_s = max(0.0, min(timeout_s, COARSE_POLL_S))
        if not self._own_clock:
            self._system.clock.sleep(step_s)
            return self._drain(0.0)
        deadline_s = self._system.clock.monotonic() + step_s
        while True:
            left_s = deadline_s - self._system.clock.monotonic()
            if self._drain(max(0.0, left_s)):
                return True
            if left_s <= 0:
                return False

    def close(self) -> None:
        """Close the descriptors. It may be called twice."""
        if self._netlink is not None:
            self._netlink.close()
        if self._directories is not None:
            # The kernel may take some 20 ms for that, and a lease has come: nobody waits for it.
            begin_or_run("lightinit-watch", self._directories.close)
        self._netlink = self._directories = None

    def _arm(self) -> None:
        self._armed = True
        netlink, inotify = self._want
        if netlink:
            try:
                self._netlink = _netlink_socket()
                self._picture.listen()
            except (OSError, AttributeError) as error:
                LOG.info("no rtnetlink events: %s", error)
        if inotify:
            try:
                self._directories = _Directories(self._system, self._folders)
            except (OSError, ImportError, AttributeError) as error:
                LOG.info("no inotify events: %s", error)

    def _drain(self, timeout_s: float) -> bool:
        """Wait at most ``timeout_s`` seconds for an event, and read all events. Returns whether one
        of them matters.
        """
        poll = select.poll()
        if self._netlink is not None:
            poll.register(self._netlink.fileno(), select.POLLIN)
        if self._directories is not None:
            poll.register(self._directories.descriptor, select.POLLIN)
        matters = False
        for descriptor, _event in poll.poll(int(timeout_s * 1000 + 0.999)):
            if self._directories is not None and descriptor == self._directories.descriptor:
                matters = self._directories.take() or matters
            elif self._netlink is not None:
                self._hear(self._netlink)
                matters = True
        return matters

    def _hear(self, listener: socket.socket) -> None:
        """Read all events of the kernel's."""
        while True:
            try:
                self._picture.hear(listener.recv(RECEIVE_BYTES))
            except BlockingIOError:
                return
            except OSError as error:
                # ENOBUFS: the queue was full and events were lost. So there were events.
                if error.errno != errno.ENOBUFS:
                    raise
                self._picture.doubt()


def _netlink_socket() -> socket.socket:
    listener = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_ROUTE
    )
    try:
        listener.setblocking(False)
        listener.bind((0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE))
    except OSError:
        listener.close()
        raise
    return listener


class _Directories:
    """Inotify watches on directories, or on the nearest existing parents of missing ones."""

    def __init__(self, system: System, folders: List[str]) -> None:
        import ctypes

        # None stands for the libraries that Python has loaded, which include the C library. A
        # search by name would start a compiler or ldconfig.
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._errno = ctypes.get_errno
        self._system = system
        self._folders = folders
        # For each watch, the names whose events matter; "" stands for all names.
        self._wanted: Dict[int, Set[str]] = {}
        self.descriptor: int = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self.descriptor < 0:
            raise OSError(self._errno(), os.strerror(self._errno()))
        try:
            self._arm()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        os.close(self.descriptor)

    def take(self) -> bool:
        """Read all events. Returns whether one of them matters, so that the caller checks again."""
        matters = moved = False
        while True:
            try:
                data = os.read(self.descriptor, 65536)
            except BlockingIOError:
                break
            at = 0
            while at + EVENT.size <= len(data):
                watch, mask, _cookie, length = EVENT.unpack_from(data, at)
                name = os.fsdecode(data[at + EVENT.size : at + EVENT.size + length].rstrip(b"\0"))
                at += EVENT.size + length
                wanted = self._wanted.get(watch, set())
                gone = bool(mask & (GONE_MASK | IN_Q_OVERFLOW))
                matters = matters or gone or "" in wanted or name in wanted
                moved = moved or gone or name in wanted
        if moved:
            self._arm()  # a directory was made or removed: watch it, or its parent
        return matters

    def _arm(self) -> None:
        self._wanted = {}
        for folder in self._folders:
            self._arm_one(self._system.path(folder))

    def _arm_one(self, path: str) -> None:
        """Watch ``path``, or its nearest existing parent for the missing name."""
        while True:
            nearest, missing = _nearest(path)
            mask = PARENT_MASK if missing else WATCH_MASK
            watch = self._libc.inotify_add_watch(self.descriptor, os.fsencode(nearest), mask)
            if watch >= 0:
                self._wanted.setdefault(watch, set()).add(missing)
            elif self._errno() in (errno.EACCES, errno.ENOSPC, errno.ENOMEM):
                LOG.info("cannot watch %s: %s", nearest, os.strerror(self._errno()))
                return  # the coarse poll will notice changes
            if _nearest(path) == (nearest, missing):
                return
            # A directory was made or removed before the watch began: try again.


def _nearest(path: str) -> Tuple[str, str]:
    """The deepest existing directory on the path ``path``, and the missing name in it; "" if
    nothing is missing.
    """
    missing = ""
    while not os.path.isdir(path) and path != "/":
        path, _, missing = path.rpartition("/")
        path = path or "/"
    return path, missing
