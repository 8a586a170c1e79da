"""What the hook recorded of udhcpc's variables."""

from __future__ import annotations

from lightinit.formats.dhcp.udhcpc import read_leases
from lightinit.model import Route
from tests.lib.leases import NOW_S


def test_udhcpc_gives_microsofts_routes_when_there_are_no_others() -> None:
    data = b"ip=10.0.0.4\nmsstaticroutes=168.63.129.16/32 10.0.0.1\nopt249=20a83f81100a000001\n"
    assert read_leases(data, NOW_S)[0].routes == (Route("168.63.129.16/32", "10.0.0.1"),)
    raw = b"ip=10.0.0.4\nopt249=20a83f81100a000001\n"
    assert read_leases(raw, NOW_S)[0].routes == (Route("168.63.129.16/32", "10.0.0.1"),)
