"""Writes the image of the provisioning media: one file, ovf-env.xml, in UDF or ISO 9660. Knows
nothing of its content.

The image is made by a real tool. genisoimage and mkisofs write UDF beside ISO 9660 only (a
"bridge"), and the platform's own image is UDF alone: whoever cannot read UDF gets nothing from it.
So for ``udf`` the volume descriptors of ISO 9660 are taken out again, and those of UDF moved to
where a reader begins (ECMA-167, part 2: sector 16 and up).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from typing import List

from lightinit.emulator.errors import EmulatorError

# as blkid shows it on a VM; the number is a build of the platform's
LABEL = "rd_rdfe_stable.160202-1748"
FILE = "ovf-env.xml"
SECTOR = 2048
FORMATS = ("udf", "udf-bridge", "iso9660")
TIMEOUT_S = 60.0
_TOOLS = {
    "udf": (["genisoimage"], ["mkisofs"]),
    "iso9660": (["genisoimage"], ["xorriso", "-as", "mkisofs"], ["mkisofs"]),
}


def _find_tool(kind: str) -> List[str]:
    for words in _TOOLS[kind]:
        program = shutil.which(words[0])
        # xorriso has no UDF.
        if program and not (kind == "udf" and "xorriso" in os.path.realpath(program)):
            return [program] + words[1:]
    raise EmulatorError(
        "no tool is installed here that writes %s images: install %s"
        % ("UDF" if kind == "udf" else "ISO 9660", " or ".join(words[0] for words in _TOOLS[kind]))
    )


def _strip_iso9660(path: str) -> None:
    """Make an image pure UDF, in place: its volume recognition sequence names no ISO 9660 any
    more.
    """
    with open(path, "r+b") as file:
        kept, sector = [], 16
        while True:
            file.seek(sector * SECTOR)
            block = file.read(SECTOR)
            if block[1:6] not in (b"CD001", b"BEA01", b"NSR02", b"NSR03", b"TEA01"):
                break
            if block[1:6] != b"CD001":
                kept.append(block)
            sector += 1
        if [block[1:4] for block in kept] != [b"BEA", b"NSR", b"TEA"]:
            raise EmulatorError(
                "the tool wrote no UDF into the image: is genisoimage or mkisofs what it says?"
            )
        file.seek(16 * SECTOR)
        file.write(b"".join(kept) + b"\0" * SECTOR * (sector - 16 - len(kept)))


def make_media(path: str, ovf: bytes, form: str = "udf", label: str = LABEL) -> None:
    """Write an image, whole or not at all, readable for this account alone: it may hold a password.

    Args:
        path: where to; an existing file is replaced.
        ovf: what ovf-env.xml in it holds.
        form: ``udf`` as the platform's, ``iso9660``, or ``udf-bridge``, which is both at once.
        label: the volume's label.

    Raises:
        EmulatorError: no tool is installed for it, the tool failed, or the file cannot be written.
    """
    kind = "iso9660" if form == "iso9660" else "udf"
    words = (
        _find_tool(kind) + ["-quiet", "-V", label, "-r", "-J"] + (["-udf"] if kind == "udf" else [])
    )
    folder = os.path.dirname(os.path.abspath(path))
    try:
        with tempfile.TemporaryDirectory(prefix=".lightinit-emulator-", dir=folder) as staging:
            content, image = os.path.join(staging, "content"), os.path.join(staging, "image")
            os.mkdir(content)
            with open(os.path.join(content, FILE), "wb") as file:
                file.write(ovf)
            os.close(os.open(image, os.O_WRONLY | os.O_CREAT, 0o600))
            ended = subprocess.run(
                words + ["-o", image, content],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT_S,
                check=False,
            )
            if ended.returncode:
                raise EmulatorError(
                    "%s failed: %s"
                    % (
                        os.path.basename(words[0]),
                        ended.stdout.decode("utf-8", "replace").strip()[-500:],
                    )
                )
            if form == "udf":
                _strip_iso9660(image)
            os.chmod(image, 0o600)
            os.replace(image, path)
    except OSError as error:
        raise EmulatorError(
            "cannot write the image %s: %s" % (path, error.strerror or error)
        ) from error
    except subprocess.TimeoutExpired as error:
        raise EmulatorError(
            "%s did not end within %d s" % (os.path.basename(words[0]), TIMEOUT_S)
        ) from error
