"""Resolves paths below a root as ``chroot`` does, including symbolic links."""

from __future__ import annotations

import os
from typing import List

from lightinit.errors import ProvisioningError

MAX_LINKS = 40
MAX_BYTES, MAX_PARTS = 4095, 100  # PATH_MAX without its NUL; and more than any real path has


def check_path(name: str) -> None:
    """Refuse a name that no file can have. Files of the host, and documents of others, may contain
    such names.

    Raises:
        ProvisioningError: the name has a NUL, or characters that cannot be encoded as bytes; or it
            is longer than Linux allows, or has more parts than any file's: a look at each of them
            would take minutes.
    """
    if name.isascii() and "\0" not in name and len(name) <= MAX_BYTES:
        usable = True
    else:
        try:
            data = os.fsencode(name)
            usable = b"\0" not in data and len(data) <= MAX_BYTES
        except ValueError:
            usable = False
    usable = usable and name.count("/") <= MAX_PARTS
    if not usable:
        raise ProvisioningError("path is not usable", path=ascii(name[:120]))


def resolve(name: str, follow_last: bool) -> str:
    """The real path of ``name`` on the live machine.

    Args:
        name: an absolute path; it need not exist.
        follow_last: whether to follow the last component, too, if it is a link.
    """
    if follow_last:
        return os.path.realpath(name)
    return os.path.join(os.path.realpath(os.path.dirname(name)), os.path.basename(name))


def resolve_below(root: str, name: str, follow_last: bool) -> str:
    """The real path of ``name`` below ``root``, with links resolved inside the root.

    Args:
        root: a real path, without a slash at its end.
        name: an absolute path as the VM sees it; it need not exist.
        follow_last: whether to follow a link in the last place too.

    Raises:
        ProvisioningError: more than 40 links, so the links form a loop.
    """
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
        here = "/".join([root] + done + [part])
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
    return "/".join([root] + done)
