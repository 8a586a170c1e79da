"""Extended attributes of files. CPython up to 3.11 has no functions for them on musl."""

from __future__ import annotations

import errno
import os
from typing import Any

CANNOT_TELL = errno.ENOSYS  # the error's number if this Python or kernel cannot look
LIMIT_BYTES = 65536  # XATTR_SIZE_MAX, include/uapi/linux/limits.h


def read_attribute(path: str, name: str, follow: bool = True) -> bytes:
    """The value of the attribute ``name``.

    Args:
        path: a real path.
        name: such as ``security.selinux``.
        follow: whether to follow a link at the end of the path.

    Raises:
        OSError: there is no such file or attribute, or attributes are not supported here.
    """
    if hasattr(os, "getxattr"):
        return os.getxattr(path, name, follow_symlinks=follow)
    libc, ctypes = _load()
    value = ctypes.create_string_buffer(LIMIT_BYTES)
    call = libc.getxattr if follow else libc.lgetxattr
    call.restype = ctypes.c_ssize_t
    size = call(os.fsencode(path), os.fsencode(name), value, ctypes.c_size_t(LIMIT_BYTES))
    if size < 0:
        raise _error(ctypes, path)
    return bytes(value.raw[:size])


def write_attribute(path: str, name: str, value: bytes) -> None:
    """Set an attribute. A link at the end of the path is not followed.

    Raises:
        OSError: as :func:`read_attribute`.
    """
    if hasattr(os, "setxattr"):
        os.setxattr(path, name, value, follow_symlinks=False)
        return
    libc, ctypes = _load()
    size = ctypes.c_size_t(len(value))
    if libc.lsetxattr(os.fsencode(path), os.fsencode(name), value, size, 0) < 0:
        raise _error(ctypes, path)


def _load() -> Any:
    try:
        import ctypes

        return ctypes.CDLL(None, use_errno=True), ctypes
    except ImportError:
        raise OSError(CANNOT_TELL, "this Python has neither os.getxattr nor ctypes") from None


def _error(ctypes: Any, path: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, os.strerror(code), path)
