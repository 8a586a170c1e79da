"""Extended attributes of files. CPython up to 3.11 has no functions for them on musl."""

from __future__ import annotations

import errno
import logging
import os
from typing import Any

LOG = logging.getLogger("lightinit.attributes")
LABEL = "security.selinux"
# There is no old file, it has no label, or the kernel or the file system does not support labels.
_NO_LABEL = (errno.ENOENT, errno.ENODATA, errno.ENOTSUP, errno.ENOSYS)
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


def keep_label(old: str, new: str) -> None:
    """Give ``new`` the SELinux label of ``old``, which it is about to replace. Otherwise it has
    the label of its folder.

    A failure is only logged, since the content matters more. The caller makes sure that nobody else
    can change either file.
    """
    try:
        write_attribute(new, LABEL, read_attribute(old, LABEL, follow=False))
    except OSError as error:
        if error.errno not in _NO_LABEL:
            LOG.warning("SELinux label of %s could not be kept: %s", old, error.strerror)


def _load() -> Any:
    try:
        import ctypes

        return ctypes.CDLL(None, use_errno=True), ctypes
    except ImportError:
        raise OSError(CANNOT_TELL, "this Python has neither os.getxattr nor ctypes") from None


def _error(ctypes: Any, path: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, os.strerror(code), path)
