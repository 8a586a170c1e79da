"""The disks of a cloud-config in a whole boot: a bad one costs nothing else."""

from __future__ import annotations

from pathlib import Path

from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from tests.lib.needs_yaml import needs_yaml
from tests.lib.scratch import Machine

pytestmark = needs_yaml
DATA = b"""#cloud-config
device_aliases: {data: /dev/disk/azure/scsi1/lun0}
disk_setup: {data: {layout: [100]}, bad: {layout: [60, 60]}}
fs_setup: [{device: data.1, filesystem: ext4}]
mounts:
- [data.1, /data, auto, noatime]
- [sdz, relative]
- [sdz, /etc]
- text
swap: {size: 1G}
growpart: {mode: "off"}
timezone: UTC
"""


def test_mistakes_are_warnings_and_the_rest_is_done(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        ovf = make_ovf("azureuser", "web-1", custom_data=DATA)
        machine.put("/media/ovf-env.xml", ovf.decode())
        machine.put("/etc/fstab", "UUID=1 / ext4 defaults 0 1")
        machine.lead_to(platform, "[azure]\nmedia = /media\nmedia_only_s = 0.2\n")
        ended = machine.run("boot")
        assert ended.returncode == 0 and platform.ready_count == 1, ended.stderr
    assert machine.read("/etc/fstab") == (
        "UUID=1 / ext4 defaults 0 1\n"
        "/dev/disk/azure/scsi1/lun0-part1 /data auto noatime,nofail 0 2 # lightinit mounts\n"
    )
    for said in (
        "disk_setup.bad.layout: the sizes are more than 100 percent",
        "mounts[1]: the mount point is not an absolute path",
        "mounts[3]: it is text, and must be a list",
        "the mount of sdz at /etc is left out: the system needs what is there",
        "swap left out in a scratch root",
        "disks left out in a scratch root",
    ):
        assert said in ended.stderr, said
