"""Block devices in a scratch root, as /sys shows them."""

from __future__ import annotations

from pathlib import Path


class Sysfs:
    """The sysfs of a scratch root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "sys/class/block").mkdir(parents=True)

    def add(
        self,
        name: str,
        size: int,
        ro: int = 0,
        virtual: bool = False,
        kind: str = "0",
        removable: int = 0,
    ) -> None:
        """Add a disk, a drive (``kind`` 5) or a virtual device of ``size`` sectors."""
        folder = self.root / ("sys/devices/%s/block/%s" % ("virtual" if virtual else "pci0", name))
        (folder / "device").mkdir(parents=True)
        for file, value in (
            ("dev", "8:0"),
            ("size", size),
            ("ro", ro),
            ("device/type", kind),
            ("removable", removable),
        ):
            (folder / file).write_text("%s\n" % value)
        (self.root / "sys/class/block" / name).symlink_to(
            "../../" + str(folder.relative_to(self.root / "sys"))
        )
