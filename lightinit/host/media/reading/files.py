"""Reads several files of a volume: of a device, an image of one, or a directory."""

from __future__ import annotations

import os
import stat

from lightinit.host.media.reading.answers import Nothing
from lightinit.host.media.reading.labels import read_labels
from lightinit.host.media.reading.mounting import mount_volume, unmount
from lightinit.host.media.reading.names import EXT, FAT, ISO, UDF
from lightinit.host.media.reading.trees import Dangling, Directory, Refused, find, read_named

# Like typing.TYPE_CHECKING. Importing typing would take longer than everything else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Sequence, Tuple, Union

    from lightinit.host.media.reading.trees import Tree

    # By the number of the name: the file, or why it is not read.
    Results = Dict[int, Union[bytes, Refused, Dangling]]

# A medium may have several file systems with different files, and then UDF has the longer names.
ORDER = (UDF, ISO, FAT, EXT)


def read_files(
    path: str, names: Sequence[str], limit_bytes: int, may_mount: bool
) -> Tuple[Results, str]:
    """Read the files of these names.

    Args:
        path: a block device, an image of one, or a directory.
        names: the names, such as ``openstack/latest/meta_data.json``.
        limit_bytes: the greatest size of a file.
        may_mount: whether a block device may be mounted.

    Returns:
        What was found, and how it was read.

    Raises:
        Nothing: the volume cannot be read.
        OSError: likewise.
    """
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        return read_tree(Directory(path), names, limit_bytes), "from the directory"
    if not (stat.S_ISBLK(mode) or stat.S_ISREG(mode)):
        raise Nothing("neither a block device, an image nor a directory")
    kinds = {kind for kind, _ in read_labels(path)}
    if not kinds:
        raise Nothing("neither UDF, ISO 9660, FAT nor ext4 is on it", again=True, harmless=True)
    readable, whys = "", []
    for kind in [each for each in ORDER if each in kinds]:
        try:
            results, how = _read_kind(path, kind, names, limit_bytes, may_mount and _is_block(mode))
        except Nothing as nothing:
            whys.append(str(nothing))
            continue
        if results:
            return results, how
        readable = readable or how
    if not readable:
        raise Nothing("; ".join(whys))
    return {}, readable


def _is_block(mode: int) -> bool:
    return stat.S_ISBLK(mode)


def _read_kind(
    path: str, kind: str, names: Sequence[str], limit_bytes: int, may_mount: bool
) -> Tuple[Results, str]:
    """The files that one of the file systems on a device has."""
    whys: List[str] = []
    if may_mount:
        try:
            point = mount_volume(path, kind)
            try:
                found = read_tree(Directory(point), names, limit_bytes, kind == ISO)
            finally:
                unmount(point)
            return found, "mounted as %s" % kind
        except OSError as error:
            whys.append("mounting as %s: %s" % (kind, error.strerror))
    from lightinit.host.media.reading.listings import trees
    from lightinit.host.media.reading.tools import Copy

    with Copy(path) as copy:
        for tool, tree in trees(copy.path, kind, copy.uid):
            try:
                found = read_tree(tree, names, limit_bytes, kind == ISO)
                if found or tree.names(""):
                    return found, "read by %s as %s" % (tool, kind)
                whys.append("%s sees nothing on it" % tool)
            except OSError as error:
                whys.append(error.strerror or str(error))
    if not [why for why in whys if not why.startswith("mounting")]:
        whys.append("no tool that reads %s: install 7zip (p7zip) or GRUB's grub-fstest" % kind)
    raise Nothing("; ".join(whys))


def read_tree(
    tree: Tree, names: Sequence[str], limit_bytes: int, may_be_short: bool = False
) -> Results:
    """The files of these names in one tree.

    Raises:
        OSError: the tree cannot be read.
    """
    results: Results = {}
    taken = set()
    # Two names may look the same when they are cut. The first one that has no better file gets it.
    for cut in (False, True)[: 1 + may_be_short]:
        for number, name in enumerate(names):
            if number in results:
                continue
            try:
                path = find(tree, name, cut)
                if path is None or (cut and path in taken):
                    continue
                taken.add(path)
                results[number] = read_named(tree, path, limit_bytes)
            except (Refused, Dangling) as why:
                results[number] = why
    return results
