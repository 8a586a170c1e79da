"""Images of provisioning media, made by genisoimage from one document."""

from __future__ import annotations

import os
import subprocess
from typing import Dict

SECTOR = 2048


def build(folder: str, document: bytes) -> Dict[str, str]:
    """Make every kind of image in ``folder``. Returns their paths by kind.

    - ``bridge``: UDF and ISO 9660, both with the document
    - ``azure``: likewise, and the document is on the UDF side alone, as the platform's are
    - ``udf``: UDF alone
    - ``rock``, ``joliet``, ``plain``, ``relaxed``: ISO 9660 with Rock Ridge, with Joliet; without
      either (the name is OVF_ENV.XML;1), and so with a hyphen (OVF-ENV.XML;1)
    - ``deep``: the document lies in a directory below
    - ``other``: no document at all
    """
    tree = os.path.join(folder, "tree")
    for name, data in (
        ("tree/ovf-env.xml", document),
        ("tree/readme.txt", b"nothing\n"),
        ("deep/below/ovf-env.xml", document),
        ("other/readme.txt", b"nothing\n"),
    ):
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        with open(os.path.join(folder, name), "wb") as handle:
            handle.write(data)
    made = {}
    for kind, source, options in (
        ("bridge", tree, ["-udf"]),
        ("rock", tree, ["-R"]),
        ("joliet", tree, ["-J"]),
        ("plain", tree, []),
        ("relaxed", tree, ["-relaxed-filenames"]),
        ("deep", os.path.join(folder, "deep"), ["-udf", "-R"]),
        ("other", os.path.join(folder, "other"), ["-udf", "-R"]),
    ):
        made[kind] = os.path.join(folder, kind + ".img")
        subprocess.run(
            ["genisoimage", "-quiet", *options, "-o", made[kind], source],
            check=True,
            stderr=subprocess.DEVNULL,
        )
    with open(made["bridge"], "rb") as handle:
        bridge = handle.read()
    for kind, data in (("azure", _hide_on_iso(bridge)), ("udf", _without_iso(bridge))):
        made[kind] = os.path.join(folder, kind + ".img")
        with open(made[kind], "wb") as handle:
            handle.write(data)
    return made


def _hide_on_iso(bridge: bytes) -> bytes:
    assert bridge.count(b"OVF_ENV.XML;1") == 1
    return bridge.replace(b"OVF_ENV.XML;1", b"NOTHING.TXT;1")


def _without_iso(bridge: bytes) -> bytes:
    """Only UDF's own descriptors, at the beginning of the volume recognition sequence; UDF hangs on
    none of ISO 9660's.
    """
    sectors = [bridge[at : at + SECTOR] for at in range(16 * SECTOR, 32 * SECTOR, SECTOR)]
    udf = [each for each in sectors if each[1:6] in (b"BEA01", b"NSR02", b"TEA01")]
    assert len(udf) == 3
    kept = b"".join(udf + [bytes(SECTOR)] * (len(sectors) - len(udf)))
    return bridge[: 16 * SECTOR] + kept + bridge[32 * SECTOR :]
