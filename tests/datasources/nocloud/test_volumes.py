"""NoCloud seeds on volumes: images that the emulator's command and cloud-localds write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Tuple

import pytest

from lightinit.datasources.nocloud.datasource import NoCloudDatasource
from lightinit.emulator.cli import main
from lightinit.errors import LightinitError
from lightinit.host.identity import Dmi
from lightinit.host.system import System
from lightinit.model import Instance
from tests.emulator.tools import need, run

USER_DATA = "#cloud-config\r\n"


def write(tmp_path: Path, form: str, user_data: str = USER_DATA) -> None:
    """Write root/seed with the command."""
    (tmp_path / "root").mkdir(exist_ok=True)
    (tmp_path / "user-data").write_bytes(user_data.encode())
    words = ["seed", "--output", str(tmp_path / "root/seed"), "--format", form]
    words += ["--user-data", str(tmp_path / "user-data"), "--instance-id", "v-1"]
    assert main(words + ["--host-name", "desk"]) == 0


def fetch(tmp_path: Path) -> Tuple[Instance, str]:
    source = NoCloudDatasource(System(str(tmp_path / "root")), {"media": "/seed"})
    assert source.is_this_platform(Dmi()) is True
    instance, warnings = source.fetch(source.instance_id(Dmi()))
    return instance, "\n".join(warnings)


@pytest.mark.parametrize("form", ["iso9660", "vfat", "folder"])
def test_a_volume_that_the_command_writes(tmp_path: Path, form: str) -> None:
    need(*{"iso9660": ["genisoimage"], "vfat": ["mkfs.vfat", "mcopy"], "folder": []}[form])
    write(tmp_path, form)
    instance, warnings = fetch(tmp_path)
    assert (instance.id, instance.hostnames, warnings) == ("v-1", ("desk",), "")
    assert instance.subplatform == "config-disk (/seed)" and instance.user_data


def test_a_volume_of_cloud_localds(tmp_path: Path) -> None:
    need("cloud-localds", "genisoimage")
    (tmp_path / "root").mkdir()
    (tmp_path / "user-data").write_text(USER_DATA)
    run("cloud-localds", str(tmp_path / "root/seed"), str(tmp_path / "user-data"))
    instance, warnings = fetch(tmp_path)
    assert (instance.id, warnings) == ("iid-local01", "")


def test_a_file_of_a_volume_that_is_too_large_does_not_hide_the_others(tmp_path: Path) -> None:
    need("genisoimage")
    write(tmp_path, "iso9660", "x" * (20 * 1024 * 1024))
    instance, warnings = fetch(tmp_path)
    assert (instance.id, instance.user_data) == ("v-1", "")
    assert "user-data of the volume" in warnings and "too large" in warnings


def test_links_stay_on_the_volume(tmp_path: Path) -> None:
    need("genisoimage")
    content = tmp_path / "content"
    content.mkdir()
    (content / "real").write_text("instance-id: linked\n")
    os.symlink("real", str(content / "meta-data"))
    os.symlink("/etc/passwd", str(content / "user-data"))
    (tmp_path / "root").mkdir()
    image = str(tmp_path / "root/seed")
    run("genisoimage", "-quiet", "-r", "-V", "cidata", "-o", image, str(content))
    instance, warnings = fetch(tmp_path)
    assert (instance.id, instance.user_data) == ("linked", "")
    assert "user-data of the volume" in warnings


def test_what_is_no_volume_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/seed").write_bytes(b"\0" * 100000)
    source = NoCloudDatasource(System(str(tmp_path / "root")), {"media": "/seed"})
    assert source.instance_id(Dmi()) == ""
    with pytest.raises(LightinitError, match="volume cannot be read"):
        source.ask_instance_id()
