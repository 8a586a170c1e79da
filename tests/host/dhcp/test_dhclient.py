"""dhclient: a second one sends the name, and a moved machine restarts it."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.dhcp.renew import LIMIT_S, Renewal, renew_leases
from tests.lib.dhcp_machine import LEASES, SENDS, dhclient


def test_a_second_dhclient_with_the_arguments_of_the_first(tmp_path: Any) -> None:
    machine = dhclient(
        tmp_path,
        "dhclient -4 -d -v -i -e A=b -sf /s -pf /run/x.pid -lf %s -I -df /var/six eth0" % LEASES,
    )
    copy = "/run/dhclient-lightinit-700.lease"
    assert machine.renew() == Renewal(("dhclient on eth0 sent it to the DHCP server",))
    assert machine.ran == [
        [
            "/usr/bin/dhclient",
            "-1",
            "-4",
            "-i",
            "-e",
            "A=b",
            "-I",
            "-df",
            "/var/six",
            "-sf",
            "/bin/true",
            "-lf",
            copy,
            "-pf",
            "/run/dhclient-lightinit-700.pid",
            "eth0",
        ]
    ]
    assert machine.seen == {copy: b"lease {}\n"}
    assert not machine.exists(copy) and machine.exists(LEASES)
    assert machine.killed == []


def test_the_second_dhclient_is_killed_and_the_first_is_not(tmp_path: Any) -> None:
    machine = dhclient(tmp_path)
    machine.process(701, "dhclient", "dhclient -1 -lf /run/dhclient-lightinit-700.lease eth0")
    machine.renew()
    assert machine.killed[0] == (701, signal.SIGKILL) and 700 not in dict(machine.killed)


def test_a_second_dhclient_that_has_just_ended_is_no_failure(tmp_path: Any) -> None:
    machine = dhclient(tmp_path)
    machine.process(701, "dhclient", "dhclient -1 -lf /run/dhclient-lightinit-700.lease eth0")

    def kill(_pid: int, _number: int) -> None:
        raise ProcessLookupError

    assert (
        renew_leases(machine, "web-1", kill=kill).told[0]
        == "dhclient on eth0 sent it to the DHCP server"
    )
    assert machine.list_dir("/run") == []


def test_with_systemd_it_is_a_unit_of_its_own(tmp_path: Any) -> None:
    machine = dhclient(tmp_path)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    machine.renew()
    (argv,) = machine.ran
    assert argv[:4] == ["/usr/bin/systemd-run", "--quiet", "--collect", "--service-type=oneshot"]
    assert (
        "--property=KillSignal=SIGKILL" in argv
        and "--property=TimeoutStartSec=%.1f" % LIMIT_S in argv
    )
    assert argv[argv.index("--") + 1] == "/usr/bin/dhclient"


@pytest.mark.parametrize(
    "command",
    [
        "dhclient -6 eth0",
        "dhclient -r eth0",
        "dhclient -x eth0",
        "dhclient -d -sf /usr/lib/NetworkManager/nm-dhcp-helper eth0",
    ],
)
def test_a_dhclient_that_is_not_to_be_renewed(tmp_path: Any, command: str) -> None:
    machine = dhclient(tmp_path, command)
    assert machine.renew() == Renewal() and machine.ran == []


@pytest.mark.parametrize(
    "configuration, says",
    [
        (SENDS, ""),
        ('send host-name "web-1";', ""),
        ("send fqdn.fqdn = gethostname();", ""),
        ('send host-name = concat(gethostname(), ".x");', ""),
        ('interface "eth0" {\n  send host-name = gethostname();\n}\n', ""),
        ("", "sends no host name"),
        ("#" + SENDS, "sends no host name"),
        ("request host-name;", "sends no host name"),
        ('send host-name "old";', "sends the name old"),
        ('send host-name = "old";', "sends the name old"),
    ],
)
def test_what_dhclients_configuration_sends(tmp_path: Any, configuration: str, says: str) -> None:
    machine = dhclient(tmp_path, configuration=configuration)
    renewal = machine.renew()
    assert renewal.warnings == () and bool(machine.ran) is not bool(says)
    assert (says or "sent it to the DHCP server") in renewal.told[0]


def test_a_configuration_of_its_own(tmp_path: Any) -> None:
    machine = dhclient(tmp_path, "dhclient -cf /etc/own.conf -lf %s eth0" % LEASES)
    machine.put("/etc/own.conf", 'send host-name "own";')
    assert machine.renew().told == ("dhclient on eth0 sends the name own, as /etc/own.conf says",)


@pytest.mark.parametrize("option", ["-H", "-F"])
def test_a_name_among_dhclients_arguments(tmp_path: Any, option: str) -> None:
    machine = dhclient(tmp_path, "dhclient %s old -lf %s eth0" % (option, LEASES), "")
    (warning,) = machine.renew().warnings
    assert warning.startswith("dhclient on eth0 was started with the host name old")
    assert machine.ran[0][machine.ran[0].index(option) + 1] == "web-1"


@pytest.mark.parametrize(
    "named", [{"answers": {"-1": ProvisioningError("command failed")}}, {"tools": ()}]
)
def test_a_failure_is_a_warning_and_leaves_nothing(tmp_path: Any, named: Any) -> None:
    machine = dhclient(tmp_path, **named)
    renewal = machine.renew()
    assert renewal.told == () and "may keep the old name until the next boot" in renewal.warnings[0]
    assert machine.list_dir("/run") == []


def test_a_lease_file_that_is_missing_is_a_warning(tmp_path: Any) -> None:
    machine = dhclient(tmp_path, "dhclient eth0")
    assert len(machine.renew().warnings) == 1 and machine.ran == []
