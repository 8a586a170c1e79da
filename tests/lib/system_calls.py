"""Records what a command and its children do to files: strace writes down each system call.

A call is a :class:`Call`: its name, its arguments as text with the paths decoded, and its result.
``strace -y`` adds the path of each file descriptor, so no table of them is needed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import List, NamedTuple

# All that changes a file or makes it durable, and what is sent to the platform.
TRACED = (
    "open openat creat write pwrite64 writev pwritev ftruncate truncate fallocate rename renameat"
    " renameat2 unlink unlinkat link linkat symlink symlinkat mkdir mkdirat rmdir chmod fchmod"
    " fchmodat chown lchown fchown fchownat lseek umask copy_file_range sendfile sendto fsync"
    " fdatasync syncfs sync"
)
OPTIONS = ("-ff", "-ttt", "-y", "-xx", "-s", "4000000", "--signal=none", "--seccomp-bpf")
_LINE = re.compile(r"([0-9.]+) (\w+)\((.*)\)\s+= (-?\d+)(?:<(.*)>)?(?: .*)?\Z", re.S)
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")
_BASES = re.compile(r'iov_base="([^"]*)"')


class Call(NamedTuple):
    """A system call that succeeded.

    Attributes:
        when_s: its begin in Unix time.
        thread: the id of the thread that made it.
        arguments: as strace prints them; what was printed in hexadecimal still is.
        result: what it returned.
        result_path: the path of the file descriptor that it returned; "" if none.
    """

    when_s: float
    thread: int
    name: str
    arguments: List[str]
    result: int
    result_path: str

    def data(self, at: int) -> bytes:
        """The bytes of the string, or of the vector of buffers, that is argument ``at``."""
        if self.name in ("writev", "pwritev"):
            return b"".join(_decode(each) for each in _BASES.findall(",".join(self.arguments)))
        return _decode(self.arguments[at].strip('"'))

    def path(self, at: int) -> str:
        """The path that is argument ``at``; relative unless it begins with a slash."""
        return self.data(at).decode("utf-8", "surrogateescape")

    def folder(self, at: int) -> str:
        """The path of the file descriptor that is argument ``at``; "" if it has none."""
        found = re.match(r"\w+<(.*)>\Z", self.arguments[at], re.S)
        return _decode(found.group(1)).decode("utf-8", "surrogateescape") if found else ""


def strace(out: str) -> List[str]:
    """The command line that stands before the command to record.

    Args:
        out: the beginning of the names of the files to write; for :func:`read_calls`.
    """
    return ["strace", *OPTIONS, "-e", "trace=" + TRACED.replace(" ", ","), "-o", out]


def read_calls(out: str) -> List[Call]:
    """The recorded calls of all threads, in order of their begin."""
    found = []
    for path in Path(out).parent.glob(Path(out).name + ".*"):
        thread = int(path.name.rpartition(".")[2])
        for line in path.read_text(encoding="ascii").splitlines():
            match = _LINE.match(line)
            if match is None or int(match.group(4)) < 0:
                continue
            when, name, rest, result, result_path = match.groups()
            arguments = rest.split(", ")
            shown = _decode(result_path or "").decode("utf-8", "surrogateescape")
            found.append(Call(float(when), thread, name, arguments, int(result), shown))
    return sorted(found)


def _decode(text: str) -> bytes:
    return _ESCAPED.sub(lambda match: chr(int(match.group(1), 16)), text).encode("latin-1")
