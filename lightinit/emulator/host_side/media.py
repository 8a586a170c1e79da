"""Writes the image of the provisioning media: one file, ovf-env.xml, in UDF or ISO 9660.

Does not know the file's content. A real tool makes the image. genisoimage and mkisofs write UDF
only together with ISO 9660 (a "bridge"), but the platform's image has only UDF: an agent that
cannot read UDF finds nothing on it. So for ``udf`` this module removes the volume descriptors of
ISO 9660, and moves those of UDF to sector 16, where readers start (ECMA-167, part 2).
"""

from __future__ import annotations

from lightinit.emulator.errors import EmulatorError
from lightinit.emulator.host_side.images import find_tool, run_tool, write_image

# The label that blkid shows on a VM. The number is a build number of the platform.
LABEL = "rd_rdfe_stable.160202-1748"
FILE = "ovf-env.xml"
SECTOR = 2048
FORMATS = ("udf", "udf-bridge", "iso9660")


def _strip_iso9660(path: str) -> None:
    """Remove ISO 9660 from the image's volume recognition sequence, in place; UDF stays."""
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
                "the image has no UDF: check that genisoimage or mkisofs is the real tool"
            )
        file.seek(16 * SECTOR)
        file.write(b"".join(kept) + b"\0" * SECTOR * (sector - 16 - len(kept)))


def make_media(path: str, ovf: bytes, form: str = "udf", label: str = LABEL) -> None:
    """Write an image in one step. Only the caller can read it, because it may contain a password.

    Args:
        path: the image; an existing file is replaced.
        ovf: the content of ovf-env.xml.
        form: ``udf`` as the platform's image, ``iso9660``, or ``udf-bridge``, which has both.
        label: the volume's label.

    Raises:
        EmulatorError: no suitable tool is installed, it failed, or the file cannot be written.
    """
    kind = "iso9660" if form == "iso9660" else "udf"
    words = ["-quiet", "-V", label, "-r", "-J"] + ["-udf"] * (kind == "udf")

    def make(image: str, content: str) -> None:
        run_tool(find_tool(kind) + words + ["-o", image, content])
        if form == "udf":
            _strip_iso9660(image)

    write_image(path, {FILE: ovf}, make)
