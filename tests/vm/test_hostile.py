"""Machines that make it hard: no network for a while or for ever, no Azure, disks that come late or
are full, a clock that jumps. On the one image where it is cheapest, the networkd one of bookworm,
unless it says why another.
"""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import time
from typing import Dict, Mapping, Sequence

import pytest

from tests.vm import disk
from tests.vm.azure import Person
from tests.vm.facts import DETAILS, check_ready, provisioned, warnings
from tests.vm.guest import parse_journal, parse_properties, parse_units
from tests.vm.machine import Machine
from tests.vm.qemu import HANGING_MEDIUM, empty_drive, optical_drive
from tests.vm.recipe import WATCHER
from tests.vm.scene import ALL, BOOT_TIMEOUT_S, CHEAP, FIRST, RARE, Checks, Scene, all_or

DHCP_AFTER_S = 45.0
# How long the platform must hear nothing while something is waited for.
SETTLE_S = 10.0
LEASE_TIMEOUT_S = 20
# The report to a platform that no network leads to is given up after LAST_REPORT_TIMEOUT_S
# (datasources/azure/datasource.py); then a boot on an emulated processor has its share.
GIVES_UP_WITHIN_S = LEASE_TIMEOUT_S + 120 + 60
REASON = "no network before the deadline"
YEAR_S = 365 * 86400.0
LONG_AGO = FIRST._replace(rtc="2010-01-01T00:00:00")
CLOCK_JUMPS = ["systemd.wants=test-clock-jump.service"]
CLOCK_QUESTIONS = {"timeline": DETAILS["timeline"], "year": "date +%Y"}


def begin(scene: Scene) -> Person:
    """The platform, without its DHCP server. Returns the admin."""
    admin = scene.person("admin")
    scene.azure.stand_for(FIRST, "web-1", admin)
    return admin


def finish(
    scene: Scene, machine: Machine, admin: Person, statuses: Sequence[int] = (0,), **more: str
) -> Dict[str, str]:
    """Check that the machine comes to be provisioned as if nothing had been.

    Args:
        scene: the scene.
        machine: which is booting.
        admin: who logs in.
        statuses: that `lightinit status` may end with; 2 is: done, with warnings.
        more: questions: name -> command.

    Returns:
        all answers: name -> text.
    """
    guest = scene.guest(machine, FIRST, admin)
    with Checks() as checks:
        facts = provisioned(
            checks, scene.azure, machine, guest, FIRST, "web-1", admin, more, statuses
        )
        check_ready(checks, scene.azure)
    return {name: facts[name].text for name in facts}


@RARE
@CHEAP
def test_dhcp_is_late_the_media_hang_and_the_clock_jumps(scene: Scene) -> None:
    """Three things that have nothing to do with each other share a boot."""
    admin = begin(scene)
    files: Dict[str, str] = {}
    password = scene.put_password(files)
    machine = scene.machine(scene.changed(files), LONG_AGO, CLOCK_JUMPS, empty_drive()).start()
    machine.insert(HANGING_MEDIUM)
    terminal = machine.open_console()
    terminal.log_in(WATCHER, password, BOOT_TIMEOUT_S)
    # A login on the console may come first.
    shown = terminal.run(
        "until [ -e /run/lightinit/status.json ]; do sleep 0.5; done; lightinit status || [ $? = 3"
        " ] && systemctl is-active lightinit.service ssh.service || true",
        BOOT_TIMEOUT_S,
    )
    assert "status: running" in shown, shown
    assert "activating" in shown and "inactive" in shown, (
        "lightinit is at work, and sshd waits for it: %s" % shown
    )
    machine.comes_true(lambda: time.monotonic() - machine.started_s > DHCP_AFTER_S, DHCP_AFTER_S)
    assert scene.azure.heard() == []
    scene.azure.serve_dhcp()
    # With a warning if the kernel showed the drive in time for it to be asked; on a busy host it
    # may come too late.
    said = finish(scene, machine, admin, (0, 2), **CLOCK_QUESTIONS)
    check_clock(said)
    assert all("media" in each for each in warnings(said["result"])), said["result"]


@RARE
@CHEAP
def test_the_network_never_comes(scene: Scene) -> None:
    begin(scene)
    files = {
        "/etc/lightinit/conf.d/20-test.conf": "[network]\nlease_timeout_s = %d\n" % LEASE_TIMEOUT_S
    }
    password, of_media = scene.put_password(files), secrets.token_hex(12)
    media = scene.media(
        "--user-name",
        "admin",
        "--password-file",
        scene.file("password", of_media),
        "--disable-password-authentication",
        "no",
    )
    machine = scene.machine(scene.changed(files), FIRST, devices=optical_drive(media)).start()
    terminal = machine.open_console()
    terminal.log_in(WATCHER, password, BOOT_TIMEOUT_S)
    with Checks() as checks:
        state = terminal.run("systemctl is-system-running --wait || true", 2 * BOOT_TIMEOUT_S)
        checks.that("degraded" in state.split(), "systemctl is-system-running says degraded", state)
        failed = terminal.run(
            "systemctl list-units --failed --no-legend --plain --no-pager | cut -d ' ' -f 1"
        )
        checks.same(failed.split(), ["lightinit.service"], "the list of failed units")
        unit = parse_properties(terminal.run("systemctl show --no-pager lightinit.service"))
        began, ended = (
            int(unit.get("ExecMain%sTimestampMonotonic" % each, 0)) for each in ("Start", "Exit")
        )
        took_s = (ended - began) / 1e6
        checks.that(
            LEASE_TIMEOUT_S <= took_s <= GIVES_UP_WITHIN_S,
            "lightinit gives up after %d to %d s" % (LEASE_TIMEOUT_S, GIVES_UP_WITHIN_S),
            took_s,
        )
        active = terminal.run(
            "systemctl is-active ssh.service serial-getty@ttyS0.service || true"
        ).split()
        checks.same(active, ["active", "active"], "the state of sshd and of the console's login")
        errors = terminal.run(
            "journalctl -b -p err -u lightinit.service --no-pager -o cat | cut -c 1-300"
        )
        checks.that(
            REASON in errors, "the reason has the priority of an error in the journal", errors
        )
        others = terminal.run(
            "journalctl -b -p info..info -t lightinit --no-pager -o cat | cut -c 1-300"
        )
        checks.that(
            REASON not in others and "waiting for a DHCP lease" in others,
            "what is no error has another priority",
            others,
        )
        checks.that(REASON in machine.console(), "the console says why")
        # What the platform's drive says is enough to let its owner in, here where no network is.
        terminal.log_out()
        terminal.log_in("admin", of_media, BOOT_TIMEOUT_S)
        checks.same(terminal.run("id -un").split(), ["admin"], "who is at the console")
        checks.that(not machine.tray_is_open(), "the media stay for the next boot")
        checks.same(scene.azure.heard(), [], "what the platform has heard")


# Plain QEMU has no chassis asset tag at all; other machines have one of their own, which is less
# like Azure, so that it is tested by LIGHTINIT_VM=all alone.
@CHEAP
@pytest.mark.parametrize(
    "tag",
    all_or(
        [pytest.param("", id="untagged"), pytest.param("0123456789", id="tagged")],
        [pytest.param("", id="untagged")],
    ),
)
def test_not_an_azure_vm(scene: Scene, tag: str) -> None:
    begin(scene)
    scene.azure.serve_dhcp()  # with option 245: DMI counts for more
    files: Dict[str, str] = {}
    password = scene.put_password(files)
    root = scene.changed(files)
    # A machine that is not made from a generalized image has its host keys, and without them sshd
    # does not start.
    disk.write(
        root, {"/etc/ssh/ssh_host_ed25519_key": scene.new_key("ed25519").read_text()}, "0600"
    )
    machine = scene.machine(root, FIRST._replace(asset_tag=tag)).start()
    terminal = machine.open_console()
    terminal.log_in(WATCHER, password, BOOT_TIMEOUT_S)
    with Checks() as checks:
        state = terminal.run(
            "systemctl is-system-running --wait || systemctl --failed --no-pager --plain"
            " --no-legend",
            2 * BOOT_TIMEOUT_S,
        )
        checks.same(state.split(), ["running"], "systemctl is-system-running")
        unit = parse_properties(terminal.run("systemctl show --no-pager lightinit.service"))
        # While udev is at work, the shell leaves it to Python, which waits for the volumes.
        state_of_unit = (unit.get("ActiveState"), unit.get("Result"))
        checks.that(
            state_of_unit in (("inactive", "exec-condition"), ("active", "success")),
            "lightinit.service has done nothing",
            state_of_unit,
        )
        said = terminal.run("hostname; getent passwd admin || echo nobody; cat /etc/hostname")
        checks.same(
            said.split(), ["image", "nobody", "image"], "host name, account and /etc/hostname"
        )
        journal = terminal.run(
            "journalctl -b -u lightinit.service --no-pager -o cat | cut -c 1-300"
        )
        checks.that("not an Azure VM" in journal, "the journal says why nothing is done", journal)
        checks.same(scene.azure.heard(), [], "what the platform has heard")


@RARE
@CHEAP
def test_disks_come_late(scene: Scene) -> None:
    """systemd waits for /var. It goes on without the other two (nofail): the one with the state
    comes late, and lightinit alone waits for it; the other never comes.
    """
    admin, azure = begin(scene), scene.azure
    azure.serve_dhcp()
    tree = scene.scratch("tree")
    subprocess.run(
        ["debugfs", "-R", "rdump /var %s" % tree, str(scene.image.disk)],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    var = scene.new_disk(tree / "var", "400M")
    state = scene.new_disk(scene.scratch("state"), "64M")
    root = scene.changed(
        {
            "/etc/fstab": (
                disk.read(scene.image.disk, "/etc/fstab")
                + "/dev/vdb /var ext4 x-systemd.device-timeout=600 0 2\n"
                "/dev/vdc /var/lib/lightinit ext4 nofail,x-systemd.device-timeout=600 0 2\n"
                "LABEL=gone /home ext4 nofail,x-systemd.device-timeout=10 0 2\n"
            )
        }
    )
    machine = scene.machine(root, FIRST).start()
    machine.wait_until(
        lambda: "dev-vdb.device" in machine.console(),
        BOOT_TIMEOUT_S,
        "systemd does not wait for the disk of /var",
    )
    machine.comes_true(azure.heard, SETTLE_S)
    assert azure.heard() == [], "lightinit has not waited for /var"
    machine.add_disk(var)
    machine.wait_until(
        lambda: "login:" in machine.console(), BOOT_TIMEOUT_S, "the console offers no login"
    )
    machine.comes_true(azure.heard, 2 * SETTLE_S)
    assert azure.heard() == [], "lightinit has not waited for the disk of its state"
    machine.add_disk(state)
    said = finish(
        scene,
        machine,
        admin,
        mounts="findmnt -n -o SOURCE /var; findmnt -n -o SOURCE /var/lib/lightinit",
        reached=(
            "systemctl show -p Id,ActiveEnterTimestampMonotonic var.mount var-lib-lightinit.mount"
        ),
        home="findmnt -n /home || echo none",
        state="ls /var/lib/lightinit/instance/",
        below="".join(
            "mount --bind %s /mnt; ls -A /mnt%s 2>/dev/null; umount /mnt; " % pair
            for pair in (("/", "/var/lib/lightinit"), ("/var", "/lib/lightinit"))
        ),
    )
    assert (said["mounts"].split(), said["home"]) == (["/dev/vdb", "/dev/vdc"], "none")
    assert "provisioned" in said["state"].split()
    assert said["below"] == "", "state lies below a mount"
    reached = {
        name: int(unit["ActiveEnterTimestampMonotonic"])
        for name, unit in parse_units(said["reached"]).items()
    }
    service = parse_units(said["units"])["lightinit.service"]
    began = int(service["ExecMainStartTimestampMonotonic"])
    assert 0 < reached["var.mount"] < reached["var-lib-lightinit.mount"] < began, (reached, began)


if ALL:
    # dhclient writes its lease's end in wall-clock time: after the jump the lease looks as if it
    # were long over, so that lightinit may go by the well-known addresses and warn.
    @pytest.mark.parametrize("scene", ["bookworm-ifupdown"], indirect=True)
    def test_the_clock_jumps_beyond_the_lease(scene: Scene) -> None:
        admin = begin(scene)
        scene.azure.serve_dhcp()
        machine = scene.machine(scene.changed({}), LONG_AGO, CLOCK_JUMPS).start()
        said = finish(scene, machine, admin, (0, 2), **CLOCK_QUESTIONS)
        check_clock(said)


def check_clock(said: Mapping[str, str]) -> None:
    """The clock has jumped while lightinit ran, and no duration shows it."""
    assert said["year"] == "2035"
    times = [
        int(entry["__REALTIME_TIMESTAMP"]) / 1e6
        for entry in parse_journal(said["journal"])
        if entry.get("_SYSTEMD_UNIT") == "lightinit.service"
    ]
    assert max(times) - min(times) > 5 * YEAR_S, "the clock has not jumped while lightinit ran"
    entries = json.loads(said["timeline"])["entries"]
    sane = [
        0 <= entry["start_s"] < BOOT_TIMEOUT_S and 0 <= entry["duration_s"] < BOOT_TIMEOUT_S
        for entry in entries
    ]
    assert sane and all(sane), said["timeline"]
    assert 0 < json.loads(said["result"])["duration_s"] < BOOT_TIMEOUT_S, said["result"]


@RARE
@CHEAP
def test_the_disk_is_full(scene: Scene) -> None:
    admin = begin(scene)
    azure = scene.azure
    azure.serve_dhcp()
    root = scene.changed({})
    machine = scene.machine(root, FIRST, ["systemd.wants=test-full-disk.service"]).start()
    machine.wait_until(
        lambda: azure.accepted("Ready") or azure.accepted("NotReady"),
        BOOT_TIMEOUT_S,
        "the platform has heard no report",
    )
    machine.wait_until(
        lambda: re.search("provisioning (failed|done)", machine.console()),
        BOOT_TIMEOUT_S,
        "the console does not say how it ended",
    )
    for post in azure.accepted("NotReady"):
        assert "No space left on device" in post["body"], post["body"]
    ready = len(azure.accepted("Ready"))
    machine.cut_off()
    disk.replay(root)
    assert disk.exists(root, "/filler"), "the disk was not full"
    disk.change(root, "rm /filler", "rm /filler.rest")
    azure.stand_for(FIRST, "web-1", admin)

    machine = scene.machine(root, FIRST).start()
    with Checks() as checks:
        provisioned(
            checks, azure, machine, scene.guest(machine, FIRST, admin), FIRST, "web-1", admin
        )
        if not ready:
            check_ready(checks, azure)
