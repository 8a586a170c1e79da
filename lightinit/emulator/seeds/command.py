"""The command ``seed`` of ``lightinit-emulator``.

Secrets are read from files, because every account on the machine can read a command's arguments.
"""

from __future__ import annotations

import argparse
import os
import re
from typing import Any, Callable, Dict, Optional, Tuple

from lightinit.emulator.errors import EmulatorError
from lightinit.emulator.host_side.images import make_iso9660, make_vfat, write_files, write_image
from lightinit.emulator.seeds.documents import (
    HOST_NAME,
    LABELS,
    SeedData,
    configdrive_files,
    nocloud_files,
)

FORMATS = ("iso9660", "vfat", "folder")
FILES: Dict[str, Callable[[SeedData], Dict[str, bytes]]] = {
    "nocloud": nocloud_files,
    "configdrive": configdrive_files,
}
LABEL_CHARACTERS = {"iso9660": 32, "vfat": 11}
# What --meta-data has already.
_OF_META_DATA = ("instance_id", "host_name", "ssh_key")


def add_seed(commands: Any) -> None:
    """Add the command to the parser's ``commands``."""
    seed = commands.add_parser(
        "seed",
        help="write a NoCloud or ConfigDrive seed: an image of a volume, or a folder",
        description=(
            "Write a seed for a VM: the image of a volume to attach, or a folder. Only the caller"
            " can read it. Needs genisoimage, xorriso or mkisofs; for vfat mkfs.vfat and mcopy."
        ),
        allow_abbrev=False,
    )
    seed.add_argument(
        "--output",
        required=True,
        metavar="PATH",
        help="the image, which is replaced if it exists; or a new or empty folder",
    )
    seed.add_argument(
        "--platform", choices=sorted(FILES), default="nocloud", help="whose files (nocloud)"
    )
    seed.add_argument("--format", choices=FORMATS, default="iso9660", help="(iso9660)")
    seed.add_argument("--label", metavar="LABEL", help="the volume's label (cidata, or config-2)")
    seed.add_argument("--user-data", metavar="FILE", help="the user data (none)")
    seed.add_argument("--vendor-data", metavar="FILE", help="the vendor data (none)")
    seed.add_argument("--network-config", metavar="FILE", help="the network's configuration (none)")
    seed.add_argument(
        "--meta-data",
        metavar="FILE",
        help="the metadata, unchanged; the options for their values are then refused",
    )
    seed.add_argument(
        "--instance-id",
        metavar="ID",
        help="the id, a UUID for a ConfigDrive (a checksum of the rest: a changed seed is a new"
        " instance)",
    )
    seed.add_argument("--host-name", metavar="NAME", help="the VM's name (%s)" % HOST_NAME)
    seed.add_argument("--ssh-key", metavar="FILE", help="public keys, one on each line (none)")
    seed.add_argument(
        "--file",
        metavar="PATH=FILE",
        action="append",
        help="ConfigDrive only: put FILE into the VM as PATH; may be repeated",
    )


def write_seed(options: argparse.Namespace) -> int:
    """Run ``seed``. Returns the exit code.

    Raises:
        EmulatorError: an argument is wrong, a file cannot be read or written, or no tool is
            installed.
    """
    data = _collect(options)
    files = FILES[options.platform](data)
    if options.format == "folder":
        if options.label is not None:
            raise EmulatorError("a folder has no label: leave --label out")
        _write_folder(options.output, files)
        return 0
    label = options.label if options.label is not None else LABELS[options.platform]
    _check_label(label, options.format)
    make = make_vfat if options.format == "vfat" else make_iso9660
    write_image(options.output, files, lambda image, content: make(image, content, label))
    return 0


def _collect(options: argparse.Namespace) -> SeedData:
    if options.meta_data is not None:
        given = [name for name in _OF_META_DATA if getattr(options, name) is not None]
        if given:
            raise EmulatorError(
                "--meta-data is used unchanged: leave --%s out" % given[0].replace("_", "-")
            )
    if options.instance_id is not None and not re.match(r"[ -~]+\Z", options.instance_id):
        raise EmulatorError("--instance-id is empty, or not plain ASCII text")
    if options.host_name is not None and not re.match(r"[0-9A-Za-z.-]+\Z", options.host_name):
        raise EmulatorError("--host-name %r is no host name" % options.host_name)
    return SeedData(
        user_data=_read(options.user_data),
        vendor_data=_read(options.vendor_data),
        network_config=_read(options.network_config),
        meta_data=_read(options.meta_data),
        instance_id=options.instance_id or "",
        host_name=options.host_name or "",
        ssh_keys=_read_keys(options.ssh_key),
        files=_read_files(options.file or ()),
    )


def _read(path: Optional[str]) -> Optional[bytes]:
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise EmulatorError("cannot read %s: %s" % (path, error.strerror)) from error


def _read_keys(path: Optional[str]) -> Tuple[str, ...]:
    data = _read(path)
    if data is None:
        return ()
    try:
        lines = [line.strip() for line in data.decode("ascii").splitlines()]
    except UnicodeDecodeError:
        raise EmulatorError("%s: a public key is plain ASCII text" % path) from None
    keys = [line for line in lines if line and not line.startswith("#")]
    if any("PRIVATE KEY" in line for line in lines):
        raise EmulatorError("%s is a private key: give the public one, with .pub" % path)
    for number, line in enumerate(lines, 1):
        # What is in base64 begins with the size of the type's name: RFC 4253, 6.6.
        if line in keys and not re.search(r"(\A|\s)AAAA", line):
            raise EmulatorError("%s: line %d has no public key" % (path, number))
    if not keys:
        raise EmulatorError("%s has no public key" % path)
    return tuple(keys)


def _read_files(given: Any) -> Dict[str, bytes]:
    found: Dict[str, bytes] = {}
    for text in given:
        path, equals, file = text.partition("=")
        if not equals or not path.startswith("/"):
            raise EmulatorError("--file %s: expected /PATH/ON/THE/VM=FILE" % text)
        if path in found:
            raise EmulatorError("--file: %s is given twice" % path)
        found[path] = _read(file) or b""
    return found


def _check_label(label: str, form: str) -> None:
    most = LABEL_CHARACTERS[form]
    if not re.match(r"[0-9A-Za-z_-]{1,%d}\Z" % most, label):
        raise EmulatorError(
            "--label %r: expected 1 to %d letters, digits, hyphens or underscores" % (label, most)
        )


def _write_folder(path: str, files: Dict[str, bytes]) -> None:
    try:
        if os.path.lexists(path) and (not os.path.isdir(path) or os.listdir(path)):
            raise EmulatorError("%s is not empty: remove it first, or name another one" % path)
        write_files(path, files)
    except OSError as error:
        raise EmulatorError("cannot write %s: %s" % (path, error.strerror or error)) from error
