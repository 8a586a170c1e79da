"""NoCloud: where a seed may be, which one counts, and what becomes of it."""

from __future__ import annotations

import base64
import json
import os
import shutil
from typing import Any, Dict, Optional, Set, Tuple

import pytest

from lightinit.datasources.base import Anchor
from lightinit.datasources.nocloud.anchoring import find_anchors
from lightinit.datasources.nocloud.datasource import NoCloudDatasource
from lightinit.datasources.nocloud.local_seed import LocalSeed
from lightinit.datasources.nocloud.places import Given
from lightinit.datasources.nocloud.sign import find_sign
from lightinit.datasources.signs import Evidence
from lightinit.errors import LightinitError
from lightinit.host.identity import Dmi
from lightinit.host.system import System
from lightinit.model import Instance, Network
from lightinit.quick import cksum
from tests.lib.scratch import UUID, ScriptedClock

FOLDER = "/var/lib/cloud/seed/nocloud"
NET_FOLDER = FOLDER + "-net"
CREDENTIALS = "/run/credentials/@system/lightinit."
META = "instance-id: iid-1\nlocal-hostname: desk\npublic-keys: ssh-ed25519 AAAA ada\n"
USER = "#!/bin/sh\n"


class Desk:
    """A scratch root with what a machine shows."""

    def __init__(self, root: Any) -> None:
        self.root = str(root)

    def put(self, name: str, data: Any) -> None:
        path = self.root + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode("utf-8"))

    def seed(self, folder: str, meta: Optional[str] = META, user: Optional[str] = USER) -> None:
        for name, text in (("meta-data", meta), ("user-data", user)):
            if text is not None:
                self.put("%s/%s" % (folder, name), text)

    def say(self, line: str) -> None:
        self.put("/proc/cmdline", "root=/dev/vda1 %s quiet\n" % line)

    def source(self, **options: Any) -> NoCloudDatasource:
        return NoCloudDatasource(System(self.root, clock=ScriptedClock()), options)

    def fetch(self, **options: Any) -> Tuple[Instance, str]:
        """The instance, and the warnings in one text."""
        source = self.source(**options)
        instance_id = source.instance_id(Dmi())
        assert instance_id
        instance, warnings = source.fetch(instance_id)
        return instance, "\n".join(warnings)


@pytest.fixture
def desk(tmp_path: Any) -> Desk:
    return Desk(tmp_path)


def text(data: str) -> str:
    return base64.b64decode(data).decode("utf-8")


def test_a_seed_folder(desk: Desk) -> None:
    desk.seed(FOLDER)
    desk.put(FOLDER + "/vendor-data", "#cloud-config\n")
    instance, warnings = desk.fetch()
    assert warnings == ""
    assert (instance.id, instance.platform, instance.hostnames) == ("iid-1", "nocloud", ("desk",))
    assert (text(instance.user_data), text(instance.vendor_data)) == (USER, "#cloud-config\n")
    assert [key.text for key in instance.public_keys] == ["ssh-ed25519 AAAA ada"]
    assert instance.subplatform == "seed-dir (%s)" % FOLDER
    assert instance.raw["meta_data"]["local-hostname"] == "desk" and instance.admin is None
    source = desk.source()
    assert source.is_this_platform(Dmi()) is True
    source.begin()
    assert source.NEEDS_NETWORK is False


@pytest.mark.parametrize(
    "files, why",
    [
        ({}, None),
        ({"/proc/cmdline": "ro ds=nocloud"}, "command line"),
        ({"/sys/class/dmi/id/product_serial": "ds=nocloud;s=http://x/"}, "serial number"),
        ({"/sys/class/dmi/id/product_serial": "VMware-12"}, None),
        ({NET_FOLDER + "/user-data": ""}, NET_FOLDER),
        ({FOLDER + "/vendor-data": ""}, None),
        ({CREDENTIALS + "meta-data": ""}, "credentials"),
        (
            {"/sys/firmware/dmi/entries/11-0/raw": b"\x0b\x05\0\0\1cloud-init:ds=nocloud\0\0"},
            "SMBIOS type 11",
        ),
    ],
)
def test_signs(desk: Desk, files: Dict[str, Any], why: Optional[str]) -> None:
    for name, data in files.items():
        desk.put(name, data)
    sign = find_sign(Evidence(System(desk.root)), {})
    assert sign.found is (why is not None) and (why or "no ds=nocloud") in sign.why


def test_a_volume_of_the_settings_that_is_missing_is_named(desk: Desk) -> None:
    for media, told in (("/media/x", "and /media/x of the settings"), ("none", "are not used")):
        assert told in find_sign(Evidence(System(desk.root)), {"media": media}).why


def test_words_count_before_the_seed(desk: Desk) -> None:
    desk.seed(FOLDER)
    desk.say("ds=nocloud;i=word-1;h=word;x=y")
    desk.put("/sys/class/dmi/id/product_serial", "ds=nocloud;h=serial\n")
    instance, _ = desk.fetch()
    assert (instance.id, instance.hostnames) == ("word-1", ("serial",))
    assert text(instance.user_data) == USER and instance.raw["meta_data"]["x"] == "y"


def test_words_alone_are_a_seed(desk: Desk) -> None:
    desk.say("ds=nocloud;i=bare")
    instance, warnings = desk.fetch()
    assert (instance.id, instance.user_data, warnings) == ("bare", "", "")


def test_a_folder_that_words_name(desk: Desk) -> None:
    desk.seed("/srv/seed", META.replace("iid-1", "named"))
    desk.seed(FOLDER)
    desk.say("ds=nocloud;s=file:///srv/seed/")
    instance, warnings = desk.fetch()
    assert instance.id == "named" and "there is also the seed folder " + FOLDER in warnings
    assert instance.raw["seed"]["passed"] == {FOLDER: cksum(META.encode())}, (
        "which is no new seed if this one has gone"
    )
    desk.say("ds=nocloud;s=/srv/other/")
    source = desk.source()
    assert source.instance_id(Dmi()) == ""
    with pytest.raises(LightinitError, match="seedfrom leads to no seed"):
        source.ask_instance_id()


def test_one_of_two_seeds_counts_and_the_other_is_told(desk: Desk) -> None:
    desk.seed(NET_FOLDER, META.replace("iid-1", "net"))
    desk.seed(FOLDER, META.replace("iid-1", "folder"))
    instance, warnings = desk.fetch()
    assert instance.id == "folder" and NET_FOLDER + ": it is not used" in warnings
    desk.put(CREDENTIALS + "meta-data", "instance-id: creds\n")
    desk.put(CREDENTIALS + "user-data", "#cloud-config\n")
    instance, warnings = desk.fetch()
    assert instance.id == "creds" and warnings.count("it is not used") == 2


def test_credentials_from_smbios_alone(desk: Desk) -> None:
    user = base64.b64encode(USER.encode())
    raw = b"\x0b\x05\0\0\2io.systemd.credential:lightinit.meta-data=instance-id: oem\0"
    raw += b"io.systemd.credential.binary:lightinit.user-data=%s\0\0" % user
    desk.put("/sys/firmware/dmi/entries/11-0/raw", raw)
    instance, _ = desk.fetch()
    assert (instance.id, text(instance.user_data)) == ("oem", USER)


@pytest.mark.parametrize(
    "meta, user, instance_id, told",
    [
        (None, USER, "nocloud-", "has no meta-data; cloud-init would not take it"),
        (META, None, "iid-1", "has no user-data"),
        ("", "", "nocloud-", "the seed has no instance-id"),
        ("local-hostname: x\n", USER, "nocloud-", "the seed has no instance-id"),
        ("instance-id: a/b\n", USER, "a_b-", "cannot name a folder"),
        ("<html>", USER, "nocloud-", "the meta-data are not used: meta-data are not usable"),
        (META + "network-interfaces: x\n", USER, "iid-1", "network-interfaces is not supported"),
        (META + "x" * 300000, USER, "nocloud-", "meta-data of the seed folder"),
        (META, "x" * (4 * 1024 * 1024 + 1), "iid-1", "user-data of the seed folder"),
    ],
)
def test_bad_seeds_are_told_and_used_as_far_as_they_go(
    desk: Desk, meta: Optional[str], user: Optional[str], instance_id: str, told: str
) -> None:
    desk.seed(FOLDER, meta, user)
    instance, warnings = desk.fetch()
    assert instance.id.startswith(instance_id) and told in warnings
    assert desk.source().instance_id(Dmi()) == instance.id, "the next boot finds the same"


def test_windows_line_ends_and_a_file_that_is_no_file(desk: Desk) -> None:
    desk.seed(FOLDER, META.replace("\n", "\r\n"), "#cloud-config\r\n")
    os.mkdir(desk.root + FOLDER + "/vendor-data")
    instance, warnings = desk.fetch()
    assert (instance.id, instance.hostnames) == ("iid-1", ("desk",))
    assert [key.text for key in instance.public_keys] == ["ssh-ed25519 AAAA ada"]
    assert "vendor-data of the seed folder" in warnings


def test_a_network_config_is_kept_and_told(desk: Desk) -> None:
    desk.seed(FOLDER)
    desk.put(FOLDER + "/network-config", '{"version": 2, "ethernets": {"e0": {"dhcp4": true}}}')
    assert desk.fetch()[1] == ""
    desk.put(FOLDER + "/network-config", '{"version": 2, "bonds": {}}')
    source = desk.source()
    _, warnings = source.fetch("iid-1")
    assert "network-config is not supported" in warnings[0]
    assert source.documents["network-config"].startswith(b"{")


def test_a_seed_that_cannot_be_read_any_more_leaves_the_machine_as_it_is(desk: Desk) -> None:
    """But without an instance, or for another one, it is an error, which names what to do."""
    desk.say("ds=nocloud;s=FILE://localhost/srv/__dmi.system-serial-number__")
    desk.put("/sys/class/dmi/id/product_serial", "A 1/2\n")
    desk.seed("/srv/A 1_2")
    assert desk.source().instance_id(Dmi()) == "iid-1"
    os.unlink(desk.root + "/srv/A 1_2/meta-data")
    os.unlink(desk.root + "/srv/A 1_2/user-data")
    assert desk.source().instance_id(Dmi()) == ""
    document = {"id": "old", "platform": "nocloud", "raw": {"seed": {"machine": ""}}}
    desk.put("/var/lib/lightinit/instance/instance.json", json.dumps(document))
    assert desk.source().instance_id(Dmi()) == "old"
    desk.say("ds=nocloud;s=/srv/none;i=new")
    assert desk.source().instance_id(Dmi()) == ""
    desk.say("")
    os.makedirs(desk.root + "/media/meta-data.yaml")
    with pytest.raises(LightinitError, match="named without an ending such as"):
        desk.source(media="/media").ask_instance_id()


def test_no_seed_at_all(desk: Desk) -> None:
    source = desk.source()
    assert source.is_this_platform(Dmi()) is None, "it may still come"
    with pytest.raises(LightinitError, match="no seed has come"):
        source.confirm_platform(Network())
    assert sum(source.system.clock.sleeps) == pytest.approx(10.0)  # type: ignore[attr-defined]
    os.makedirs(desk.root + "/var/lib/lightinit/instance")
    assert desk.source().is_this_platform(Dmi()) is False, "it was detached after the first boot"
    with pytest.raises(LightinitError, match="no seed was found"):
        desk.source().ask_instance_id()


def test_a_seed_that_comes_late_is_found(desk: Desk) -> None:
    class Attaching(ScriptedClock):
        def sleep(self, duration_s: float) -> None:
            super().sleep(duration_s)
            if len(self.sleeps) == 3:
                desk.seed(FOLDER)

    source = NoCloudDatasource(System(desk.root, clock=Attaching()), {})
    assert source.is_this_platform(Dmi()) is None
    source.confirm_platform(Network())
    assert source.ask_instance_id() == ("iid-1", ())


def test_the_seed_and_what_would_count_before_it_are_anchors(desk: Desk) -> None:
    def anchors(**options: Any) -> Set[str]:
        return {"%s %s" % each for each in map(tuple, desk.source(**options).anchors())}

    words = {"file /proc/cmdline"}
    words |= {"file /sys/class/dmi/id/product_" + name for name in ("serial", "uuid")}
    desk.seed("/srv/seed")
    desk.say("ds=nocloud;s=/srv/seed")
    assert anchors() == words | {"file /srv/seed/meta-data", "file /srv/seed/user-data"}
    desk.seed("/srv/seed", user="x" * 100000)
    assert anchors() == words | {"file /srv/seed/meta-data"}
    desk.say("")
    desk.seed(FOLDER, "instance-id: a\nseedfrom: /srv/seed\n")
    assert "file /srv/seed/meta-data" in anchors(), "the seed leads to it"
    shutil.rmtree(desk.root + FOLDER)
    desk.say("ds=nocloud;s=http://10.0.0.1/;h=web")
    assert anchors() == words, "neither a volume nor a folder counts before it"
    desk.say("")
    desk.seed(NET_FOLDER, meta="", user="x")
    volumes = {"file /dev/disk/by-label/cidata", "file /dev/disk/by-label/CIDATA"}
    files = {
        "file %s%s" % (place, name)
        for place in (CREDENTIALS, FOLDER + "/", NET_FOLDER + "/")
        for name in ("meta-data", "user-data")
    }
    assert anchors() == words | volumes | files
    desk.put("/dev/disk/by-label/cidata", "")
    assert "volume cidata" in anchors() and not volumes <= anchors()
    assert anchors(media="none") == words | files


def test_a_volume_without_a_link_of_its_own_is_read_at_each_boot(desk: Desk) -> None:
    desk.put("/dev/sr0", "")
    system, folder = System(desk.root), desk.root + "/dev/disk/by-label"
    seed = LocalSeed("volume", "/dev/sr0", Given(), {"meta-data": b"instance-id: a"})
    os.makedirs(folder)
    for name, there in (("CiData", False), ("other", False), ("CIDATA", True)):
        os.symlink("../../sr0", "%s/%s" % (folder, name))
        found = find_anchors(system, {"media": "auto", "label": "cidata"}, seed)
        assert bool(found) is there and (Anchor("volume", "CIDATA") in found) is there
    other = seed._replace(where="/dev/vdb")  # two volumes have the label
    assert find_anchors(system, {"media": "auto", "label": "cidata"}, other) == ()


@pytest.mark.parametrize(
    "line, former, now, is_kept",
    [
        ("ds=nocloud", "volume", "", True),
        ("ds=nocloud;h=x", "folder", "", True),
        ("ds=nocloud;i=new", "volume", "", False),
        ("", "volume", FOLDER, True),
        ("ds=nocloud", "volume", FOLDER, True),
        ("ds=nocloud;h=x", "volume", FOLDER, False),
        ("", "volume", NET_FOLDER, False),  # somebody has put it there since
        ("", "volume", "/srv/seed", False),
    ],
)
def test_what_is_left_when_a_seed_was_detached_is_no_new_instance(
    desk: Desk, line: str, former: str, now: str, is_kept: bool
) -> None:
    seed = {"kind": former, "machine": UUID, "passed": {FOLDER: cksum(META.encode())}}
    document = {"id": "old", "platform": "nocloud", "raw": {"seed": seed}, "user_data": "eA=="}
    desk.put("/var/lib/lightinit/instance/instance.json", json.dumps(document))
    desk.put("/sys/class/dmi/id/product_uuid", UUID.upper() + "\n")
    desk.say(line)
    if now:
        desk.seed(now)
    source = desk.source(seedfrom=now if now.startswith("/srv") else "")
    assert (source.instance_id(Dmi()) == "old") is is_kept
    if now and is_kept:
        desk.seed(now, META + "other: x\n")
        assert desk.source().instance_id(Dmi()) != "old", "somebody has changed it since"
    desk.put("/sys/class/dmi/id/product_uuid", UUID.replace("5", "6"))
    assert desk.source().instance_id(Dmi()) != "old", "a copy of the disk is another machine"
