"""Interfaces, gateways and the kernel's routes."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lightinit.host.network import interfaces
from lightinit.host.network.interfaces import KernelRoute
from lightinit.host.system import System
from tests.lib.planned_clock import put

ROUTES = (
    b"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    b"eth1\t00000000\t0100010A\t0003\t0\t0\t200\t00000000\t0\t0\t0\n"
    b"eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
    b"eth0\t0000000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
    b"eth0\t10813FA8\t0100000A\t0007\t0\t0\t100\tFFFFFFFF\t0\t0\t0\n"
    b"eth0\t0000010A\t00000000\t0000\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
    b"*\t0000020A\t00000000\t0201\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
    b"broken\tline\n\neth0\tzz\t0\t1\t0\t0\t0\t0\t0\t0\t0\n"
)


def look(system: System) -> interfaces.Scene:
    return interfaces.Viewer(system, "168.63.129.16").look()


@pytest.mark.skipif(socket.htonl(1) == 1, reason="the sample is from a little-endian machine")
def test_kernel_routes(tmp_path: Path) -> None:
    put(tmp_path, "/proc/net/route", ROUTES)
    assert interfaces.kernel_routes(System(str(tmp_path))) == [
        KernelRoute("0.0.0.0/0", "eth1", "10.1.0.1", 200),
        KernelRoute("0.0.0.0/0", "eth0", "10.0.0.1", 100),
        KernelRoute("10.0.0.0/24", "eth0", "", 100),
        KernelRoute("168.63.129.16/32", "eth0", "10.0.0.1", 100),
    ]
    assert look(System(str(tmp_path))).default_interface == "eth0"


def test_no_routes_are_no_error(tmp_path: Path) -> None:
    assert interfaces.kernel_routes(System(str(tmp_path))) == []
    assert look(System(str(tmp_path))).default_interface == ""


def test_addresses_of_this_machine() -> None:
    addresses = interfaces.interface_addresses()
    assert set(addresses) <= {name for _index, name in socket.if_nameindex()}
    if "127.0.0.1" in addresses.get("lo", ()):
        assert interfaces.has_route_to("127.0.0.1")
        assert interfaces.source_address_to("127.0.0.1") == "127.0.0.1"


def test_loopback_is_no_interface_of_the_scene() -> None:
    names = [interface.name for interface in look(System("/")).interfaces]
    assert sorted(names) == sorted(
        name for name in interfaces.interface_addresses() if name != "lo"
    )


def test_gateways_agree_with_the_kernel() -> None:
    defaults = {
        (route.gateway, route.interface)
        for route in interfaces.kernel_routes(System("/"))
        if route.destination == "0.0.0.0/0"
    }
    assert set(interfaces.gateways()) == defaults


def test_an_address_without_a_route() -> None:
    assert interfaces.source_address_to("255.255.255.255") == ""
    assert not interfaces.has_route_to("255.255.255.255")
