"""A Python that lacks what some builds lack: started as ``poor_python.py KIND ARGUMENT…``, it takes
those names and modules away, and then runs lightinit.

The names are really gone before lightinit is imported, in a process of its own.
"""

from __future__ import annotations

import os
import runpy
import sys
from typing import Any, Dict, List, Tuple

# CPython up to 3.11 has these on glibc only (Modules/posixmodule.c: USE_XATTRS).
XATTR = ("getxattr", "setxattr", "listxattr", "removexattr")
# What configure looks for, so that some C library, kernel header or cross build has it not.
RARE_OS = XATTR + (
    "memfd_create",
    "posix_fallocate",
    "posix_fadvise",
    "copy_file_range",
    "getrandom",
    "preadv",
    "pwritev",
    "sendfile",
    "splice",
    "eventfd",
    "pidfd_open",
    "unshare",
    "setns",
    "confstr",
    "getgrouplist",
)
# Extension modules that a build has only if a library was there, or somebody asked for them.
RARE_MODULES = (
    "_ctypes",
    "ctypes",
    "_ssl",
    "ssl",
    "_hashlib",
    "_bz2",
    "_lzma",
    "readline",
    "_crypt",
    "crypt",
    "spwd",
    "grp",
    "resource",
    "termios",
    "syslog",
    "_uuid",
    "_decimal",
    "_sqlite3",
    "_curses",
    "_multiprocessing",
    "_posixshmem",
    "_json",
    "_pickle",
    "mmap",
)
# pthread_create(3) of musl gives a thread 128 KiB of stack.
MUSL_STACK_BYTES = 128 * 1024

KINDS: Dict[str, Tuple[Tuple[str, ...], Tuple[str, ...]]] = {
    "musl": (XATTR, ("_crypt", "crypt", "spwd")),
    "minimal": (RARE_OS, RARE_MODULES),
    # The library requests cannot be imported without these.
    "no unicodedata": (RARE_OS, RARE_MODULES + ("unicodedata",)),
    "no threads": ((), ()),
    "no zlib": (RARE_OS, RARE_MODULES + ("zlib",)),
}


class Absent:
    """Finds none of some modules, so that their import fails as if they had not been built."""

    def __init__(self, names: Tuple[str, ...]) -> None:
        self._names = names

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> None:
        """Raise for a module that this Python has not; None for the others."""
        if name in self._names:
            raise ModuleNotFoundError("No module named %r" % name, name=name)


def refuse_threads() -> None:
    """Let no thread begin, as if a control group had no further pid. The error is that of
    pthread_create(3) as Python tells it (Modules/_threadmodule.c).
    """
    import threading

    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("can't start new thread")

    names = [
        each for each in ("_start_new_thread", "_start_joinable_thread") if hasattr(threading, each)
    ]
    assert names
    for each in names:
        setattr(threading, each, refuse)


def impoverish(kind: str) -> None:
    """Take away what a kind of build lacks."""
    import threading

    threading.stack_size(MUSL_STACK_BYTES)
    if kind == "no threads":
        refuse_threads()
    names, modules = KINDS[kind]
    for name in names:
        for module in (os, sys.modules["posix"]):
            if hasattr(module, name):
                delattr(module, name)
    for name in modules:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, Absent(modules))


def main(argv: List[str]) -> None:
    """Run lightinit, or the file that the first argument names."""
    impoverish(argv[0])
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    sys.path[0] = here
    if argv[1].endswith(".py"):
        sys.argv = argv[1:]
        runpy.run_path(argv[1], run_name="__main__")
        return
    sys.argv = ["lightinit"] + argv[1:]
    runpy.run_module("lightinit", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
