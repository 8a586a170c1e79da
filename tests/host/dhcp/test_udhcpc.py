"""udhcpc: a second one sends the name."""

from __future__ import annotations

from typing import Any

import pytest

from lightinit.host.dhcp.renew import Renewal
from tests.lib.dhcp_machine import Machine


@pytest.mark.parametrize(
    "command, expected",
    [
        ("udhcpc -b -R -p /run/u.pid -i eth1 -x hostname:old", "-i eth1 -x hostname:web-1"),
        ("/bin/busybox udhcpc -i eth1 -C -x hostname:old", "-i eth1 -C -x hostname:web-1"),
        (
            "udhcpc -fSRi eth1 -a500 -xhostname:old -O 245 -O121 -t 9 -T3 -A 5 -r 10.0.0.9",
            "-i eth1 -x hostname:web-1 -O 245 -O 121",
        ),
        (
            "udhcpc --interface=eth1 --script /s --fqdn old --foreground --vendorclass=v",
            "-i eth1 -F web-1 -V v",
        ),
        ("udhcpc -i eth1 -x 61:aa -H old", "-i eth1 -x 61:aa -x hostname:web-1"),
    ],
)
def test_a_second_udhcpc(tmp_path: Any, command: str, expected: str) -> None:
    machine = Machine(tmp_path)
    machine.process(700, command.split()[0].rpartition("/")[2], command)
    renewal = machine.renew()
    assert renewal.told == ("udhcpc on eth1 sent it to the DHCP server",)
    assert "was started with the host name old" in renewal.warnings[0]
    assert (
        " ".join(machine.ran[0]) == "/usr/bin/udhcpc %s -f -q -n -t 3 -T 1 -s /bin/true" % expected
    )


def test_a_lease_that_is_never_renewed(tmp_path: Any) -> None:
    """As Azure's: the old name is sent no more."""
    machine = Machine(tmp_path)
    machine.write("/run/lightinit/leases/eth1.udhcpc", b"ip=10.0.0.4\nlease=4294967295\n")
    machine.process(700, "udhcpc", "udhcpc -i eth1 -x hostname:old")
    assert machine.renew() == Renewal(("udhcpc on eth1 sent it to the DHCP server",))


def test_udhcpc_that_sends_no_name_or_the_right_one(tmp_path: Any) -> None:
    machine = Machine(tmp_path, tools=("busybox",))
    machine.process(700, "udhcpc", "udhcpc -b")
    machine.process(701, "udhcpc", "udhcpc -i eth1 -x hostname:web-1")
    assert machine.renew() == Renewal(
        (
            "udhcpc on eth0 sends no host name, as its arguments say",
            "udhcpc on eth1 sent it to the DHCP server",
        )
    )
    assert machine.ran[0][:2] == ["/usr/bin/busybox", "udhcpc"]
