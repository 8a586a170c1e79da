"""Lists volumes by their labels, and reads files of a volume or a folder.

The reader process touches the devices (:mod:`lightinit.host.media.look` starts it), so that one
that hangs stops nothing here. What is read is not trusted: all is bounded.
"""

from __future__ import annotations

import logging
import re
import time
from typing import Dict, List, Sequence, Set, Tuple

from lightinit.digits import read_digits
from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.disks import block
from lightinit.host.media import devices
from lightinit.host.media.devices import Candidate
from lightinit.host.media.look import ReaderProcess, wait_for
from lightinit.host.system import System
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.media")
LIST_LIMIT_S, READ_LIMIT_S = 15.0, 30.0
LINE_BYTES = 1024
MOST_DEVICES = 256
UDEV_QUEUE = "/run/udev/queue"  # exists while udev works on events
UDEV_WAIT_S, UDEV_POLL_S = 5.0, 0.1
POLL_S = 0.25


class Volume(NamedTuple):
    """A file system with a label.

    Attributes:
        device: the device or image, as the VM sees it.
        label: its label, as it is written there.
        kind: ``iso9660``, ``udf``, ``vfat`` or ``ext4``, which stands for ext2 and ext3, too.
    """

    device: str
    label: str
    kind: str


def list_volumes(
    system: System,
    labels: Sequence[str],
    places: Sequence[str] = (),
    limit_s: float = LIST_LIMIT_S,
) -> List[Volume]:
    """The volumes with one of some labels. A device that cannot be read, or hangs, has none.

    Args:
        system: the machine. Only a live one's devices are searched.
        labels: the labels. Their case does not matter.
        places: paths of further devices, or of images of them.
        limit_s: seconds of real time after which a device counts as hung.

    Returns:
        The volumes: first those in optical drives, then those on other devices in natural order,
        then those of ``places`` in theirs.
    """
    wanted = {label.lower() for label in labels}
    found = _find_volumes(system, wanted, places, limit_s)
    if not found and wait_for_udev(system):
        found = _find_volumes(system, wanted, places, limit_s)
    return found


def wait_for_udev(system: System) -> bool:
    """Wait until udev has done its work, at most ``UDEV_WAIT_S`` seconds: it may be about to load a
    driver. Returns whether it was at work.
    """
    ends_s = system.clock.monotonic() + UDEV_WAIT_S
    was_at_work = False
    while system.exists(UDEV_QUEUE) and system.clock.monotonic() < ends_s:
        was_at_work = True
        system.clock.sleep(UDEV_POLL_S)
    return was_at_work


def read_files(
    system: System,
    where: str,
    names: Sequence[str],
    limit_bytes: int,
    limit_s: float = READ_LIMIT_S,
) -> Dict[str, bytes]:
    """The files of a volume or a folder.

    Args:
        system: the machine.
        where: a device, an image of one, or a folder.
        names: names of files, such as ``openstack/latest/meta_data.json``. Their case does not
            matter, and ISO 9660 may have cut them.
        limit_bytes: the greatest size of a file.
        limit_s: seconds of real time after which a device counts as hung.

    Returns:
        The content by name. What is missing is left out.

    Raises:
        ProvisioningError: the volume cannot be read, or does not answer.
        MalformedError: a file is too large, or not a regular one, or a link that leads out of the
            volume.
    """
    try:
        reader = _Files("files", system.path(where), names, limit_bytes, limit_s, system.live)
    except OSError as error:
        raise _unreadable(where, error.strerror or str(error)) from error
    _wait(reader, where)
    answer = reader.parsed()
    if answer.hung:
        raise ProvisioningError(
            "volume does not answer",
            where=where,
            limit_s="%g" % limit_s,
            hint="look at the kernel log for errors of the device",
        )
    for number, kind, why in answer.refused:
        raise _refused(where, names[number], kind, why, limit_bytes)
    for number, why in answer.dangling:
        LOG.warning("%s has no %s: %s", where, names[number], why)
    if not answer.is_whole:
        raise _unreadable(where, answer.text)
    LOG.debug("%s: %d files, %s", where, len(answer.files), answer.text)
    return {names[number]: data for number, data in answer.files.items()}


def _unreadable(where: str, why: str) -> ProvisioningError:
    return ProvisioningError(
        "volume cannot be read",
        where=where,
        why=why,
        hint="check that it is ISO 9660, UDF, FAT or ext4, and that it is whole",
    )


def _refused(where: str, name: str, kind: str, why: str, limit_bytes: int) -> MalformedError:
    if kind == "large":
        return MalformedError(
            "file on the volume is too large",
            where=where,
            name=name,
            limit_bytes=limit_bytes,
            hint="make it smaller, or have it fetch the rest by its URL",
        )
    if kind == "leaves":
        return MalformedError(
            "link on the volume leads out of it",
            where=where,
            name=name,
            why=why,
            hint="put the file itself in the place of the link",
        )
    return MalformedError("not a regular file", path=name, where=where)


# -- volumes
# --------------------------------------------------------------------------------------------------


def _find_volumes(
    system: System, wanted: Set[str], places: Sequence[str], limit_s: float
) -> List[Volume]:
    paths = [each.path for each in find_devices(system)] if system.live else []
    paths += [place for place in places if place not in paths and system.exists(place)]
    if not paths:
        return []
    try:
        reader = _Labels("labels", "-", [system.path(each) for each in paths], 0, limit_s, False)
    except (OSError, ProvisioningError) as error:
        LOG.warning("volumes cannot be listed: %s", error)
        return []
    _wait(reader, "-")
    found, done = reader.parsed()
    for number, path in enumerate(paths):
        if number not in done:
            LOG.warning("%s did not answer within %g s and is passed over", path, limit_s)
    volumes: Dict[str, Volume] = {}
    for number, kind, label in sorted(found, key=lambda each: each[0]):
        if label.lower() in wanted and number < len(paths):
            volumes.setdefault(paths[number], Volume(paths[number], label, kind))
    return _without_copies(system, list(volumes.values()))


def find_devices(system: System) -> List[Candidate]:
    """The devices that may have a volume: optical drives, disks and partitions. Not those that
    consist of a file, memory or other devices; and not floppy drives, which take seconds.
    """
    found = devices.candidates(system)
    optical = [each for each in found if each.first]
    known = [each.path for each in optical]
    others = [
        Candidate(each.node, False, str(each.size_bytes))
        for each in sorted(block.list_devices(system), key=devices.natural)
        if not each.virtual
        and each.size_bytes > 0
        and each.node not in known
        and not re.match(r"fd[0-9]", each.name)
    ]
    if len(others) > MOST_DEVICES:
        LOG.warning("of %d devices, only %d are searched", len(others), MOST_DEVICES)
    return optical + others[:MOST_DEVICES]


def _without_copies(system: System, volumes: List[Volume]) -> List[Volume]:
    """Leave out a partition if its disk is there with the same label: an image that can be booted
    from a disk may have a partition that begins where the disk does.
    """
    labels = {each.device: each.label for each in volumes}
    left = []
    for volume in volumes:
        device = block.find_by_name(system, volume.device.rpartition("/")[2])
        disk = device.disk if device is not None else None
        if disk is None or labels.get(disk.node) != volume.label:
            left.append(volume)
    return left


# -- the reader
# --------------------------------------------------------------------------------------------------


def _wait(reader: ReaderProcess, where: str) -> None:
    while not wait_for({where: reader}, POLL_S):
        pass


class _Labels(ReaderProcess):
    """The reader that reads the labels of devices, its ``names``."""

    def _most(self, limit_bytes: int, names: Sequence[str]) -> int:
        return LINE_BYTES * 8 * max(1, len(names))

    def parsed(self) -> Tuple[List[Tuple[int, str, str]], List[int]]:
        """(number of the device, kind, label) of each label, and the devices that have answered."""
        self._kill(late=time.monotonic() >= self._ends_s)
        found, done = [], []
        for line in self._taken.decode("utf-8", "replace").split("\n")[:-1]:
            fields = line.split("\t")
            number = read_digits(fields[1]) if len(fields) > 1 else None
            if number is None:
                continue
            if fields[0] == "label" and len(fields) == 4:
                found.append((number, fields[2], fields[3]))
            elif fields[0] == "done":
                done.append(number)
        return found, done


class _FilesAnswer(NamedTuple):
    """What the reader has said of the files of a volume.

    Attributes:
        is_whole: whether it has read the volume to the end.
        text: how, or why not.
        hung: whether it did not answer in time.
        files: the files by the number of their name.
        refused: (number, kind, why) of each file that is not read.
        dangling: (number, why) of each link without a target.
    """

    is_whole: bool
    text: str
    hung: bool
    files: Dict[int, bytes]
    refused: List[Tuple[int, str, str]]
    dangling: List[Tuple[int, str]]


class _Files(ReaderProcess):
    """The reader that reads the files ``names`` of a volume."""

    def _most(self, limit_bytes: int, names: Sequence[str]) -> int:
        self._count = len(names)
        return (limit_bytes + LINE_BYTES * 8) * max(1, len(names)) + LINE_BYTES * 8

    def parsed(self) -> _FilesAnswer:
        """What it has said."""
        late = time.monotonic() >= self._ends_s
        self._kill(late)
        files: Dict[int, bytes] = {}
        refused: List[Tuple[int, str, str]] = []
        dangling: List[Tuple[int, str]] = []
        at = 0
        while True:
            newline = self._taken.find(b"\n", at)
            if newline < 0:
                break
            fields = self._taken[at:newline].decode("utf-8", "replace").split("\t")
            at = newline + 1
            numbers = [read_digits(each) for each in fields[1:3]]
            first = numbers[0] if numbers else None
            if fields[0] in ("end", "nothing"):
                is_whole = fields[0] == "end"
                return _FilesAnswer(is_whole, fields[-1], False, files, refused, dangling)
            if first is None or first >= self._count:
                break
            if fields[0] == "file" and len(numbers) == 2 and None not in numbers:
                size = numbers[1] or 0
                files[first] = self._taken[at : at + size]
                at += size
            elif fields[0] == "refused" and len(fields) == 4:
                refused.append((first, fields[2], fields[3]))
            elif fields[0] == "dangling":
                dangling.append((first, fields[-1]))
            else:
                break
        text = "the reader ended without an answer (status %s)" % self._process.returncode
        return _FilesAnswer(False, text, late, files, refused, dangling)
