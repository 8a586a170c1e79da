"""The datasource configdrive: folders with the emulator's tree, and drives that are of no use."""

from __future__ import annotations

import base64
import json
from typing import Any, Dict

import pytest

from lightinit.datasources.base import Anchor
from lightinit.datasources.configdrive.datasource import ConfigDriveDatasource
from lightinit.datasources.configdrive.settings import check_settings
from lightinit.datasources.configdrive.sign import find_sign
from lightinit.datasources.detect import detect
from lightinit.datasources.signs import Evidence
from lightinit.emulator.openstack.tree import fill_in, make_tree
from lightinit.errors import LightinitError
from lightinit.formats.nova import tree
from lightinit.host.identity import Dmi
from lightinit.host.system import System
from lightinit.model import Network
from tests.lib.planned_clock import PlannedClock
from tests.lib.scratch import UUID

SEED = "/var/lib/cloud/seed/config_drive"
META = "openstack/latest/meta_data.json"
VM = {
    "uuid": UUID,
    "public_keys": {"mykey": "ssh-ed25519 AAAA ada"},
    "user_data": "#!/bin/sh\n",
    "files": {"/etc/motd": "hello\n"},
    "admin_pass": "hunter2",
}


def put_tree(root: Any, folder: str = SEED, vm: Any = None, **changes: Any) -> None:
    """A tree in a folder; ``changes`` replace files by name, None removes one."""
    files = make_tree(fill_in(vm or VM), is_drive=True)
    files.update(changes.pop("replaced", {}))
    for name, content in files.items():
        path = root / folder.lstrip("/") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_bytes(content)


def datasource(root: Any, clock: Any = None, **options: Any) -> ConfigDriveDatasource:
    return ConfigDriveDatasource(System(str(root), clock or PlannedClock()), options)


def test_a_folder_gives_the_vm_all(tmp_path: Any) -> None:
    put_tree(tmp_path)
    source = datasource(tmp_path)
    assert source.is_this_platform(Dmi()) is True and source.instance_id(Dmi()) == UUID
    assert source.anchors() == tuple(
        Anchor("file", name)
        for name in (
            "%s/%s" % (SEED, META),
            "/config-drive/" + META,
            "/sys/class/dmi/id/product_uuid",
        )
    )
    instance, warnings = source.fetch(UUID)
    assert warnings == () and instance.subplatform == "seed-dir (%s)" % SEED
    assert base64.b64decode(instance.user_data) == b"#!/bin/sh\n"
    assert [(file.path, base64.b64decode(file.content)) for file in instance.files] == [
        ("/etc/motd", b"hello\n")
    ]
    assert "hunter2" not in json.dumps(instance.raw)
    sign = find_sign(Evidence(System(str(tmp_path))), {})
    assert sign == (True, "the folder %s" % SEED)


def test_a_folder_of_the_settings_without_latest(tmp_path: Any) -> None:
    put_tree(tmp_path, "/seed", replaced={META: None})
    source = datasource(tmp_path, media="/seed")
    assert source.instance_id(Dmi()) == UUID
    assert source.anchors()[-1].name == "/seed/openstack/2020-10-14/meta_data.json"
    system = System(str(tmp_path))
    assert find_sign(Evidence(system), {"media": "/seed"}).found
    assert not find_sign(Evidence(system), {"media": "/dev/sr0"}).found
    assert [check_settings(system, {"media": each}) for each in ("auto", "/seed")] == [[], []]
    assert check_settings(system, {"media": "sr0"}) and check_settings(system, {"media": "/dev/x"})


def test_two_drives_of_different_vms(tmp_path: Any) -> None:
    put_tree(tmp_path)
    put_tree(tmp_path, "/config-drive", dict(VM, uuid="other"))
    warnings = datasource(tmp_path).fetch(UUID)[1]
    told = "/config-drive is a config drive of another instance, other; %s is used" % SEED
    assert warnings == (told,)
    (tmp_path / SEED.lstrip("/") / META).write_bytes(b"<html>")
    source = datasource(tmp_path)
    assert source.instance_id(Dmi()) == "other"
    assert ["is not used: json document" in text for text in source.fetch("x")[1]] == [True]


@pytest.mark.parametrize(
    "replaced, told",
    [
        ({"openstack/latest/user_data": b"x" * (4 * 1024 * 1024 + 1)}, "user_data is not used"),
        ({"openstack/content/0000": None}, "/etc/motd is not written"),
        ({"openstack/latest/vendor_data.json": b"{"}, "vendor_data.json is not used"),
    ],
)
def test_what_a_vm_can_do_without(tmp_path: Any, replaced: Dict[str, Any], told: str) -> None:
    put_tree(tmp_path, replaced=replaced)
    instance, warnings = datasource(tmp_path).fetch(UUID)
    assert [told in text for text in warnings] == [True] and instance.public_keys


@pytest.mark.parametrize(
    "content, told",
    [
        (b"<html>", "config drive is not usable .*because=json document is not json"),
        (b"{}", "because=openstack metadata name no instance"),
        (b" " * (1024 * 1024 + 1), "because=file is too large"),
    ],
)
def test_a_drive_that_is_of_no_use(tmp_path: Any, content: bytes, told: str) -> None:
    put_tree(tmp_path, replaced={META: content})
    source = datasource(tmp_path)
    assert source.is_this_platform(Dmi()) is True and source.instance_id(Dmi()) == ""
    for ask in (source.ask_instance_id, lambda: source.fetch("x")):
        with pytest.raises(LightinitError, match=told) as caught:
            ask()
        assert caught.value.details["hint"]


def test_a_drive_that_comes_late_or_never(tmp_path: Any) -> None:
    clock = PlannedClock((2.0, lambda: put_tree(tmp_path)))
    source = datasource(tmp_path, clock)
    assert source.is_this_platform(Dmi()) is None
    source.confirm_platform(Network())
    assert 2.0 <= clock.passed_s < 3.0 and source.instance_id(Dmi()) == UUID
    clock = PlannedClock()
    with pytest.raises(LightinitError, match="config drive is missing"):
        datasource(tmp_path / "none", clock, media_wait_s=5.0).confirm_platform(Network())
    assert clock.passed_s >= 5.0


def test_a_drive_that_has_gone_since_the_first_boot(tmp_path: Any) -> None:
    folder = tmp_path / "sys/class/dmi/id"
    folder.mkdir(parents=True)
    (folder / "product_uuid").write_text(UUID.upper() + "\n")
    assert datasource(tmp_path).instance_id(Dmi()) == ""
    (folder / "product_name").write_text("OpenStack Nova\n")
    assert datasource(tmp_path).instance_id(Dmi()) == UUID


def test_any_other_machine_stays_as_it_is_without_its_drive(tmp_path: Any) -> None:
    """It is not waited for, and it is no error: Proxmox VE, for example, lets it be detached."""
    put_tree(tmp_path)
    folder = tmp_path / "var/lib/lightinit/instance"
    folder.mkdir(parents=True)
    instance = datasource(tmp_path).fetch(UUID)[0]
    assert instance.raw["seed"] == {"kind": "folder", "where": SEED, "machine": ""}
    kept = {"id": instance.id, "platform": instance.platform, "raw": instance.raw}
    (folder / "instance.json").write_text(json.dumps(kept))
    (tmp_path / SEED.lstrip("/") / META).unlink()
    for name in tree.VERSIONS:
        (tmp_path / SEED.lstrip("/") / "openstack" / name / "meta_data.json").unlink()
    source = datasource(tmp_path)
    assert source.is_this_platform(Dmi()) is True and source.instance_id(Dmi()) == UUID
    system = System(str(tmp_path))
    assert "has not ended" in find_sign(Evidence(system), {}).why
    system.write("/var/lib/lightinit/instance/sem/stage.final", b"")
    assert find_sign(Evidence(system), {}).found is False
    system.write("/sys/class/dmi/id/product_uuid", b"d1e0a7b4-93c2-4b55-8a11-77f0c2a4e6d8\n")
    source = datasource(tmp_path)
    assert source.is_this_platform(Dmi()) is None, "a copy of the disk is another machine"
    assert source.instance_id(Dmi()) == ""


def test_a_nocloud_seed_beside_it_counts_and_the_drive_is_told(tmp_path: Any) -> None:
    put_tree(tmp_path)
    system = System(str(tmp_path))
    system.write("/sys/class/dmi/id/chassis_asset_tag", b"desk\n")
    assert detect(system, {}).name == "configdrive"
    system.write("/var/lib/cloud/seed/nocloud/meta-data", b"instance-id: x\n")
    found = detect(system, {})
    assert (found.name, found.ignored) == ("nocloud", ("configdrive: the folder %s" % SEED,))
