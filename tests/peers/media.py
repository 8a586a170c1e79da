"""The image of a volume as the block device that a CD-ROM drive would be."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Optional, Type

from lightinit.emulator.host_side.media import make_media
from tests.lib import loops


class Drive:
    """A drive with a volume in it, a loop device, for as long as the ``with`` block lasts.

    Args:
        image: the volume's.
    """

    def __init__(self, image: Path) -> None:
        self._image = str(image)
        self._device = ""

    def __enter__(self) -> "Drive":
        self._device = loops.attach(self._image, "--read-only")
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        loops.detach(self._device)

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
