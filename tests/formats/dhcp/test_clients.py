"""All readers: the same lease from each, option 245, files that were cut, random bytes."""

from __future__ import annotations

import random
import socket
from typing import Callable

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.dhcp.clients import READERS, read_leases
from tests.lib.leases import (
    NETWORKD,
    NM_DEVICE,
    NM_INTERNAL,
    NMCLI,
    NOW_S,
    PLATFORM_ROUTES,
    REAL,
    UDHCPC,
    WICKED,
    dhclient_with,
)


@pytest.mark.parametrize("name", [name for name in REAL if name != "nm-internal"])
def test_each_client_gives_the_same_lease(name: str) -> None:
    client, data = REAL[name]
    (lease,) = read_leases(client, data, NOW_S, "/the/file", interface="eth7", written_s=NOW_S)
    assert lease.client == client
    assert lease.source == "/the/file"
    assert lease.interface == "eth7"
    assert lease.address == "10.99.0.92"
    assert lease.wireserver == "168.63.129.16"
    assert lease.routers == ("10.99.0.1",)
    assert lease.routes == PLATFORM_ROUTES
    assert lease.expires_s == (1795408170.0 if client == "dhclient" else NOW_S + 3600)


@pytest.mark.parametrize("name", list(REAL))
def test_an_ended_lease_is_left_out(name: str) -> None:
    client, data = REAL[name]
    late_s = NOW_S + 100000
    ended = read_leases(client, data, late_s, written_s=NOW_S)
    assert ended == () or name == "nm-internal"  # which says nothing about its end


def test_an_unknown_client_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="pump"):
        read_leases("pump", b"", NOW_S)


BAD_245 = [
    b"",
    b"a8",
    b"a8:3f:81",
    b"a8:3f:81:10:00",
    b"a83f81",
    b"a83f811",
    b"a83f811000",
    b"a8:3f:81:110",
    b"g8:3f:81:10",
    b"a8::81:10",
    b"0:0:0:0",
    b"00000000",
    b"ff:ff:ff:ff",
    b"e0:0:0:1",
    b"0:0:0:1",
    b"168.63.129",
    b"168.63.129.256",
    b"one",
    b"--",
]


@pytest.mark.parametrize("value", BAD_245)
def test_a_bad_option_245_leaves_the_lease_without_it(value: bytes) -> None:
    assert dhclient_with(b"option unknown-245 " + value + b";").wireserver is None
    for client, template, good in (
        ("networkd", NETWORKD, b"a83f8110"),
        ("udhcpc", UDHCPC, b"a83f8110"),
        ("networkmanager", NM_DEVICE, b"a8:3f:81:10"),
        ("networkmanager", NMCLI, b"a8:3f:81:10"),
        ("wicked", WICKED, b"a8:3f:81:10"),
    ):
        (lease,) = read_leases(client, template.replace(good, value), NOW_S)
        assert (lease.address, lease.wireserver) == ("10.99.0.92", None)


@pytest.mark.parametrize("name", list(REAL))
def test_a_cut_file_never_gives_a_wrong_value(name: str) -> None:
    client, data = REAL[name]
    (whole,) = read_leases(client, data, NOW_S, interface="eth7", written_s=NOW_S)
    for length in range(len(data)):
        try:
            leases = read_leases(client, data[:length], NOW_S, interface="eth7", written_s=NOW_S)
        except MalformedError:
            continue
        for lease in leases:
            assert lease.address == whole.address
            assert lease.wireserver in (None, whole.wireserver)
            assert lease.routes == whole.routes[: len(lease.routes)]
            assert lease.expires_s in (None, whole.expires_s)


@pytest.mark.parametrize("data", [NETWORKD, UDHCPC, NM_INTERNAL])
def test_a_last_line_without_newline_does_not_count(data: bytes) -> None:
    cut_at = data.index(b"10.99.0.92") + len(b"10.99.0.9")
    client = {id(NETWORKD): "networkd", id(UDHCPC): "udhcpc"}.get(id(data), "networkmanager")
    with pytest.raises(MalformedError, match="no address"):
        read_leases(client, data[:cut_at], NOW_S)


def mutations(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 8)):
        at = chance.randrange(len(changed))
        kind = chance.randrange(3)
        if kind == 0:
            changed[at] = chance.randrange(256)
        elif kind == 1:
            del changed[at : at + chance.randrange(1, 20)]
            changed = changed or bytearray(b"x")
        else:
            changed[at:at] = bytes(
                chance.choice(b'"\\;{}\n=#\xff0a:.,/ ') for _ in range(chance.randrange(1, 6))
            )
    return bytes(changed)


def noise(_data: bytes, chance: random.Random) -> bytes:
    return bytes(chance.randrange(256) for _ in range(chance.randrange(600)))


@pytest.mark.parametrize("make", [mutations, noise])
def test_whatever_the_bytes_are(make: Callable[[bytes, random.Random], bytes]) -> None:
    chance = random.Random(245)
    for _ in range(250):
        for _client, template in REAL.values():
            data = make(template, chance)
            for client in READERS:
                try:
                    leases = read_leases(client, data, NOW_S, "/file", None, NOW_S)
                except MalformedError:
                    continue
                for lease in leases:
                    socket.inet_aton(lease.address)
                    assert lease.address != "0.0.0.0"
                    if lease.wireserver is not None:
                        assert 0 < socket.inet_aton(lease.wireserver)[0] < 224


def test_a_large_file_is_read_in_time() -> None:
    import time

    hostile = [
        b'"' * 200000,
        b"\\" * 200000,
        b"{" * 200000,
        b"lease {" * 30000,
        b'lease { option x "' * 12000,
        b"#" * 200000,
        b" " * 200000,
        b"1," * 100000 + b"/",
        b"\n" * 200000,
        b'"  ' * 70000,
        b"DHCP4.OPTION[1" * 9000,
    ]
    started_s = time.process_time()
    for data in hostile:
        for client in READERS:
            try:
                read_leases(client, data, NOW_S)
            except MalformedError:
                pass
    assert time.process_time() - started_s < 5
