"""The machine as lightinit may touch it: files below a root, commands, ownership. It knows no
format and no protocol.

Every path given here is a path as the VM sees it (``/etc/hostname``); it is looked up below the
root, symbolic links included, as ``chroot`` would. With a root other than ``/`` nothing outside
that root is changed: commands are not run and what only makes sense on the live machine is left
out, and said.

These methods follow symbolic links, so they are for places that only root can write to. What lies
in a user's home is written through :mod:`lightinit.host.files.in_home`.
"""

from __future__ import annotations

import errno
import glob
import logging
import os
import stat
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.atomic import keep_label, make_parents, replace_file, sync_dir
from lightinit.host.clock import Clock

LOG = logging.getLogger("lightinit.system")
TOOL_FOLDERS = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")
READ_LIMIT_BYTES = 1024 * 1024
MAX_LINKS = 40


@dataclass(frozen=True)
class Completed:
    """A command that has ended: its exit status (negative: the signal's number) and what it
    printed.
    """

    returncode: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether it ended with 0."""
        return self.returncode == 0

    @property
    def last_words(self) -> str:
        """The last line that it printed, standard error first: what to show when it failed."""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return lines[-1].strip() if lines else "exit status %d" % self.returncode


class System:
    """A machine, or a scratch directory that stands for one.

    Args:
        root: ``/`` for this machine; any other directory for a scratch root.
        clock: where time comes from.

    Attributes:
        live: whether the root is this machine's own.
        skipped: what was left out because the root is not live, for the log and the tests.
        on_command: called with (argv, seconds, exit status) after each command.
    """

    def __init__(self, root: str = "/", clock: Optional[Clock] = None) -> None:
        self.root = os.path.realpath(str(root))
        self.live = self.root == "/"
        self.clock = clock or Clock()
        self.skipped: List[str] = []
        self.on_command: Optional[Callable[[Sequence[str], float, int], None]] = None

    @property
    def can_own(self) -> bool:
        """Whether owners of files can be set: only root can give files away."""
        return os.geteuid() == 0

    def skip(self, what: str) -> None:
        """Say that ``what`` was left out because this is a scratch root."""
        if what not in self.skipped:
            self.skipped.append(what)
            LOG.info("scratch root: left out: %s", what)

    # -- looking
    # ----------------------------------------------------------------------------------------------

    def path(self, name: str, follow_last: bool = True) -> str:
        """Where the VM's path ``name`` really is, links resolved inside the root.

        Args:
            name: an absolute path as the VM sees it; it need not exist.
            follow_last: whether a link in the last place is followed too.

        Raises:
            ProvisioningError: more than 40 links, so surely a loop.
        """
        if self.live:
            return (
                os.path.realpath(name)
                if follow_last
                else os.path.join(os.path.realpath(os.path.dirname(name)), os.path.basename(name))
            )
        todo = [part for part in name.split("/") if part][::-1]
        done: List[str] = []
        links = 0
        while todo:
            part = todo.pop()
            if part == ".":
                continue
            if part == "..":
                del done[-1:]
                continue
            here = "/".join([self.root] + done + [part])
            if (todo or follow_last) and os.path.islink(here):
                links += 1
                if links > MAX_LINKS:
                    raise ProvisioningError("too many symbolic links", path=name)
                target = os.readlink(here)
                if target.startswith("/"):
                    done = []
                todo.extend([step for step in target.split("/") if step][::-1])
                continue
            done.append(part)
        return "/".join([self.root] + done)

    def exists(self, name: str) -> bool:
        """Whether something is at ``name``; a dangling link is nothing."""
        return os.path.exists(self.path(name))

    def is_dir(self, name: str) -> bool:
        """Whether ``name`` is a directory."""
        return os.path.isdir(self.path(name))

    def glob(self, pattern: str) -> List[str]:
        """The VM's paths that match a shell ``pattern``, sorted. Links in the pattern's fixed part
        are followed.
        """
        fixed, rest = pattern, []
        while glob.has_magic(fixed):
            fixed, _, last = fixed.rpartition("/")
            rest.append(last)
        base = self.path(fixed or "/")
        found = glob.glob("/".join([glob.escape(base)] + rest[::-1]))
        return sorted((fixed + found_at[len(base) :]) for found_at in found)

    def list_dir(self, name: str) -> List[str]:
        """The names in a directory, sorted; none when it is missing or no directory."""
        try:
            return sorted(os.listdir(self.path(name)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def read(self, name: str, limit_bytes: int = READ_LIMIT_BYTES) -> bytes:
        """The content of the regular file ``name``. Never blocks on a FIFO or a device.

        Raises:
            OSError: as ``open`` does; FileNotFoundError when it is missing.
            MalformedError: it is no regular file, or larger than ``limit_bytes``.
        """
        descriptor = os.open(self.path(name), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
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
        """The text of ``name`` (UTF-8, bad bytes replaced), or ``default`` when it cannot be read
        at all.
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
    ) -> None:
        """Replace the file ``name`` as a whole, with its mode and owner already set; on a live root
        its label stays.

        A reader, and whoever looks after a power cut, sees the old file or the new one, never a
        part. Missing parent directories are made (0755).

        Args:
            name: the VM's path; a link there is followed, and its target replaced.
            data: the whole content.
            mode: permission bits, not subject to the umask.
            uid: numeric owner; ignored (and said) where owners cannot be set.
            gid: numeric group; likewise.
            durable: False leaves out the fsync, for what does not outlive this boot anyway.

        Raises:
            ProvisioningError: it could not be written; the old file is still there.
        """
        path = self.path(name)
        try:
            make_parents(os.path.dirname(path))
            replace_file(path, data, mode, (uid, gid) if self.can_own else None, durable, self.live)
        except OSError as error:
            raise self._cannot("file cannot be written", name, error) from error
        if not self.can_own:
            self.skip("ownership of files")

    def make_dir(self, name: str, mode: int = 0o755) -> None:
        """Make the directory ``name`` and its parents where missing, and give it ``mode``.

        Raises:
            ProvisioningError: it could not be made.
        """
        path = self.path(name)
        try:
            make_parents(path)
            if stat.S_IMODE(os.stat(path).st_mode) != mode:
                os.chmod(path, mode)
        except OSError as error:
            raise self._cannot("directory cannot be made", name, error) from error

    def remove(self, name: str) -> bool:
        """Remove the file or link ``name`` (never a directory). Returns whether it was there.

        Raises:
            ProvisioningError: it is there and could not be removed.
        """
        try:
            os.unlink(self.path(name, follow_last=False))
            return True
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise self._cannot("file cannot be removed", name, error) from error

    def remove_tree(self, name: str) -> bool:
        """Remove ``name`` with all that is below it, following no link. Returns whether it was
        there.

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
            raise self._cannot("directory cannot be removed", name, error) from error
        return True

    def link(self, name: str, target: str, over_file: bool = False) -> None:
        """Make ``name`` a symbolic link to ``target``, atomically.

        Args:
            name: the VM's path; a link there is replaced, not followed.
            target: what the link says.
            over_file: whether a regular file may be replaced by it too.

        Raises:
            ProvisioningError: it could not be made, or something other than a link is in its place.
        """
        path = self.path(name, follow_last=False)
        scratch = "%s/.%s.lightinit-new" % (os.path.dirname(path), os.path.basename(path))
        try:
            make_parents(os.path.dirname(path))
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
            sync_dir(os.path.dirname(path))
        except OSError as error:
            raise self._cannot("link cannot be made", name, error) from error

    # -- running
    # ----------------------------------------------------------------------------------------------

    def tool(self, name: str) -> Optional[str]:
        """Where the command ``name`` is, or None when the host has none or this is a scratch
        root.
        """
        if not self.live:
            return None
        for folder in TOOL_FOLDERS:
            path = "%s/%s" % (folder, name)
            if os.access(path, os.X_OK) and os.path.isfile(path):
                return path
        return None

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        """Run a command to its end, without a shell, in the C locale, with a PATH of our own.

        Args:
            argv: the command (as :meth:`tool` found it) and its arguments; never a secret among
                them.
            stdin: what it reads: this is the way for secrets.
            timeout_s: seconds after which it is killed.

        Raises:
            ProvisioningError: it could not be started, or was killed at the time limit.
        """
        import subprocess

        if not self.live:
            raise ProvisioningError("commands are not run in a scratch root", command=argv[0])
        started_s = self.clock.monotonic()
        environment = {"PATH": ":".join(TOOL_FOLDERS), "LANG": "C", "LC_ALL": "C", "HOME": "/root"}
        try:
            ended = subprocess.run(
                list(argv),
                input=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=timeout_s,
                env=environment,
                cwd="/",
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ProvisioningError(
                "command took too long", command=argv[0], limit_s=timeout_s
            ) from None
        except OSError as error:
            raise ProvisioningError(
                "command cannot be started", command=argv[0], error=error.strerror
            ) from error
        if self.on_command is not None:
            self.on_command(argv, self.clock.monotonic() - started_s, ended.returncode)
        return Completed(
            ended.returncode,
            ended.stdout.decode("utf-8", "replace"),
            ended.stderr.decode("utf-8", "replace"),
        )

    def run_checked(
        self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0
    ) -> Completed:
        """As :meth:`run`, and the exit status must be 0.

        Raises:
            ProvisioningError: as :meth:`run`; or it ended with another status.
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

    # -- inner
    # ----------------------------------------------------------------------------------------------

    @staticmethod
    def _cannot(reason: str, name: str, error: OSError) -> ProvisioningError:
        hints: Dict[Optional[int], str] = {
            errno.ENOSPC: "free some space or give the image a larger disk",
            errno.EDQUOT: "free some space or raise the quota",
            errno.EROFS: (
                "the file system must be writable on first boot; look at /etc/fstab and the"
                " kernel log"
            ),
            errno.EACCES: "run as root, or give --root a directory that you may write to",
            errno.EPERM: "run as root, or look whether the file is immutable (lsattr)",
        }
        details = {"path": name, "error": error.strerror or str(error)}
        if error.errno in hints:
            details["hint"] = hints[error.errno]
        return ProvisioningError(reason, **details)
