"""Loop devices of tests that run at the same time: tests/lib/loops.py."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

from tests.lib import loops
from tests.lib.namespaced import need_loop_devices
from tests.lib.netns import wait_until


def test_partitions_do_not_stay_when_somebody_looks_at_one(tmp_path: Path) -> None:
    need_loop_devices("losetup", "partx", "addpart")
    image = tmp_path / "image"
    image.write_bytes(bytes(1024 * 1024))
    device = loops.attach(str(image))
    try:
        subprocess.run(["addpart", device, "1", "128", "512"], check=True)
        assert loops.partitions(device) == [os.path.basename(device) + "p1"]
        held = os.open(device + "p1", os.O_RDONLY)  # as udev does when one appears
        threading.Timer(0.3, os.close, [held]).start()
    finally:
        loops.detach(device)
    assert loops.partitions(device) == []
    backing = Path("/sys/block/%s/loop/backing_file" % os.path.basename(device))
    wait_until(
        lambda: not backing.exists() or str(tmp_path) not in backing.read_text(),
        60,
        "it is not given back",
    )
