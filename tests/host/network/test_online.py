"""Waiting for an address and a default route: of which IP version, and for how long."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Sequence, Tuple

import pytest

from lightinit.host.network.online import Links, has_ipv6_default, look, wait_until_online
from lightinit.host.system import System
from tests.lib.planned_clock import put
from tests.lib.scratch import ScriptedClock
from tests.lib.stand_in import LiveRoot

NIC, IPV4, IPV6 = Links(True), Links(True, True), Links(True, False, True)
ZEROS = "0" * 32
ROUTES = {
    "%s 00 %s 00 fe80000000000000021111fffe000001 0 1 0 00000003 eth0\n" % (ZEROS, ZEROS): True,
    "%s 00 %s 00 %s ffffffff 1 0 00200200 lo\n" % (ZEROS, ZEROS, ZEROS): False,
    "%s 00 %s 00 %s ffffffff 1 0 00200201 eth0\n" % (ZEROS, ZEROS, ZEROS): False,
    "%s 00 %s 00 %s 0 1 0 00000002 eth0\n" % (ZEROS, ZEROS, ZEROS): False,
    "%s 40 %s 00 %s 100 1 0 00000001 eth0\n" % ("fe80" + ZEROS[4:], ZEROS, ZEROS): False,
    "x\n\n%s zz\n%s\n" % (ZEROS, " ".join(["1"] * 10)): False,
    "": False,
}


@pytest.mark.parametrize("text", ROUTES)
def test_which_ipv6_route_is_a_default_one(text: str) -> None:
    assert has_ipv6_default(text) is ROUTES[text]
    assert has_ipv6_default(next(iter(ROUTES)) + text)


CASES: Dict[str, Tuple[Sequence[Tuple[float, Links]], bool, float]] = {
    "it is there": ([(0, IPV4)], True, 0),
    "it comes": ([(0, NIC), (4, IPV4)], True, 4),
    "it never comes": ([(0, NIC)], False, 60),
    "no interface at all": ([(0, Links())], False, 10),
    "an interface, late": ([(0, Links()), (7, NIC), (12, IPV4)], True, 12),
    "IPv6, then IPv4": ([(0, IPV6), (3, IPV4)], True, 3),
    "IPv6 alone": ([(0, IPV6)], True, 10),
    "IPv6 at the last moment": ([(0, NIC), (59.5, IPV6)], True, 60),
}


@pytest.mark.parametrize("name", CASES)
def test_how_long_it_waits(tmp_path: Path, name: str) -> None:
    plan, is_online, after_s = CASES[name]
    clock = ScriptedClock()
    began_s = clock.now_s

    def look_now(system: System) -> Links:
        return [links for at_s, links in plan if began_s + at_s <= clock.now_s][-1]

    assert wait_until_online(LiveRoot(tmp_path, clock), 60.0, look_now) is is_online
    assert after_s <= clock.now_s - began_s <= after_s + 1


def test_a_look_at_a_machine(tmp_path: Path) -> None:
    """Its addresses are those of this one, whatever they are; routes and interfaces its own."""
    system = LiveRoot(tmp_path)
    assert look(system) == Links()
    put(tmp_path, "/sys/class/net/lo/mtu")
    assert not look(system).interface
    put(tmp_path, "/sys/class/net/eth0/mtu")
    assert look(system) == NIC
