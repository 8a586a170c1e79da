"""The image of a volume as the block device that a CD-ROM drive would be."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Optional, Type

from lightinit.emulator.host_side.media import make_media


class Drive:
    """A drive with a volume in it, a loop device, for as long as the ``with`` block lasts.

    Args:
        image: the volume's.
    """

    def __init__(self, image: Path) -> None:
        self._image = str(image)
        self._device = ""

    def __enter__(self) -> "Drive":
        # Whoever else takes a loop device at this moment makes this fail now and then; losetup then
        # says busy.
        for _ in range(10):
            ended = subprocess.run(
                ["losetup", "--find", "--show", "--read-only", self._image],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                universal_newlines=True,
            )
            if ended.returncode == 0:
                self._device = ended.stdout.strip()
                # Partitions that somebody else's disk on this device has left: blkid passes over
                # a disk that has any.
                subprocess.run(["partx", "--delete", self._device], stderr=subprocess.DEVNULL)
                return self
        raise AssertionError("no loop device for the media: " + ended.stderr)

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        subprocess.run(["losetup", "--detach", self._device], check=True)

    @property
    def number(self) -> str:
        """The device's numbers, as ``major:minor``."""
        status = os.stat(self._device)
        return "%d:%d" % (os.major(status.st_rdev), os.minor(status.st_rdev))


class Media(Drive):
    """A drive with the emulator's provisioning media in it.

    They are ISO 9660: for UDF, which the platform's own media have, there is no file system in user
    space.

    Args:
        folder: where the image goes.
        ovf: what ovf-env.xml in it holds.
    """

    def __init__(self, folder: Path, ovf: bytes) -> None:
        super().__init__(folder / "media.iso")
        make_media(self._image, ovf, "iso9660")
