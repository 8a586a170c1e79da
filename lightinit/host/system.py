"""The machine: files below a root, commands, ownership. It knows no format and no protocol.

Paths are as the VM sees them, such as ``/etc/hostname``. They are resolved below the root as
``chroot`` does, including symbolic links. In a scratch root (any root other than ``/``) nothing
outside of that root is changed, and no command is run. Work that makes sense only on the live
machine is left out there and logged.

These methods follow symbolic links, so use them only where nobody but root can write.
For files in a user's home use :mod:`lightinit.host.files.in_home`.
"""

from __future__ import annotations

import errno
import glob
import logging
import os
import stat
from typing import Any, Callable, Dict, List, Optional, Sequence

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.atomic import SCRATCH_END, make_parents, replace_file, scratch_of
from lightinit.host.attributes import keep_label
from lightinit.host.clock import Clock
from lightinit.host.command import Completed, Running, find_tool, run_command
from lightinit.host.durability import Durability
from lightinit.host.root_path import check_path, resolve, resolve_below

LOG = logging.getLogger("lightinit.system")
READ_LIMIT_BYTES = 1024 * 1024
ROOM_BYTES = 16 * 1024 * 1024  # a first boot writes much less
HINTS = {
    errno.ENOSPC: "free some space or inodes (df -h, df -i), or give the image a larger disk",
    errno.EDQUOT: "free some space or raise the quota",
    errno.EROFS: (
        "the file system must be writable on first boot; look at /etc/fstab and the kernel log"
    ),
    errno.EBUSY: (
        "something is mounted there: a file that is a mount of its own cannot be replaced; mount"
        " its folder instead"
    ),
    errno.EACCES: "run as root, or give --root a directory that you may write to",
    errno.EPERM: "run as root, or check whether the file is immutable (lsattr)",
}


class System:
    """A machine, or a directory (a scratch root) that stands for one.

    Args:
        root: ``/`` for this machine, any other directory for a scratch root.
        clock: gives the time.
        durability: makes changes survive a power cut.

    Attributes:
        live: whether the root is this machine's own.
        skipped: the work that was left out because the root is not live.
        on_command: called with (argv, seconds, exit status) after each command.
        on_progress: called with what begins now, in what may take long.
        on_network_need: called with what needs the network, before that begins; it may wait.
        remembered: what is expensive to find out and holds for this run, by a key of its finder.
    """

    def __init__(
        self,
        root: str = "/",
        clock: Optional[Clock] = None,
        durability: Optional[Durability] = None,
    ) -> None:
        self.root = os.path.realpath(str(root))
        self.live = self.root == "/"
        self.clock = clock or Clock()
        self.durability = durability or Durability()
        self.skipped: List[str] = []
        self.on_command: Optional[Callable[[Sequence[str], float, int], None]] = None
        self.on_progress: Optional[Callable[[str], None]] = None
        self.on_network_need: Optional[Callable[[str], None]] = None
        self.remembered: Dict[Any, Any] = {}

    @property
    def can_own(self) -> bool:
        """Whether the owners of files can be set: only root may do that."""
        return os.geteuid() == 0

    def need_network(self, what: str) -> None:
        """Say that ``what`` needs the network now. On a platform that needs none this waits for it,
        for some time.
        """
        if self.on_network_need is not None:
            self.on_network_need(what)

    def skip(self, what: str) -> None:
        """Log once that ``what`` was left out because this is a scratch root."""
        if what not in self.skipped:
            self.skipped.append(what)
            LOG.info("scratch root: left out: %s", what)

    # -- looking
    # ----------------------------------------------------------------------------------------------

    def path(self, name: str, follow_last: bool = True) -> str:
        """The real path of the VM's path ``name``, with links resolved inside the root.

        Args:
            name: an absolute path as the VM sees it; it need not exist.
            follow_last: whether to follow the last component, too, if it is a link.

        Raises:
            ProvisioningError: there are more than 40 links, so they form a loop; or no file can
                have that name.
        """
        check_path(name)
        if self.live:
            return resolve(name, follow_last)
        return resolve_below(self.root, name, follow_last)

    def _at(self, name: str) -> str:
        """A path by which the kernel finds ``name``. On the live machine the kernel follows the
        links by itself, which is many times faster than :meth:`path`.
        """
        if self.root != "/":
            return self.path(name)
        check_path(name)
        return name

    def exists(self, name: str) -> bool:
        """Whether ``name`` exists. A dangling link does not count, nor does a name that no file can
        have.
        """
        try:
            return os.path.exists(self._at(name))
        except ProvisioningError:
            return False

    def is_dir(self, name: str) -> bool:
        """Whether ``name`` is a directory."""
        try:
            return os.path.isdir(self._at(name))
        except ProvisioningError:
            return False

    def file_status(self, name: str) -> os.stat_result:
        """The status of ``name``; that of its target if it is a link.

        Raises:
            OSError: as from ``os.stat``.
            ProvisioningError: as from :meth:`path`.
        """
        return os.stat(self._at(name))

    def glob(self, pattern: str) -> List[str]:
        """The VM's paths that match a shell ``pattern``, sorted. Links are followed in the part of
        the pattern before the first wildcard.
        """
        fixed, rest = pattern, []
        while glob.has_magic(fixed):
            fixed, _, last = fixed.rpartition("/")
            rest.append(last)
        try:
            check_path(pattern)
            base = self.path(fixed or "/")
        except ProvisioningError:
            return []
        found = glob.glob("/".join([glob.escape(base)] + rest[::-1]))
        return sorted((fixed + found_at[len(base) :]) for found_at in found)

    def has_room(self) -> bool:
        """Whether the file systems of the root, /etc, /var/lib and /tmp have free blocks and
        inodes. Those that are read-only, such as the root of an immutable host, do not count.
        """
        for name in ("/", "/etc", "/var/lib", "/tmp"):  # noqa: S108 - only asked for its size
            try:
                found = os.statvfs(self.path(name))
            except OSError:
                continue
            if found.f_flag & os.ST_RDONLY:
                continue
            no_files = found.f_files > 0 and found.f_ffree == 0  # btrfs does not count them
            if no_files or found.f_bfree * found.f_frsize < ROOM_BYTES:
                return False
        return True

    def list_dir(self, name: str) -> List[str]:
        """The names in a directory, sorted; none if it is missing or not a directory."""
        try:
            return sorted(os.listdir(self._at(name)))
        except (FileNotFoundError, NotADirectoryError, ProvisioningError):
            return []

    def read(self, name: str, limit_bytes: int = READ_LIMIT_BYTES) -> bytes:
        """The content of the regular file ``name``. Never blocks on a FIFO or a device.

        Raises:
            OSError: as from ``open``; FileNotFoundError if it is missing.
            MalformedError: it is not a regular file, or is larger than ``limit_bytes``; or no file
                can have that name.
        """
        try:
            path = self._at(name)
            held = self.durability.find_held(name, self.path)
        except ProvisioningError as error:
            raise MalformedError(error.reason, **error.details) from error
        if held is not None:
            return held
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb", closefd=True) as handle:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
                raise MalformedError("not a regular file", path=name)
            data = handle.read(limit_bytes + 1)
        if len(data) > limit_bytes:
            raise MalformedError("file is too large", path=name, limit_bytes=limit_bytes)
        return data

    def read_text(self, name: str, default: str = "") -> str:
        """The text of ``name`` (UTF-8, bad bytes replaced), or ``default`` if it cannot be
        read.
        """
        try:
            return self.read(name).decode("utf-8", "replace")
        except (OSError, MalformedError):
            return default

    # -- changing
    # ----------------------------------------------------------------------------------------------

    def write(
        self,
        name: str,
        data: bytes,
        mode: int = 0o644,
        uid: int = 0,
        gid: int = 0,
        durable: bool = True,
        follow_last: bool = True,
        waits: bool = False,
        held: bool = False,
    ) -> None:
        """Replace the whole file ``name``. The new file gets its mode and owner before its name.

        A reader sees the old file or the new one, never a part, even after a power cut. On a live
        root the file keeps its SELinux label. Missing parent directories are made (0755).

        Args:
            name: the VM's path.
            data: the whole content.
            mode: permission bits; the umask does not apply.
            uid: numeric owner. If owners cannot be set, this is left out and logged.
            gid: numeric group, likewise.
            durable: False leaves out the sync, for files that are needed only in this boot.
            follow_last: if the file is a link: True replaces its target, as administrators expect
                in /etc; False replaces the link, for lightinit's own files.
            waits: the file may be empty or cut short after a power cut before the next barrier
                (:mod:`lightinit.host.durability`), since a damaged one counts as none.
            held: the file says that work is done. So it gets its name only when the files of that
                work are durable; :meth:`read` knows it at once.

        Raises:
            ProvisioningError: it could not be written. The old file stays.
        """
        path = self.path(name, follow_last)
        owner = None
        if self.can_own:
            owner = (uid, gid)
        durability = self.durability if durable else None
        try:
            make_parents(os.path.dirname(path), durability)
            self.durability.drop(path)
            replace_file(path, data, mode, owner, durability, self.live, waits, held)
        except OSError as error:
            raise _cannot("file cannot be written", name, error) from error
        if not self.can_own:
            self.skip("ownership of files")

    def make_dir(self, name: str, mode: int = 0o755) -> None:
        """Make the directory ``name`` and its missing parents, and give it ``mode``.

        Raises:
            ProvisioningError: it could not be made.
        """
        path = self.path(name)
        try:
            make_parents(path, self._durability_of(name))
            if stat.S_IMODE(os.stat(path).st_mode) != mode:
                os.chmod(path, mode)
        except OSError as error:
            raise _cannot("directory cannot be made", name, error) from error

    def _durability_of(self, name: str) -> Optional[Durability]:
        """None for /run, which a restart empties."""
        if name.startswith("/run/"):
            return None
        return self.durability

    def remove(self, name: str) -> bool:
        """Remove the file or link ``name``, never a directory. Returns whether it existed.

        Raises:
            ProvisioningError: it exists and could not be removed.
        """
        try:
            path = self.path(name, follow_last=False)
            if self.durability.drop(path) and not os.path.lexists(path):
                return True
            os.unlink(path)
            return True
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            if not os.path.lexists(self.path(name, follow_last=False)):
                return False  # on a read-only file system, the kernel may say that first
            raise _cannot("file cannot be removed", name, error) from error

    def remove_tree(self, name: str) -> bool:
        """Remove ``name`` and everything below it, without following links. Returns whether it
        existed.

        Raises:
            ProvisioningError: something could not be removed.
        """
        path = self.path(name, follow_last=False)
        if os.path.islink(path) or not os.path.isdir(path):
            return self.remove(name)
        import shutil

        try:
            shutil.rmtree(path)
        except OSError as error:
            raise _cannot("directory cannot be removed", name, error) from error
        return True

    def link(self, name: str, target: str, over_file: bool = False) -> None:
        """Make ``name`` a symbolic link to ``target``, atomically.

        Args:
            name: the VM's path. A link there is replaced, not followed.
            target: the target of the link.
            over_file: whether a regular file may be replaced too.

        Raises:
            ProvisioningError: it could not be made, or ``name`` is something other than a link.
        """
        path = self.path(name, follow_last=False)
        scratch = scratch_of(path)
        try:
            make_parents(os.path.dirname(path), self.durability)
            replaceable = os.path.islink(path) or (over_file and os.path.isfile(path))
            if os.path.lexists(path) and not replaceable:
                raise FileExistsError(errno.EEXIST, "something other than a link is there", name)
            if os.path.islink(path) and os.readlink(path) == target:
                return
            if os.path.lexists(scratch):
                os.unlink(scratch)
            os.symlink(target, scratch)
            if self.live:
                keep_label(path, scratch)
            os.replace(scratch, path)
            self.durability.folder(os.path.dirname(path))
        except OSError as error:
            raise _cannot("link cannot be made", name, error) from error

    def make_durable(self, near: str = "") -> None:
        """Wait until all that was written survives a power cut. Before :meth:`Durability.defer` it
        does already.

        Args:
            near: an existing path, if only its file system matters now.

        Raises:
            ProvisioningError: it does not.
        """
        try:
            self.durability.barrier(near and self.path(near))
        except OSError as error:
            raise cannot_sync(error) from error

    def list_held(self, folder: str) -> List[str]:
        """The names of the files in ``folder`` that are held, see :meth:`write`; also those that
        another process held when it was killed.
        """
        return [
            name[1 : -len(SCRATCH_END)]
            for name in self.list_dir(folder)
            if name.startswith(".") and name.endswith(SCRATCH_END)
        ]

    def read_held(self, name: str) -> bytes:
        """The content of a file that is held.

        Raises:
            OSError: there is none, or it cannot be read.
        """
        return self.read(scratch_of(name))

    def adopt(self, names: Sequence[str]) -> None:
        """Make the files durable that a killed process held, and all that it has written.

        Raises:
            ProvisioningError: they are not.
        """
        real = [self.path(name, follow_last=False) for name in names]
        try:
            self.durability.adopt({path: scratch_of(path) for path in real})
        except OSError as error:
            raise cannot_sync(error) from error

    # -- running
    # ----------------------------------------------------------------------------------------------

    def tool(self, name: str) -> Optional[str]:
        """The path of the command ``name``, or None if the host lacks it or this is a scratch
        root.
        """
        if not self.live:
            return None
        return find_tool(name)

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        """Run a command without a shell, in the C locale, with our own PATH. Wait for its end.

        Args:
            argv: the command, as :meth:`tool` returned it, and its arguments. They must have no
                secret, since every user can read them.
            stdin: its standard input, which may be a secret.
            timeout_s: seconds after which it is killed.

        Raises:
            ProvisioningError: it could not be started, was killed at the time limit, or this is a
                scratch root.
        """
        if not self.live:
            raise ProvisioningError("commands are not run in a scratch root", command=argv[0])
        started_s = self.clock.monotonic()
        ended = run_command(argv, stdin, timeout_s)
        if self.on_command is not None:
            self.on_command(argv, self.clock.monotonic() - started_s, ended.returncode)
        return ended

    def begin(self, argv: Sequence[str]) -> Running:
        """Start a command as :meth:`run` does, but do not wait. The caller waits or kills it.

        Raises:
            ProvisioningError: it could not be started, or this is a scratch root.
        """
        if not self.live:
            raise ProvisioningError("commands are not run in a scratch root", command=argv[0])
        return Running(argv)

    def wait_for(self, running: Running, timeout_s: float) -> Completed:
        """Wait for a command that :meth:`begin` has started.

        Raises:
            ProvisioningError: it was killed at the time limit, seconds from now.
        """
        started_s = self.clock.monotonic()
        ended = running.end(timeout_s)
        if self.on_command is not None:
            self.on_command(running.argv, self.clock.monotonic() - started_s, ended.returncode)
        return ended

    def run_checked(
        self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0
    ) -> Completed:
        """As :meth:`run`, but the exit status must be 0.

        Raises:
            ProvisioningError: as :meth:`run`, or it ended with another status.
        """
        ended = self.run(argv, stdin, timeout_s)
        if not ended.ok:
            raise ProvisioningError(
                "command failed",
                command=os.path.basename(argv[0]),
                status=ended.returncode,
                said=ended.last_words,
            )
        return ended


def cannot_sync(error: OSError) -> ProvisioningError:
    """The error for what a barrier raised."""
    return _cannot("files did not reach the disk", error.filename or "", error)


def _cannot(reason: str, name: str, error: OSError) -> ProvisioningError:
    details = {"path": name, "error": error.strerror or str(error)}
    if error.errno in HINTS:
        details["hint"] = HINTS[error.errno]
    return ProvisioningError(reason, **details)
