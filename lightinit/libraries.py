"""Loads the libraries that are not a part of Python. An installation may lack them or damage them:
another copy in /usr/local, a file that was cut off, bytecode that was.

Whatever they raise becomes one error, so that the boot can report it without them. The
distribution's libraries come before those that somebody has put into /usr/local. This file knows no
library but OpenSSL by name.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, Callable, TypeVar

from lightinit.errors import LibraryError, LightinitError

LOCAL = "/usr/local/"
Result = TypeVar("Result")


def load(name: str, *needed: str) -> Any:
    """Import and return a module of a library.

    Args:
        name: the module, such as ``requests.adapters``.
        needed: what it must have; another package may bear its name.

    Raises:
        LibraryError: it cannot be loaded, for whatever reason, or is another one.
    """
    library = name.partition(".")[0]
    try:
        module = importlib.import_module(name)
    except BaseException as error:  # a panic of a part in Rust is no Exception
        if is_signal(error):
            raise
        if isinstance(error, ModuleNotFoundError) and error.name == library:
            missing = LibraryError(
                "python library is missing",
                library=library,
                hint="install it, for the Python that runs lightinit: %s" % sys.executable,
            )
            missing.is_missing = True
            raise missing from None
        raise unusable("python library cannot be loaded", library, error) from error
    try:
        for each in needed:
            getattr(module, each)
    except AttributeError as error:
        raise unusable("python library does not work", library, error) from error
    return module


def use(library: str, work: Callable[[], Result]) -> Result:
    """Let a library work that has been loaded. It may still fail when it is used.

    Args:
        library: its name.
        work: what it does. An error of lightinit's own passes.

    Raises:
        LibraryError: it raised anything.
    """
    try:
        return work()
    except LightinitError:
        raise
    except BaseException as error:
        if is_signal(error):
            raise
        raise unusable("python library does not work", library, error) from error


def sha256(data: bytes) -> Any:
    """As ``hashlib.sha256``, but where Python has a function of its own, as most have, without
    OpenSSL, which takes 3 MiB.
    """
    try:
        own = importlib.import_module("_sha2" if sys.version_info >= (3, 12) else "_sha256")
    except ImportError:
        own = importlib.import_module("hashlib")
    return own.sha256(data)


def is_signal(error: BaseException) -> bool:
    """Whether a signal's handler raised it, by a class of its own, and not the library."""
    if isinstance(error, SystemExit):
        return type(error) is not SystemExit
    return isinstance(error, KeyboardInterrupt)


def is_panic(error: BaseException) -> bool:
    """Whether the part of a library that is written in Rust has panicked: this is no Exception."""
    return type(error).__name__ == "PanicException"


def unusable(reason: str, library: str, error: BaseException) -> LibraryError:
    """The error for a ``library`` that raised ``error``, with the file that raised it."""
    place, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<"):  # importlib's own frames
            place, trace = file, trace.tb_next
        else:
            trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename:
        place = str(error.filename)
    return LibraryError(
        reason,
        library=library,
        error=type(error).__name__,
        said=_said(error),
        file=place or "unknown",
        hint="install the distribution's package again, and remove other copies of it",
    )


def _said(error: BaseException) -> str:
    try:
        return str(error)[:200]
    except Exception:
        return "text is not available"


def make_importable(tell: Callable[[str], None]) -> None:
    """Do what -S left out: make the installed libraries importable, the distribution's own first.

    A file that an administrator left for Python's start (sitecustomize.py, \\*.pth) may fail in any
    way. Then the folders alone are used.

    Args:
        tell: prints a text, if that can be done without waiting.
    """
    import site

    try:
        site.main()
    except (Exception, SystemExit) as error:
        sys.path += [path for path in site.getsitepackages() if path not in sys.path]
        tell("lightinit: python's site module failed: %s: %s\n" % (type(error).__name__, error))
    if not (sys.prefix + "/").startswith(LOCAL):
        sys.path.sort(key=lambda path: path.startswith(LOCAL))
