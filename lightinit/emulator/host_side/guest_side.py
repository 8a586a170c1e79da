"""The commands ``media`` and ``kvp`` of ``lightinit-emulator``: they need no server.

``media`` writes an image, ``kvp`` reads a pool. Secrets are read from files, because every account
on the machine can read a command's arguments.
"""

from __future__ import annotations

import argparse
import json
from typing import Any, Dict, Optional

from lightinit.emulator.documents.ovf import PREPROVISIONED, make_ovf
from lightinit.emulator.errors import EmulatorError
from lightinit.emulator.host_side.kvp import read_pool
from lightinit.emulator.host_side.media import FORMATS, LABEL, make_media

_FIELDS = (
    "user_name",
    "host_name",
    "password_file",
    "custom_data",
    "ssh_key",
    "fingerprint",
    "disable_password_authentication",
    "preprovisioned_type",
)


def add_commands(commands: Any) -> None:
    """Add both commands to the parser's ``commands``."""
    _add_media(commands)
    _add_kvp(commands)


def _add_media(commands: Any) -> None:
    media = commands.add_parser(
        "media",
        help="write the image of a provisioning CD-ROM",
        description=(
            "Write the image of a provisioning CD-ROM: a volume with ovf-env.xml. Only the caller"
            " can read it. Needs genisoimage or mkisofs."
        ),
        allow_abbrev=False,
    )
    # Abbreviations are off: with them, `--password SECRET` would mean --password-file, and the
    # error message would show the password as a path.
    media.add_argument(
        "--output", required=True, metavar="FILE", help="the image; an existing file is replaced"
    )
    media.add_argument(
        "--format",
        choices=FORMATS,
        default="udf",
        help="udf, as the platform's image; iso9660; udf-bridge has both (udf)",
    )
    media.add_argument("--label", default=LABEL, help="the volume's label (%(default)s)")
    media.add_argument(
        "--ovf",
        metavar="FILE",
        help="use this file as ovf-env.xml, unchanged; the options below are then refused",
    )
    media.add_argument("--user-name", metavar="NAME", help="the account (azureuser)")
    media.add_argument("--host-name", metavar="NAME", help="the VM's name (lightinit-vm)")
    media.add_argument(
        "--password-file",
        metavar="FILE",
        help="the password; a newline at the file's end is ignored (none)",
    )
    media.add_argument("--custom-data", metavar="FILE", help="CustomData, before base64 (none)")
    media.add_argument("--ssh-key", metavar="FILE", help="public keys, one on each line (none)")
    media.add_argument(
        "--fingerprint",
        metavar="HEX",
        action="append",
        help="the thumbprint of a certificate whose public key may log in; may be repeated",
    )
    media.add_argument(
        "--disable-password-authentication",
        choices=("yes", "no"),
        help="whether sshd refuses passwords (no if there is a password, else yes)",
    )
    media.add_argument(
        "--preprovisioned-type", choices=PREPROVISIONED, help="for a VM without an owner"
    )


def _add_kvp(commands: Any) -> None:
    kvp = commands.add_parser(
        "kvp",
        help="read a pool of Hyper-V key-value pairs",
        description=(
            "Read a pool of Hyper-V key-value pairs as the host does. "
            "Print a JSON object with key and value for each pair, one on each line."
        ),
    )
    kvp.add_argument("file", metavar="FILE", help="such as /var/lib/hyperv/.kvp_pool_1")


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise EmulatorError("cannot read %s: %s" % (path, error.strerror)) from error


def _read_text(path: str) -> str:
    try:
        return _read(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise EmulatorError("%s is not UTF-8" % path) from error


def _read_password(path: str) -> str:
    text = _read_text(path)
    return text[:-1] if text.endswith("\n") else text


def _collect(options: argparse.Namespace) -> Dict[str, Any]:
    """Return the arguments of ``make_ovf`` that the options set; it has the defaults."""
    fields: Dict[str, Any] = {}
    for name in ("user_name", "host_name", "preprovisioned_type"):
        value: Optional[str] = getattr(options, name)
        if value is not None:
            fields[name] = value
    if options.password_file:
        fields["password"] = _read_password(options.password_file)
    if options.custom_data:
        fields["custom_data"] = _read(options.custom_data)
    if options.ssh_key:
        lines = [line.strip() for line in _read_text(options.ssh_key).splitlines()]
        fields["ssh_keys"] = [line for line in lines if line and not line.startswith("#")]
    if options.fingerprint:
        fields["fingerprints"] = options.fingerprint
    word = options.disable_password_authentication
    if word:
        fields["disable_password_authentication"] = word == "yes"
    return fields


def write_media(options: argparse.Namespace) -> int:
    """Run ``media``. Returns the exit code.

    Raises:
        EmulatorError: a file cannot be read or written, XML cannot contain a value, or no tool is
            installed.
    """
    if options.ovf:
        given = [name for name in _FIELDS if getattr(options, name)]
        if given:
            raise EmulatorError(
                "--ovf uses the document unchanged: leave --%s out" % given[0].replace("_", "-")
            )
        ovf = _read(options.ovf)
    else:
        ovf = make_ovf(**_collect(options))
    make_media(options.output, ovf, options.format, options.label)
    return 0


def print_pool(options: argparse.Namespace) -> int:
    """Run ``kvp``. Returns the exit code.

    Raises:
        EmulatorError: the host could not read this pool.
    """
    for key, value in read_pool(options.file):
        print(json.dumps({"key": key, "value": value}, ensure_ascii=False))
    return 0
