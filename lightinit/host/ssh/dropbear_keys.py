"""Makes dropbear's host keys: dropbearkey makes each beside its place, then it is moved there.

It knows no format. The caller says where the keys are, and of which type.
"""

from __future__ import annotations

import logging
import os
from typing import Callable, List, Optional, Sequence, Tuple

from lightinit.digits import read_digits
from lightinit.errors import ProvisioningError
from lightinit.host.files.selinux import restore_labels
from lightinit.host.ssh import early
from lightinit.host.ssh.early import KeygenResult
from lightinit.host.ssh.host_keys import KEYGEN_LIMIT_S
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.host_keys")
SCRATCH = early.SCRATCHES[1]
# Where a key of a cloud-config is converted.
GIVEN = "/etc/.dropbear.lightinit-given"
SUBJECT = "dropbearkey"
SAID_CHARACTERS = 200
SCRATCH_END = ".lightinit-new"
PID_FILES = ("/run/dropbear.pid", "/var/run/dropbear.pid")
# What is here is gone after a restart. Buildroot's image has a link into it in place of the folder,
# and its script puts an empty folder into the place of the link, if it can.
VOLATILE = ("/run", "/var/run", "/tmp")  # noqa: S108 - nothing is written there


def find_keygen(system: System) -> List[str]:
    """The command that makes keys, without its arguments; empty if there is none."""
    tool = system.tool("dropbearkey")
    if tool is not None:
        return [tool]
    multi = system.tool("dropbearmulti")
    if multi is not None:
        return [multi, "dropbearkey"]
    return []


def list_there(system: System, places: Sequence[str]) -> List[str]:
    """Those of some files that are there and not empty. A power cut may have left an empty one."""
    return [place for place in places if _size_of(system, place) > 0]


def _size_of(system: System, place: str) -> int:
    try:
        return os.path.getsize(system.path(place))
    except (OSError, ProvisioningError):
        return 0


def prepare_folder(system: System, folder: str) -> bool:
    """Make the folder of host keys, if it is missing.

    A link to a place that a restart empties is replaced by a folder.

    Returns:
        Whether the folder's content survives a restart.

    Raises:
        ProvisioningError: it cannot be made.
    """
    link = system.path(folder, follow_last=False)
    if os.path.islink(link) and _is_volatile(os.readlink(link)):
        try:
            os.unlink(link)
            LOG.info("%s was a link to a place that a restart empties; now it is a folder", folder)
        except OSError as error:
            LOG.info("%s stays a link: %s", folder, error.strerror)
    if not system.is_dir(folder):
        system.make_dir(folder, 0o755)
    return not _is_volatile(system.path(folder)[len(system.root.rstrip("/")) :])


def _is_volatile(path: str) -> bool:
    return any(path == place or path.startswith(place + "/") for place in VOLATILE)


def make_key(system: System, keygen: Sequence[str], kind: str, place: str) -> KeygenResult:
    """Make a host key. dropbear finds the old key at its place or the new one, never a part.

    Args:
        system: the live machine.
        keygen: as :func:`find_keygen` returned it.
        kind: such as ``ed25519``.
        place: the file.

    Returns:
        What the program printed, or why there is no new key: a version may not know this type.

    Raises:
        ProvisioningError: the program took too long, or the new key cannot be put in place.
    """
    begun = _take_begun(system, place)
    if begun is not None:
        return begun
    scratch = system.path(place) + SCRATCH_END
    try:
        for end in ("", ".pub"):
            _unlink(scratch + end)
        argv = list(keygen) + ["-t", kind, "-f", scratch]
        ended = system.run(argv, timeout_s=KEYGEN_LIMIT_S)
        if not ended.ok or not os.path.exists(scratch) or not os.path.getsize(scratch):
            _unlink(scratch)
            return KeygenResult(ended.last_words or "it made no key")
        _move(system, scratch, system.path(place))
    except OSError as error:
        raise ProvisioningError(
            "ssh host key cannot be put in place", path=place, error=error.strerror
        ) from error
    restore_labels(system, [place])
    return KeygenResult("", ended.stdout)


def find_converter(system: System) -> List[str]:
    """The command that converts keys of OpenSSH, without its arguments; empty if there is none."""
    tool = system.tool("dropbearconvert")
    if tool is not None:
        return [tool]
    multi = system.tool("dropbearmulti")
    if multi is not None:
        return [multi, "dropbearconvert"]
    return []


def convert_key(
    system: System,
    converter: Sequence[str],
    private: bytes,
    place: str,
    find_fault: Callable[[str], str],
) -> str:
    """Put a private key of OpenSSH at a place of dropbear, in dropbear's format. dropbear finds the
    old key there or the new one, never a part.

    Args:
        system: the live machine.
        converter: as :func:`find_converter` returned it.
        private: the key.
        place: the file. Its folder exists.
        find_fault: takes the path of the converted key, as the VM sees it; returns why it cannot be
            used, "" if it can.

    Returns:
        Why there is no new key; "" if it is in place.

    Raises:
        ProvisioningError: the program took too long, or the new key cannot be put in place.
    """
    early.give_up(system, place)
    source = GIVEN + "/key"
    scratch = system.path(place) + SCRATCH_END
    try:
        system.make_dir(GIVEN, 0o700)
        system.write(source, private, 0o600, durable=False)
        for end in ("", ".pub"):
            _unlink(scratch + end)
        argv = [*converter, "openssh", "dropbear", system.path(source), scratch]
        ended = system.run(argv, timeout_s=KEYGEN_LIMIT_S)
        if not ended.ok or not os.path.exists(scratch) or not os.path.getsize(scratch):
            _unlink(scratch)
            return _shorten(ended.stderr.replace(system.path(source), "it"))
        fault = find_fault(place + SCRATCH_END)
        if fault:
            _unlink(scratch)
            return fault
        _move(system, scratch, system.path(place))
    except OSError as error:
        raise ProvisioningError(
            "ssh host key cannot be put in place", path=place, error=error.strerror
        ) from error
    finally:
        system.remove_tree(GIVEN)
    restore_labels(system, [place])
    return ""


def _shorten(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return "; ".join(lines[:2])[:SAID_CHARACTERS] or "it made no key"


def begin_keys(system: System, keygen: Sequence[str], wished: Sequence[Tuple[str, str]]) -> None:
    """Begin to make keys for :func:`make_key`, one program for each.

    Args:
        system: the live machine.
        keygen: as :func:`find_keygen` returned it.
        wished: the files, each with the type of its key.

    Raises:
        ProvisioningError: a program cannot be started, or the scratch folder cannot be written.
    """
    folder = early.make_first_folder(system, SUBJECT, SCRATCH)
    for place, kind in wished:
        argv = list(keygen) + ["-t", kind, "-f", _scratch_of(system, folder, place)]
        early.begin(system, place, argv)


def _scratch_of(system: System, folder: str, place: str) -> str:
    return system.path("%s/%s" % (folder, place.replace("/", "_")))


def _take_begun(system: System, place: str) -> Optional[KeygenResult]:
    """Put a key in place that was begun early. None if there is none."""
    result = early.wait_for(system, place, KEYGEN_LIMIT_S)
    if result is None:
        return None
    scratch = _scratch_of(system, early.find_folder(system, SUBJECT), place)
    why = result.failure
    try:
        if not why and os.path.getsize(scratch):
            _move(system, scratch, system.path(place))
            restore_labels(system, [place])
            return result
    except OSError as error:  # the places may be on different file systems
        why = str(error.strerror)
    LOG.info("%s: begun early, but: %s; dropbearkey makes it now", place, why or "no key")
    return None


def _move(system: System, scratch: str, real: str) -> None:
    """Some versions also write the public part: it must never be that of another key."""
    _unlink(real + ".pub")
    os.chmod(scratch, 0o600)
    with open(scratch, "rb") as handle:
        os.fsync(handle.fileno())
    os.replace(scratch, real)
    if os.path.exists(scratch + ".pub"):
        os.replace(scratch + ".pub", real + ".pub")
    system.durability.folder(os.path.dirname(real))


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def remove_keys(system: System, places: Sequence[str]) -> None:
    """Remove host keys, with their public parts.

    Raises:
        ProvisioningError: one cannot be removed.
    """
    for place in places:
        system.remove(place)
        system.remove(place + ".pub")


def read_public(system: System, keygen: Sequence[str], place: str) -> str:
    """What dropbearkey prints about a key: its public part is in it; "" if it cannot."""
    try:
        ended = system.run(list(keygen) + ["-y", "-f", system.path(place)])
    except ProvisioningError:
        return ""
    return ended.stdout if ended.ok else ""


def is_running(system: System) -> bool:
    """Whether a dropbear runs. It keeps the keys that it has read at its start."""
    for path in PID_FILES:
        pid = read_digits(system.read_text(path).strip())
        if pid and system.read_text("/proc/%d/comm" % pid).strip() == "dropbear":
            return True
    return False
