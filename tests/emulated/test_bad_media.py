"""Bad media, names, passwords and pools: the real command, from what the platform hands over to
what it hears of it.

What the operator asked for and nobody could log in without is NotReady, with a reason that
docs/reasons.md has; all else is Ready with a warning. In any case nothing that was there is lost,
and a password or custom data are nowhere to be read.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import time
from typing import Any, Dict, Iterator, List, Optional

import pytest

from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from lightinit.emulator.host_side.media import make_media
from tests.emulated.boots import (
    NO_DOCUMENT,
    REFUSED_LATE,
    documented,
    late_health,
    lead,
    let_go,
    not_ready,
    put,
    ready,
    refusal_is_held,
    report_is_held,
    reported,
    told,
)
from tests.lib.netns import find_tool
from tests.lib.scratch import FILES, HERE, Machine

pytestmark = pytest.mark.long

INSTANCE = "/var/lib/lightinit/instance"
POOL = "/var/lib/hyperv/.kvp_pool_1"
SECRET = "Xy7:nobody |may' see <it>"
KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMuSD3ASAcvjt0ZWrZ+XvLM0YjtvaJ8eijsciRHrITCM owner@example"
)
DOWN = {
    "name": "imds-down",
    "description": "IMDS answers nothing but 503.",
    "imds": [{"status": 503, "repeat": "forever"}],
    "expect": {"ready": 0, "outcome": "error", "reports": ["NotReady"]},
}
# One that nobody logs in to with a key: with a password, or not at all.
BY_PASSWORD = {
    "compute": {
        "publicKeys": [],
        "osProfile": {
            "adminUsername": "alice",
            "computerName": "web-1",
            "disablePasswordAuthentication": "false",
        },
    }
}
MIB = 1024 * 1024


def need_tools(*tools: str) -> None:
    """Skip the test, saying why, unless the ``tools`` are there; in CI nothing is skipped."""
    missing = [name for name in tools if find_tool(name) is None]
    if missing and os.environ.get("CI") != "true":
        pytest.skip("not installed here: " + ", ".join(missing))
    assert missing == []


def without_secret(
    machine: Machine,
    platform: Platform,
    ended: Any,
    secret: str = SECRET,
    but: Optional[List[str]] = None,
) -> None:
    """The secret is in nothing that was said, sent, or kept, except where the media are, and in the
    files ``but``.
    """
    coded = base64.b64encode(secret.encode()).decode()
    inside_xml = secret.replace("<", "&lt;").replace(">", "&gt;")
    everywhere = dict(
        machine.tree(), said=ended.stdout + ended.stderr, sent=json.dumps(platform.requests)
    )
    for name, text in everywhere.items():
        if name.startswith("/media") or os.path.basename(name) in (but or []):
            continue
        for form in (secret, coded, inside_xml, json.dumps(secret)[1:-1]):
            assert form not in text and form.encode().decode("latin-1") not in text, name


def is_as_it_was(machine: Machine, before: Dict[str, str], *names: str) -> None:
    """What these files had is still there; by default the account files."""
    after = machine.tree()
    for name in names or ("/etc/passwd", "/etc/shadow", "/etc/group"):
        assert after[name] == before[name], name


# -- media that are as they should be
# ----------------------------------------------------------------------------------


def test_the_media_alone_are_enough(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    put(machine, make_ovf("alice", "web-1", ssh_keys=[KEY], custom_data=b"mine"))
    with Platform(scenario=DOWN) as platform:
        lead(machine, platform)
        ready(
            machine,
            platform,
            machine.run("boot"),
            "IMDS is unavailable; using the provisioning media only: imds is not ready",
        )
    assert machine.read("/etc/hostname") == "web-1\n"
    assert KEY.split()[1] in machine.read("/home/alice/.ssh/authorized_keys")
    assert machine.read(INSTANCE + "/custom-data") == "mine"
    copy = machine.read(INSTANCE + "/ovf-env.xml")
    assert "<UserName>alice</UserName>" in copy and base64.b64encode(b"mine").decode() not in copy


def test_imds_wins_where_both_speak(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    put(machine, make_ovf("mallory", "of-media", password=SECRET, ssh_keys=[KEY]))
    with Platform() as platform:
        lead(machine, platform)
        ended = machine.run("boot")
        ready(
            machine,
            platform,
            ended,
            "imds names the admin 'azureuser', the provisioning media name 'mallory': using the"
            " admin of imds",
        )
        without_secret(machine, platform, ended)
    assert machine.read("/etc/hostname") == "lightinit-vm\n" and "mallory" not in machine.read(
        "/etc/passwd"
    )
    assert KEY.split()[1] not in machine.read("/home/azureuser/.ssh/authorized_keys")


LEASE = "/var/lib/dhcp/dhclient.eth0.leases"
# An interface that does not exist: nothing on the machine that runs this test can count as a
# network.
NO_NETWORK = "[network]\ninterface = nic-of-nowhere\nlease_timeout_s = 0.3\n"


def test_without_a_network_the_media_open_the_console(tmp_path: Any) -> None:
    machine = Machine(tmp_path, without=[LEASE])
    put(machine, make_ovf("alice", "web-1", password=SECRET, ssh_keys=[KEY], custom_data=b"mine"))
    with Platform(
        instance={"compute": {"osProfile": {"adminUsername": "alice", "computerName": "of-imds"}}}
    ) as platform:
        lead(machine, platform, NO_NETWORK)
        ended = machine.run("boot")
        not_ready(machine, platform, ended, "no network before the deadline")
        # Also not in /run: nothing is kept for the next boot.
        without_secret(machine, platform, ended)
        assert "making the account alice from the provisioning media" in ended.stderr
        assert machine.read("/etc/passwd").splitlines()[-1].startswith("alice:")
        assert KEY.split()[1] in machine.read("/home/alice/.ssh/authorized_keys")
        assert machine.read("/etc/hostname") == "image\n" and not machine.exists(
            INSTANCE + "/custom-data"
        )
        # The next boot finds one, and does everything as if nothing had been done.
        machine.put(LEASE, FILES[LEASE])
        machine.put("/etc/lightinit/conf.d/20-media.conf", "[azure]\nmedia = /media\n")
        again = machine.run("boot")
        assert again.returncode == 0 and reported(platform)[-1] == "Ready", again.stderr
    assert (
        machine.read("/etc/hostname") == "of-imds\n"
        and machine.read(INSTANCE + "/custom-data") == "mine"
    )
    assert len(machine.read("/home/alice/.ssh/authorized_keys").splitlines()) == 2, (
        "the key of IMDS is there too"
    )
    ran = {
        step["name"]: step["result"] for step in machine.json(INSTANCE + "/result.json")["steps"]
    }
    assert (ran["users"], ran["ssh_authorized_keys"], ran["ssh_password_login"]) == (
        "ok",
        "ok",
        "skipped",
    )


@pytest.mark.parametrize(
    "ovf",
    [
        make_ovf("alice", "web-1"),
        make_ovf("alice", "web-1", ssh_keys=[KEY], preprovisioned_type="Savable"),
        b"<Environment/>",
    ],
    ids=["no way in", "a pool's", "not azure's"],
)
def test_without_a_network_and_without_media_that_would_do(tmp_path: Any, ovf: bytes) -> None:
    machine = Machine(tmp_path, without=[LEASE])
    before = machine.tree()
    put(machine, ovf)
    with Platform() as platform:
        lead(machine, platform, "media_wait_s = 1\n" + NO_NETWORK)
        not_ready(machine, platform, machine.run("boot"), "no network before the deadline")
    is_as_it_was(machine, before)


def test_neither_is_a_failure_with_a_reason(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    before = machine.tree()
    with Platform(scenario=DOWN) as platform:
        lead(machine, platform, NO_DOCUMENT + "media_wait_s = 6\n")
        not_ready(
            machine,
            platform,
            machine.run("boot"),
            "imds is not ready",
            "media=/media: No such file or directory",
        )
    is_as_it_was(machine, before)


def test_media_that_come_late(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform(scenario=DOWN) as platform:
        lead(machine, platform, "media_wait_s = 30\n")
        process = machine.start("boot")
        asked = [lambda it: len([one for one in it.requests if one["server"] == "imds"]) > 1]
        assert platform.wait_for(asked[0], 60)
        put(machine, make_ovf("alice", "web-1", ssh_keys=[KEY]), "/media.new/ovf-env.xml")
        os.rename(machine.root + "/media.new", machine.root + "/media")
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        assert reported(platform) == ["Ready"] and "alice" in machine.read("/etc/passwd")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_media_that_come_while_not_ready_is_tried(tmp_path: Any, encoding: str) -> None:
    """P5: the media are the sibling of the late lease. Their encoding does not matter; no copy has
    the password.
    """
    machine = Machine(tmp_path)
    busy = dict(DOWN, health=REFUSED_LATE)
    ovf = make_ovf("alice", "web-1", ssh_keys=[KEY], password="Pa55wordOfAlice").decode()
    with Platform(scenario=busy) as platform:
        lead(
            machine,
            platform,
            NO_DOCUMENT + "media_wait_s = 0.2\nretry_first_s = 0.5\n",
        )
        process = machine.start("boot")
        assert platform.wait_for(lambda the: refusal_is_held(machine, the), 60)
        put(machine, ovf.encode(encoding), "/media.new/ovf-env.xml")
        os.rename(machine.root + "/media.new", machine.root + "/media")
        let_go(platform)
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        assert "the failure has gone, the boot goes on" in said
        assert reported(platform) == ["Ready"] and "alice" in machine.read("/etc/passwd")
    assert not [
        name
        for name, text in machine.tree().items()
        if "Pa55wordOfAlice" in text[:65536] and not name.startswith("/media")
    ]


# -- two sections, what is no base64, what is too large
# ----------------------------------------------------------------


def twice(ovf: bytes) -> bytes:
    """The document with its ProvisioningSection twice; the second names another account."""
    text = ovf.decode()
    begin, end = text.index("<wa:ProvisioningSection>"), text.index("<wa:PlatformSettingsSection>")
    return (text[:end] + text[begin:end].replace("alice", "mallory") + text[end:]).encode()


TWICE = "provisioning document says a thing twice"
CANNOT_BE_USED = "the provisioning media on /media cannot be used: "


def test_two_sections_beside_imds_are_a_warning(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    put(machine, twice(make_ovf("alice", "web-1", password=SECRET)))
    with Platform() as platform:
        lead(machine, platform)
        ended = machine.run("boot")
        ready(machine, platform, ended, CANNOT_BE_USED + TWICE)
        without_secret(machine, platform, ended)
    documented(TWICE)
    assert machine.exists("/home/azureuser/.ssh/authorized_keys")
    assert not {"alice", "mallory"} & {
        line.split(":")[0] for line in machine.read("/etc/passwd").splitlines()
    }


def test_two_sections_in_which_the_only_password_was(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    put(machine, twice(make_ovf("alice", "web-1", password=SECRET)))
    with Platform(instance=BY_PASSWORD) as platform:
        lead(machine, platform)
        ended = machine.run("boot")
        not_ready(machine, platform, ended, "nobody could log in", "there is no password")
        assert [
            warning for warning in told(machine)["warnings"] if CANNOT_BE_USED + TWICE in warning
        ]
        without_secret(machine, platform, ended)
        # When that is mended, the same VM becomes ready.
        put(machine, make_ovf("alice", "web-1", password=SECRET))
        assert machine.run("boot").returncode == 0
        assert reported(platform) == ["NotReady", "Ready"]


def test_two_sections_and_nothing_else(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    put(machine, twice(make_ovf("alice", "web-1", password=SECRET)))
    before = machine.tree()
    with Platform(scenario=DOWN) as platform:
        lead(machine, platform, NO_DOCUMENT)
        ended = machine.run("boot")
        not_ready(machine, platform, ended, "imds is not ready", TWICE)
        without_secret(machine, platform, ended)
    is_as_it_was(machine, before)


PLAIN = "#!/bin/sh\necho this is {no} base64 at all"


def with_plain_custom_data(**fields: Any) -> bytes:
    return make_ovf(custom_data=b"x", **fields).replace(base64.b64encode(b"x"), PLAIN.encode())


@pytest.mark.parametrize("scenario", ["good", DOWN], ids=["IMDS", "media alone"])
def test_custom_data_that_are_no_base64_are_kept_and_cost_no_vm(
    tmp_path: Any, scenario: Any
) -> None:
    machine = Machine(tmp_path)
    put(machine, with_plain_custom_data(user_name="azureuser", ssh_keys=[KEY]))
    with Platform(scenario=scenario) as platform:
        lead(machine, platform)
        ended = machine.run("boot")
        said = "CustomData is not base64: it is kept as it came"
        ready(
            machine,
            platform,
            ended,
            said,
            "custom data kept as it came: not base64",
            *(["IMDS is unavailable"] if scenario == DOWN else []),
        )
        without_secret(machine, platform, ended, PLAIN, but=["instance.json", "custom-data"])
    documented(said, "not base64")
    assert machine.read(INSTANCE + "/custom-data") == PLAIN
    for name in ("instance.json", "custom-data"):
        assert os.stat("%s%s/%s" % (machine.root, INSTANCE, name)).st_mode & 0o777 == 0o600
    assert PLAIN not in machine.run("query").stdout


def boot_and_measure(machine: Machine) -> Any:
    """Boot; the process as it ended, and how much memory it or what it started had at most, in
    bytes.
    """
    # By way of a small process: what a process had before it became another counts as that one's.
    program = (
        "import resource, subprocess, sys; status = subprocess.call(sys.argv[1:]); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(status)"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, *machine.argv("boot")],
        cwd=HERE,
        timeout=300,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    return ended, int(ended.stdout) * 1024


def hundred_megabytes(machine: Machine, form: str) -> str:
    """Media with a document of 100 MB, as a directory or in an image. Returns where."""
    ovf = make_ovf("alice", "web-1", password=SECRET).replace(
        b"</wa:ProvisioningSection>", b"<!--%s--></wa:ProvisioningSection>" % (b"x" * 100 * MIB)
    )
    if form == "directory":
        put(machine, ovf)
        return "/media"
    os.makedirs(machine.root + "/media")
    make_media(machine.root + "/media/image", ovf, form)
    return "/media/image"


@pytest.mark.parametrize("form", ["directory", "udf", "iso9660"])
def test_a_document_of_100_megabytes_is_never_read(tmp_path: Any, form: str) -> None:
    if form != "directory":
        need_tools("genisoimage", "7z")
    machine = Machine(tmp_path)
    where = hundred_megabytes(machine, form)
    with Platform() as platform:
        lead(machine, platform, media=where)
        ended, most_bytes = boot_and_measure(machine)
        larger = "its ovf-env.xml is larger than 1048576 bytes"
        ready(machine, platform, ended, "provisioning media may be on %s, but: " % where)
        assert larger in told(machine)["warnings"][0]
        without_secret(machine, platform, ended)
        assert most_bytes < 100 * MIB
    documented("its ovf-env.xml is larger than … bytes")
    if form == "directory":
        machine.put("/sys/class/dmi/id/product_uuid", "d1e0a7b4-93c2-4b55-8a11-77f0c2a4e6d8\n")
        with Platform(scenario=DOWN) as platform:
            lead(machine, platform, NO_DOCUMENT + "media_wait_s = 6\n")
            not_ready(machine, platform, machine.run("boot"), "imds is not ready", larger)


# -- names
# --------------------------------------------------------------------------------------------------

NAMES = [
    ("root", "user name is not allowed", "root cannot be the admin account"),
    ("al:ice", "user name is not allowed", "only letters, digits, dots, hyphens and underscores"),
    ("a" * 200, "user name is not allowed", "it is longer than 32 characters"),
    ("-rf", "user name is not allowed", "it starts with a hyphen"),
    ("toor", "user name belongs to root", "user=toor"),
    ("daemon", "user name belongs to a system account", "uid=1|"),
    ("nobody1", "user name belongs to an account that cannot log in", "shell=/usr/sbin/nologin"),
]
PASSWD = (
    "toor:x:0:0::/root:/bin/sh\n"
    "daemon:x:1:1::/usr/sbin:/bin/sh\n"
    "nobody1:x:2000:2000::/home/nobody1:/usr/sbin/nologin\n"
)


def named(
    machine: Machine, where: str, name: str, more: Optional[Dict[str, Any]] = None
) -> Platform:
    """A platform that names the admin: IMDS or, IMDS being down, the media alone. Both give a
    key.
    """
    if where == "media":
        put(machine, make_ovf(name, "web-1", password=SECRET, ssh_keys=[KEY]))
        return Platform(scenario=DOWN)
    profile = {
        "adminUsername": name,
        "computerName": "web-1",
        "disablePasswordAuthentication": "true",
    }
    return Platform(
        instance={"compute": {"osProfile": profile, "publicKeys": [{"keyData": KEY, "path": ""}]}}
    )


@pytest.mark.parametrize("name, reason, why", NAMES, ids=[name[:8] for name, _, _ in NAMES])
@pytest.mark.parametrize("where", ["imds", "media"])
def test_a_name_that_cannot_be_the_admins(
    tmp_path: Any, where: str, name: str, reason: str, why: str
) -> None:
    machine = Machine(tmp_path)
    machine.put("/etc/passwd", FILES["/etc/passwd"] + PASSWD)
    before = machine.tree()
    with named(machine, where, name) as platform:
        lead(machine, platform)
        ended = machine.run("boot")
        not_ready(machine, platform, ended, reason, why)
        without_secret(machine, platform, ended, but=["instance.json", "secrets.json"])
    is_as_it_was(machine, before, "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/sudoers")
    assert not [
        path for path in machine.tree() if path.startswith(("/home", "/root", "/etc/sudoers.d"))
    ]


def test_a_name_of_the_medias_that_is_too_long_to_be_read(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    put(machine, make_ovf("a" * 600, "web-1", password=SECRET))
    with Platform(scenario=DOWN) as platform:
        lead(machine, platform, NO_DOCUMENT)
        not_ready(
            machine, platform, machine.run("boot"), "imds is not ready", "xml field is too long"
        )
    documented("xml field is too long")


@pytest.mark.parametrize("where", ["imds", "media"])
def test_an_account_that_is_there_with_another_shell_keeps_it(tmp_path: Any, where: str) -> None:
    machine = Machine(tmp_path)
    line = "alice:x:1500:100:Alice:/srv/alice:/bin/zsh\n"
    machine.put("/etc/passwd", FILES["/etc/passwd"] + line)
    machine.put("/etc/group", FILES["/etc/group"] + "users:x:100:\n")
    machine.put("/etc/shadow", FILES["/etc/shadow"] + "alice:$6$salt$hash:19000:0:99999:7:::\n")
    machine.put("/srv/alice/thesis", "mine\n")
    if os.geteuid() == 0:
        os.chown(machine.root + "/srv/alice", 1500, 100)
    before = machine.tree()
    with named(machine, where, "alice") as platform:
        lead(machine, platform, media="/media" if where == "media" else "none")
        ended = machine.run("boot")
        ready(machine, platform, ended, *(["IMDS is unavailable"] if where == "media" else []))
        without_secret(machine, platform, ended)
    is_as_it_was(machine, before, "/etc/passwd", "/etc/shadow", "/srv/alice/thesis")
    assert KEY.split()[1] in machine.read("/srv/alice/.ssh/authorized_keys")
    assert not machine.exists("/home/alice")


# -- passwords (what they open is shown in tests/real_clients/test_media.py)
# ---------------------------------------------

EVERYTHING = " " + "".join(map(chr, range(32, 127))) + "\u00e4\u0416\u6f22\U0001f600::\u00a0 "


def test_a_password_of_all_there_is_is_taken_and_nowhere_to_be_read(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    put(machine, make_ovf("alice", "web-1", password=EVERYTHING))
    with Platform(scenario=DOWN) as platform:
        lead(machine, platform)
        ended = machine.run("boot")
        ready(machine, platform, ended, "IMDS is unavailable")
        for part in (EVERYTHING, EVERYTHING[2:30], "ABCDEFGHIJKLM", "\u0416\u6f22"):
            without_secret(machine, platform, ended, part)


@pytest.mark.parametrize("down", [True, False], ids=["media alone", "imds too"])
@pytest.mark.parametrize(
    "password, why",
    [("a\nroot:owned", "it has a line end"), ("x" * 1025, "it is longer than 511 bytes")],
)
def test_a_password_of_the_medias_that_no_tool_could_take(
    tmp_path: Any, password: str, why: str, down: bool
) -> None:
    """It fails the VM, and costs neither the account nor its key nor the custom data."""
    machine = Machine(tmp_path)
    before = machine.tree()
    put(
        machine,
        make_ovf("azureuser", "web-1", password=password, ssh_keys=[KEY], custom_data=b"mine"),
    )
    with Platform(scenario=DOWN if down else "good") as platform:
        lead(machine, platform)
        ended = machine.run("boot")
        not_ready(machine, platform, ended, "password is not allowed", "why=" + why)
        # In /run, for the next attempt.
        without_secret(machine, platform, ended, password, ["secrets.json"])
    assert machine.read("/etc/passwd").startswith(before["/etc/passwd"])
    assert machine.read("/etc/shadow").splitlines()[-1].split(":")[:2] == ["azureuser", "*"]
    keys = machine.read("/home/azureuser/.ssh/authorized_keys")
    assert (KEY.split()[1] in keys) is down and keys
    assert machine.read(INSTANCE + "/custom-data") == "mine"


def test_keys_that_azure_has_generated(tmp_path: Any) -> None:
    """Their base64 comes in lines of 64 characters."""
    machine = Machine(tmp_path)
    kind, body, comment = KEY.split()
    given = "%s %s\r\n%s %s\r\n" % (kind, body[:64], body[64:], comment)
    with Platform(
        instance={"compute": {"publicKeys": [{"keyData": given, "path": ""}]}}
    ) as platform:
        lead(machine, platform)
        put(machine, make_ovf("azureuser", "web-1"))
        ready(machine, platform, machine.run("boot"))
    assert KEY in machine.read("/home/azureuser/.ssh/authorized_keys").splitlines()


def test_a_key_of_the_medias_where_those_of_imds_are_none(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform(
        instance={"compute": {"publicKeys": [{"keyData": "ssh-rsa AAAA", "path": ""}]}}
    ) as platform:
        lead(machine, platform)
        put(machine, make_ovf("azureuser", "web-1", ssh_keys=[KEY]))
        ready(machine, platform, machine.run("boot"), "key 1 of 2 refused")
    assert KEY.split()[1] in machine.read("/home/azureuser/.ssh/authorized_keys")


def test_keys_of_imds_for_the_account_of_the_media(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform(
        instance={"compute": {"publicKeys": [{"keyData": KEY, "path": ""}], "osProfile": None}}
    ) as platform:
        lead(machine, platform, "complete_timeout_s = 0.2\n")
        put(machine, make_ovf("alice", "web-1"))
        ready(machine, platform, machine.run("boot"), "imds document is incomplete: no osProfile")
    assert KEY in machine.read("/home/alice/.ssh/authorized_keys").splitlines()


def test_a_password_that_is_longer_than_tools_take(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    password = "\u00e4" * 256
    put(machine, make_ovf("alice", "web-1", password=password, ssh_keys=[KEY]))
    with Platform(scenario=DOWN) as platform:
        lead(machine, platform)
        ended = machine.run("boot")
        not_ready(
            machine, platform, ended, "password is not allowed", "it is longer than 511 bytes"
        )
        without_secret(machine, platform, ended, password, but=["instance.json", "secrets.json"])
    assert KEY.split()[1] in machine.read("/home/alice/.ssh/authorized_keys"), (
        "whoever has a key gets in"
    )


# -- Hyper-V's pool
# --------------------------------------------------------------------------------------------------

RECORD = b"OTHERS".ljust(512, b"\0") + b"value".ljust(2048, b"\0")
FAILING = {"compute": {"osProfile": {"adminUsername": "root", "computerName": "web-1"}}}


def pool_of(machine: Machine) -> List[Dict[str, str]]:
    """What the host reads, by the emulator's own command."""
    ended = subprocess.run(
        [sys.executable, "-m", "lightinit.emulator", "kvp", machine.root + POOL],
        cwd=HERE,
        check=True,
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.mark.parametrize("instance, state", [({}, "Ready"), (FAILING, "NotReady")])
def test_the_pool_has_the_report_before_the_platform_hears_it(
    tmp_path: Any, instance: Any, state: str
) -> None:
    machine = Machine(tmp_path)
    with Platform(scenario=late_health([state]), instance=instance) as platform:
        machine.lead_to(platform)
        process = machine.start("boot")
        assert platform.wait_for(lambda it: report_is_held(machine, it), 60)
        (record,) = pool_of(machine)  # the report has come, and is not answered yet
        assert (
            process.poll() is None
            and machine.json("/run/lightinit/status.json")["status"] == "running"
        )
        let_go(platform)
        process.communicate(timeout=120)
        assert reported(platform) == [state]
        assert [record] == pool_of(machine)
        assert record["key"] == "PROVISIONING_REPORT"
        if state == "NotReady":
            assert record["value"] == platform.final_reports[0]["description"]
            assert "|reason=user name is not allowed|" in record["value"]
        else:
            assert (
                record["value"].startswith("result=success|agent=lightinit/")
                and "|pps_type=None|" in record["value"]
            )


def test_the_pool_is_written_before_the_platform_hears_the_report(tmp_path: Any) -> None:
    need_tools("strace")
    machine = Machine(tmp_path / "root")
    trace = str(tmp_path / "trace")
    with Platform() as platform:
        machine.lead_to(platform)
        ended = subprocess.run(
            [
                "strace",
                "-f",
                "-qq",
                "-y",
                "-s",
                "4096",
                "-e",
                "trace=pwrite64,sendto",
                "-o",
                trace,
                *machine.argv("boot"),
            ],
            cwd=HERE,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=120,
        )
        assert ended.returncode == 0 and reported(platform) == ["Ready"], ended.stderr
    with open(trace, encoding="utf-8", errors="replace") as handle:
        lines = handle.read().splitlines()
    (written,) = [
        number for number, line in enumerate(lines) if "pwrite64(" in line and "kvp_pool_1" in line
    ]
    (sent,) = [
        number
        for number, line in enumerate(lines)
        if "sendto(" in line and "<State>Ready</State>" in line
    ]
    assert written < sent


@contextlib.contextmanager
def locked(path: str, kind: str) -> Iterator[None]:
    """Another process holds a lock on the file to the end of the block."""
    process = subprocess.Popen(
        [sys.executable, os.path.join(HERE, "tests", "host", "kvp_process.py"), "hold", kind, path],
        env=dict(os.environ, PYTHONPATH=HERE),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    try:
        yield
        assert process.poll() is None
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("kind", ["flock", "lockf"])
@pytest.mark.parametrize("instance, state", [({}, "Ready"), (FAILING, "NotReady")])
def test_a_pool_that_is_locked_for_ever(
    tmp_path: Any, kind: str, instance: Any, state: str
) -> None:
    machine = Machine(tmp_path)
    put(machine, RECORD, POOL)
    with Platform(instance=instance) as platform, locked(machine.root + POOL, kind):
        machine.lead_to(platform)
        ended = machine.run("boot")
        if state == "Ready":
            ready(machine, platform, ended, "no telemetry: telemetry pool is locked")
        else:
            not_ready(machine, platform, ended, "user name is not allowed")
            assert [
                warning
                for warning in told(machine)["warnings"]
                if "telemetry pool is locked" in warning
            ]
    documented("telemetry pool is locked")
    assert [each["key"] for each in pool_of(machine)] == ["OTHERS"]


@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "fifo", "directory"])
def test_a_pool_that_is_something_else(tmp_path: Any, kind: str) -> None:
    machine = Machine(tmp_path)
    machine.put("/etc/precious", "precious\n")
    os.makedirs(os.path.dirname(machine.root + POOL))
    {
        "link": lambda: os.symlink(machine.root + "/etc/precious", machine.root + POOL),
        "dangling link": lambda: os.symlink(machine.root + "/etc/made", machine.root + POOL),
        "hard link": lambda: os.link(machine.root + "/etc/precious", machine.root + POOL),
        "fifo": lambda: os.mkfifo(machine.root + POOL),
        "directory": lambda: os.mkdir(machine.root + POOL),
    }[kind]()
    with Platform() as platform:
        machine.lead_to(platform)
        ready(
            machine,
            platform,
            machine.run("boot"),
            "no telemetry: telemetry pool is not safe to write",
        )
    documented("telemetry pool is not safe to write")
    assert machine.read("/etc/precious") == "precious\n" and not machine.exists("/etc/made")


def test_a_pool_that_is_full(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    put(machine, RECORD * 1024, POOL)
    with Platform() as platform:
        machine.lead_to(platform)
        ready(machine, platform, machine.run("boot"), "no telemetry: telemetry pool is full")
    documented("telemetry pool is full")
    with open(machine.root + POOL, "rb") as handle:
        assert handle.read() == RECORD * 1024


@pytest.mark.skipif(os.geteuid() != 0, reason="root is needed to mount")
def test_a_pool_on_a_disk_that_is_full(tmp_path: Any, mounted: Any) -> None:
    machine = Machine(tmp_path)
    os.makedirs(os.path.dirname(machine.root + POOL))
    mounted(os.path.dirname(machine.root + POOL), "size=8k")
    put(machine, RECORD * 3, POOL)
    with Platform() as platform:
        machine.lead_to(platform)
        ready(
            machine, platform, machine.run("boot"), "no telemetry: telemetry pool cannot be written"
        )
        assert "No space left on device" in told(machine)["warnings"][0]
    documented("telemetry pool cannot be written")
    assert [each["key"] for each in pool_of(machine)] == ["OTHERS"] * 3


def test_what_an_earlier_boot_has_left_in_the_pool_goes(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    put(machine, RECORD * 1024, POOL)
    machine.put("/proc/stat", "cpu 1 2 3\nbtime %d\n" % (time.time() - 60))
    os.utime(machine.root + POOL, (time.time() - 3600, time.time() - 3600))
    with Platform() as platform:
        machine.lead_to(platform)
        ready(machine, platform, machine.run("boot"))
    assert [each["key"] for each in pool_of(machine)] == ["PROVISIONING_REPORT"]
