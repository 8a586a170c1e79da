"""The module timezone on scratch roots: every file from which some host takes its zone."""

from __future__ import annotations

import os
from typing import Any, Dict

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.modules import timezone

BERLIN = b"TZif2" + bytes(39) + b"TZif2" + bytes(39) + b"\nCET-1CEST,M3.5.0,M10.5.0/3\n"
NO_RULE = BERLIN[:88] + b"\n\n"


def host(root: Any, files: Dict[str, str]) -> System:
    system = System(root)
    for name, data in (
        ("Europe/Berlin", BERLIN),
        ("Odd/Zone", NO_RULE),
        ("zone", b"no zone"),
        ("leapseconds", b"TZ"),
    ):
        system.write("/usr/share/zoneinfo/" + name, data)
    system.link("/usr/share/zoneinfo/localtime", "/etc/localtime")
    system.link("/usr/share/zoneinfo/Poland", "Europe/Berlin")
    for name, text in files.items():
        system.write(name, text.encode(), 0o640)
    return system


def apply(system: System, zone: str) -> Outcome:
    return timezone.apply(Instance("id"), system, {"zone": zone})


def localtime(system: System) -> str:
    return os.readlink(system.root + "/etc/localtime")


def test_no_zone_leaves_all(tmp_path: Any) -> None:
    system = host(tmp_path, {"/etc/timezone": "UTC\n"})
    assert apply(system, "").skipped
    assert (
        not os.path.lexists(system.root + "/etc/localtime")
        and system.read_text("/etc/timezone") == "UTC\n"
    )


def test_a_host_with_nothing_gets_the_link_alone(tmp_path: Any) -> None:
    system = host(tmp_path, {})
    assert apply(system, "Europe/Berlin") == Outcome("time zone is Europe/Berlin")
    assert system.read("/etc/localtime") == BERLIN, "the link leads to the zone inside the root"
    assert os.listdir(system.root + "/etc") == ["localtime"]
    assert apply(system, "Europe/Berlin") == Outcome("time zone is Europe/Berlin already")


@pytest.mark.parametrize("before", ["copy", "../usr/share/zoneinfo/Odd/Zone", "/nowhere"])
def test_what_was_there_is_replaced(tmp_path: Any, before: str) -> None:
    system = host(tmp_path, {"/etc/localtime": "TZif copy"} if before == "copy" else {})
    if before != "copy":
        system.link("/etc/localtime", before)
    assert apply(system, "Europe/Berlin").message == "time zone is Europe/Berlin"
    assert localtime(system) == "../usr/share/zoneinfo/Europe/Berlin"


def test_a_link_that_says_the_same_otherwise_stays(tmp_path: Any) -> None:
    system = host(tmp_path, {})
    system.link("/etc/localtime", "/usr/share/zoneinfo/Europe/Berlin")
    assert apply(system, "Europe/Berlin").message.endswith(" already")
    assert localtime(system) == "/usr/share/zoneinfo/Europe/Berlin"


def test_a_directory_in_its_place_is_told(tmp_path: Any) -> None:
    system = host(tmp_path, {})
    system.make_dir("/etc/localtime")
    with pytest.raises(ProvisioningError, match="link cannot be made"):
        apply(system, "Europe/Berlin")


@pytest.mark.parametrize(
    "name, before, after",
    [
        ("/etc/timezone", "Etc/UTC\n", "Europe/Berlin\n"),
        (
            "/etc/conf.d/clock",
            '# clock\nCLOCK="UTC"\nTIMEZONE="Factory"\n',
            '# clock\nCLOCK="UTC"\nTIMEZONE="Europe/Berlin"\n',
        ),
        ("/etc/conf.d/clock", 'clock="UTC"\n', 'clock="UTC"\n'),
        ("/etc/sysconfig/clock", 'ZONE="UTC"\nUTC=true\n', 'ZONE="Europe/Berlin"\nUTC=true\n'),
        (
            "/etc/sysconfig/clock",
            "HWCLOCK='-u'\nTIMEZONE='UTC'\nDEFAULT_TIMEZONE='US/Eastern'\n",
            "HWCLOCK='-u'\nTIMEZONE='Europe/Berlin'\nDEFAULT_TIMEZONE='US/Eastern'\n",
        ),
        ("/etc/rc.conf", '#TIMEZONE="Europe/Madrid"\n', '#TIMEZONE="Europe/Madrid"\n'),
        ("/etc/rc.conf", "TIMEZONE=Europe/Madrid # home\n", "TIMEZONE=Europe/Berlin # home\n"),
        ("/etc/TZ", "UTC0\n", "CET-1CEST,M3.5.0,M10.5.0/3\n"),
    ],
)
def test_other_files_are_changed_where_they_are(
    tmp_path: Any, name: str, before: str, after: str
) -> None:
    system = host(tmp_path, {name: before})
    for _ in range(2):
        apply(system, "Europe/Berlin")
        assert system.read_text(name) == after
        assert os.stat(system.path(name)).st_mode & 0o777 == 0o640


def test_a_zone_without_a_rule_leaves_etc_tz(tmp_path: Any) -> None:
    system = host(tmp_path, {"/etc/TZ": "UTC0\n"})
    outcome = apply(system, "Odd/Zone")
    assert (
        "/etc/TZ is left as it is" in outcome.warnings[0]
        and system.read_text("/etc/TZ") == "UTC0\n"
    )
    assert localtime(system).endswith("/Odd/Zone")


def test_an_alias_keeps_its_name(tmp_path: Any) -> None:
    system = host(tmp_path, {"/etc/timezone": ""})
    apply(system, "Poland")
    assert (
        system.read_text("/etc/timezone") == "Poland\n"
        and localtime(system) == "../usr/share/zoneinfo/Poland"
    )


@pytest.mark.parametrize(
    "zone, reason",
    [
        ("../../../etc/passwd", "time zone is not valid"),
        ("/etc/passwd", "time zone is not valid"),
        ("Europe/Berlin\n", "time zone is not valid"),
        ("Europe/Atlantis", "time zone is not there"),
        ("Europe", "time zone is not there"),
        ("zone", "time zone is not there"),
        ("leapseconds", "time zone is not there"),
        ("localtime", "time zone is not there"),
    ],
)
def test_what_is_no_zone_changes_nothing(tmp_path: Any, zone: str, reason: str) -> None:
    system = host(tmp_path, {"/etc/localtime": "TZif2".ljust(50), "/etc/timezone": "UTC\n"})
    with pytest.raises(ProvisioningError) as caught:
        apply(system, zone)
    assert caught.value.reason == reason and caught.value.details["hint"]
    assert system.read_text("/etc/timezone") == "UTC\n" and os.path.isfile(
        system.root + "/etc/localtime"
    )


def test_a_link_that_leads_out_is_no_zone(tmp_path: Any) -> None:
    system = host(tmp_path, {"/etc/other": "TZif2".ljust(50)})
    system.link("/usr/share/zoneinfo/Out", "/etc/other")
    with pytest.raises(ProvisioningError, match="time zone is not there"):
        apply(system, "Out")


def test_without_zones_the_package_is_named(tmp_path: Any) -> None:
    with pytest.raises(ProvisioningError, match="time zones are not installed") as caught:
        apply(System(tmp_path), "Europe/Berlin")
    assert "tzdata" in caught.value.details["hint"] and os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize("what", ["directory", "fifo", "large"])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Any, what: str) -> None:
    system = host(tmp_path, {"/etc/TZ": "x"})
    if what == "directory":
        system.make_dir("/etc/timezone")
    elif what == "fifo":
        os.mkfifo(system.root + "/etc/timezone")
    else:
        system.write("/etc/timezone", bytes(1024 * 1024 + 1))
    with pytest.raises(ProvisioningError, match="file cannot be read") as caught:
        apply(system, "Europe/Berlin")
    assert caught.value.details["path"] == "/etc/timezone"
