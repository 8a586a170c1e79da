"""Fixtures of several files in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from tests.lib.netns import Namespace, need
from tests.lib.scratch import DMI, SPARE_THE_DISK
from tests.real_clients.azure_side import Azure


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[Azure]:
    need("dnsmasq", "ssh-keygen", "ssh")
    with Namespace() as machine:
        yield Azure(machine, tmp_path)


@pytest.fixture
def vm(azure: Azure) -> Iterator[Namespace]:
    need("dhclient", "sshd", "sudo", "visudo", "useradd")
    with Namespace(
        [
            "/run",
            "/var/lib/dhcp",
            "/var/lib/lightinit",
            "/var/log",
            "/home",
            "/var/mail",
            "/var/lib/hyperv",
        ]
    ) as vm:
        azure.machine.connect("vs", vm, "eth0")
        azure.machine.add_address("vs", "10.99.0.1/24")
        vm.run("sh", "-c", DMI)
        vm.write("/etc/lightinit/conf.d/05-test.conf", SPARE_THE_DISK)
        yield vm
