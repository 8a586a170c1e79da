"""Fixtures of several files in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from tests.lib.netns import Namespace, need
from tests.real_clients.azure_side import Azure, open_vm


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[Azure]:
    need("dnsmasq", "ssh-keygen", "ssh")
    with Namespace() as machine:
        yield Azure(machine, tmp_path)


@pytest.fixture
def vm(azure: Azure) -> Iterator[Namespace]:
    need("dhclient", "sshd", "sudo", "visudo", "useradd")
    with open_vm(azure) as vm:
        yield vm
