"""The module ntp on scratch roots: each client's file, with the clocks of the image kept."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.modules import ntp

GIVEN = {"servers": ["10.0.0.1", "fd00::1"], "pools": ["pool.example.org"]}
CHRONY = (
    "# pool x\nconfdir /etc/chrony/conf.d\npool 2.debian.pool.ntp.org iburst\n"
    "Server old.example.org\nrefclock PHC /dev/ptp_hyperv poll 3 dpoll -2 offset 0\n"
    "sourcedir /run/chrony-dhcp\nmakestep 1 3\n"
)
OURS = (
    "# lightinit: time servers\nserver 10.0.0.1 iburst\nserver fd00::1 iburst\n"
    "pool pool.example.org iburst\n# lightinit: end\n"
)
TIMESYNCD = "/usr/lib/systemd/systemd-timesyncd"


def host(root: Any, files: Dict[str, str]) -> System:
    system = System(root)
    for name, text in files.items():
        system.write(name, text.encode(), 0o755 if "bin/" in name else 0o640)
    return system


def apply(system: System, given: Any) -> Outcome:
    return ntp.apply(Instance("id"), system, ntp.from_cloud_config({"ntp": given}))


@pytest.mark.parametrize("path", ["/etc/chrony/chrony.conf", "/etc/chrony.conf"])
def test_chrony_keeps_its_reference_clock(tmp_path: Any, path: str) -> None:
    system = host(tmp_path, {"/usr/sbin/chronyd": "", path: CHRONY})
    for _ in range(2):
        outcome = apply(system, GIVEN)
        assert outcome == Outcome("chrony asks 10.0.0.1, fd00::1, pool.example.org (%s)" % path)
        text = system.read_text(path)
        assert text == (
            "# pool x\nconfdir /etc/chrony/conf.d\n"
            "# replaced by lightinit: pool 2.debian.pool.ntp.org iburst\n"
            "# replaced by lightinit: Server old.example.org\n"
            "refclock PHC /dev/ptp_hyperv poll 3 dpoll -2 offset 0\n"
            "sourcedir /run/chrony-dhcp\nmakestep 1 3\n" + OURS
        )
    apply(system, {"servers": ["b"], "peers": ["c"], "allow": ["10.0.0.0/8"]})
    ended = "# lightinit: time servers\nserver b iburst\npeer c\nallow 10.0.0.0/8\n"
    assert system.read_text(path).endswith("makestep 1 3\n" + ended + "# lightinit: end\n")


def test_networks_alone_leave_the_servers(tmp_path: Any) -> None:
    system = host(tmp_path, {"/usr/sbin/chronyd": "", "/etc/chrony.conf": CHRONY})
    apply(system, {"allow": ["10.0.0.0/8"]})
    assert system.read_text("/etc/chrony.conf").startswith(CHRONY)


@pytest.mark.parametrize("given", [None, {}, {"enabled": True}, {"ntp_client": "chrony"}])
def test_without_servers_the_client_keeps_its_own(tmp_path: Any, given: Any) -> None:
    system = host(tmp_path, {"/usr/sbin/chronyd": "", "/etc/chrony.conf": CHRONY})
    assert apply(system, given).message == "chrony asks its own servers"
    assert system.read_text("/etc/chrony.conf") == CHRONY


def test_the_file_that_the_unit_names_counts(tmp_path: Any) -> None:
    unit = "[Service]\nExecStart=!/nix/chronyd -n -m -f /nix/store/x-chrony.conf $OPTIONS\n"
    files = {"/usr/sbin/chronyd": "", "/etc/systemd/system/chronyd.service": unit}
    system = host(tmp_path, dict(files, **{"/nix/store/x-chrony.conf": CHRONY}))
    assert apply(system, GIVEN).message.endswith("(/nix/store/x-chrony.conf)")
    assert not system.exists("/etc/chrony.conf")


@pytest.mark.parametrize("clock", [False, True])
def test_a_chrony_without_a_file_gets_one(tmp_path: Any, clock: bool) -> None:
    system = host(tmp_path, {"/usr/sbin/chronyd": "", "/etc/chrony/conf.d/x": ""})
    if clock:
        system.write("/dev/ptp_hyperv", b"")
    apply(system, GIVEN)
    text = system.read_text("/etc/chrony/chrony.conf")
    assert "makestep" in text and text.endswith(OURS)
    assert ("refclock PHC /dev/ptp_hyperv" in text) == clock


def test_timesyncd_gets_a_file_of_its_own(tmp_path: Any) -> None:
    system = host(tmp_path, {TIMESYNCD: ""})
    outcome = apply(system, dict(GIVEN, allow=["10.0.0.0/8"]))
    assert system.read_text("/etc/systemd/timesyncd.conf.d/lightinit.conf") == (
        "# Made by lightinit.\n[Time]\nNTP=\nNTP=10.0.0.1 fd00::1 pool.example.org\n"
    )
    assert "`allow` has no effect with systemd-timesyncd" in outcome.warnings[0]


@pytest.mark.parametrize("path", ["/etc/ntpsec/ntp.conf", "/etc/ntp.conf"])
def test_ntpd_keeps_its_reference_clocks(tmp_path: Any, path: str) -> None:
    text = "driftfile /x\nserver 127.127.28.0 minpoll 4\nserver old\n refclock shm\nrestrict ::1\n"
    system = host(tmp_path, {"/usr/sbin/ntpd": "", path: text})
    apply(system, GIVEN)
    kept = text.replace("server old", "# replaced by lightinit: server old")
    assert system.read_text(path) == kept + OURS


def test_openntpd(tmp_path: Any) -> None:
    files = {"/usr/sbin/ntpd": "", "/etc/openntpd/ntpd.conf": "servers a\nserver b\nsensor *\n"}
    system = host(tmp_path, files)
    apply(system, GIVEN)
    assert system.read_text("/etc/openntpd/ntpd.conf") == (
        "# replaced by lightinit: servers a\n# replaced by lightinit: server b\nsensor *\n"
        "# lightinit: time servers\nserver 10.0.0.1\nserver fd00::1\nservers pool.example.org\n"
        "# lightinit: end\n"
    )


def test_busybox_gets_its_options(tmp_path: Any) -> None:
    options = '# Alpine\nNTPD_OPTS="-N -p pool.ntp.org -p=x -I eth0"\n'
    system = host(tmp_path, {"/bin/busybox": "", "/etc/conf.d/ntpd": options})
    system.link("/usr/sbin/ntpd", "/bin/busybox")
    for client in ("auto", "busybox", "ntp"):
        apply(system, dict(GIVEN, ntp_client=client))
        assert system.read_text("/etc/conf.d/ntpd") == (
            '# Alpine\nNTPD_OPTS="-N -I eth0 -p 10.0.0.1 -p fd00::1 -p pool.example.org"\n'
        )
    assert not system.exists("/etc/ntp.conf")


@pytest.mark.parametrize("options", [None, 'NTPD_OPTS="-N"\n'])
def test_busybox_without_servers_among_its_options_reads_a_file(
    tmp_path: Any, options: Any
) -> None:
    system = host(tmp_path, {"/bin/busybox": ""})
    system.link("/usr/sbin/ntpd", "/bin/busybox")
    if options:
        system.write("/etc/conf.d/ntpd", options.encode())
    path = "/etc/conf.d/ntpd" if options else "/etc/ntp.conf"
    assert apply(system, {"pools": ["p"]}).message == "busybox asks p (%s)" % path


def test_the_one_that_starts_at_boot_is_taken(tmp_path: Any) -> None:
    system = host(tmp_path, {"/usr/sbin/chronyd": "", TIMESYNCD: "", "/lib/systemd/systemd": ""})
    system.write("/usr/lib/systemd/system/systemd-timesyncd.service", b"[Unit]\n")
    assert apply(system, {"servers": ["a"]}).message.startswith("chrony ")
    system.link(
        "/etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service",
        "/usr/lib/systemd/system/systemd-timesyncd.service",
    )
    assert apply(system, {"servers": ["a"]}).message.startswith("systemd-timesyncd ")
    asked = apply(system, {"servers": ["a"], "ntp_client": "chronyd"})
    assert asked.message.startswith("chrony ")


@pytest.mark.parametrize(
    "given, said",
    [
        ({}, "no NTP client is installed: add to the cloud-config: packages: [chrony]"),
        ({"ntp_client": "ntp"}, "packages: [ntp]"),
        ({"ntp_client": "chrony", "config": {"packages": ["a", "b"]}}, "packages: [a, b]"),
    ],
)
def test_without_a_client_the_package_is_named(tmp_path: Any, given: Any, said: str) -> None:
    system = host(tmp_path, {})
    outcome = apply(system, dict(given, servers=["a"]))
    assert said in outcome.warnings[0] and not system.exists("/etc")


def test_false_leaves_all(tmp_path: Any) -> None:
    system = host(tmp_path, {"/usr/sbin/chronyd": "", "/etc/chrony.conf": CHRONY})
    assert apply(system, {"enabled": False, "servers": ["a"]}).skipped
    assert system.read_text("/etc/chrony.conf") == CHRONY
    assert ntp.apply(Instance("id"), system, ntp.from_cloud_config({})).skipped


def test_a_client_of_ones_own(tmp_path: Any) -> None:
    system = host(tmp_path, {"/usr/bin/mytimed": "", "/etc/mytime/my.conf": "old\n"})
    given = {
        "ntp_client": "mytime",
        "servers": ["a"],
        "config": {
            "confpath": "/etc/mytime/my.conf",
            "check_exe": "mytimed",
            "service_name": "mytime",
            "packages": ["mytime"],
            "template": "# all of it\nserver b",
        },
    }
    assert apply(system, given).warnings == ()
    assert system.read_text("/etc/mytime/my.conf") == "# all of it\nserver b\n"
    assert system.read_text("/etc/mytime/my.conf.dist") == "old\n"


def test_a_template_gets_the_servers(tmp_path: Any) -> None:
    pytest.importorskip("jinja2", reason="not installed here: python3-jinja2")
    system = host(tmp_path, {"/usr/sbin/chronyd": ""})
    template = "## template:jinja\n{% for each in servers %}server {{each}}\n{% endfor %}# end\n"
    given = {"servers": ["a", "b"], "ntp_client": "chrony", "config": {"template": template}}
    apply(system, given)
    assert system.read_text("/etc/chrony.conf") == "server a\nserver b\n# end\n"


@pytest.mark.parametrize("bad", ["a b", "-p", "a;b", "$(x)", '"', ""])
def test_what_is_no_server_is_left_out(bad: str) -> None:
    given = ntp.from_cloud_config({"ntp": {"servers": [bad, "a"], "pools": bad}})["ntp"]
    assert given.servers == ("a",) and given.pools == ()
