"""What the kernel's events tell is what it says when it is asked for everything."""

from __future__ import annotations

import struct
import subprocess
import sys

import pytest

from lightinit.host.network.rtnetlink import HEADER, RTM_NEWADDR, RTM_NEWLINK, Picture
from tests.lib.netns import need

# Runs in a network of its own. Each line of CHANGES is one step, for `ip -batch`.
PROBE = """
import os, subprocess, sys, time
from lightinit.host.network.interfaces import Viewer, interface_addresses
from lightinit.host.network.watch import Watch
from lightinit.host.system import System

def ip(lines):
    subprocess.run(["ip", "-force", "-batch", "-"], input=lines.encode(), check=True)

def in_order(one):
    # The kernel puts an address of a new network before those of the known one.
    return one._replace(addresses=sorted(one.addresses))

def in_sys(name, what):
    try:
        with open("/sys/class/net/%s/%s" % (name, what)) as handle:
            return handle.read().strip()
    except OSError:
        return ""

def differences():
    seen = viewer.look().interfaces
    fresh = Viewer(system, "168.63.129.16").look().interfaces
    found = []
    if list(map(in_order, seen)) != list(map(in_order, fresh)):
        found.append((seen, fresh))
    addresses = {name: set(of_one) for name, of_one in interface_addresses().items()}
    for one in seen:
        if set(one.addresses) != addresses.get(one.name, set()):
            found.append((one, addresses))
        if one.carrier != (in_sys(one.name, "carrier") == "1"):
            found.append((one, "carrier"))
        if one.number != int(in_sys(one.name, "ifindex") or 0):
            found.append((one, "ifindex"))
        if one.physical:
            found.append((one, "physical"))
    if {one.name for one in seen} | {"lo"} != set(os.listdir("/sys/class/net")):
        found.append((seen, os.listdir("/sys/class/net")))
    return found

subprocess.check_call(["ip", "link", "set", "lo", "up"])
system = System("/")
viewer = Viewer(system, "168.63.129.16")
viewer.look()
with Watch(system, [], inotify=False, picture=viewer.picture) as watch:
    watch.wait(0)
    for step in sys.stdin.read().split("--\\n"):
        ip(step)
        while watch.wait(0.05):
            pass
        # The kernel tells of a carrier that is gone up to a second after it is.
        latest = time.monotonic() + 60.0
        while differences() and time.monotonic() < latest:
            watch.wait(0.05)
        assert not differences(), (step[:200], differences())
print("dumps", viewer.picture.dumps)
"""
CHANGES = [
    "link add eth0 type veth peer name far0\nlink set eth0 up\n",
    "link set far0 up\naddress add 10.0.0.4/24 dev eth0\naddress add 10.0.0.5/24 dev eth0\n",
    "address add 10.1.0.1 peer 10.1.0.2 dev far0\naddress add 10.9.0.1/16 label eth0:1 dev eth0\n",
    "address add 10.0.0.9/32 dev lo\naddress add fd00::1/64 dev eth0\n",
    "link add br0 type bridge\nlink set far0 master br0\naddress add 10.2.0.1/24 dev br0\n",
    "link set br0 up\nlink set far0 nomaster\nlink set far0 down\n",
    "link set far0 name other0\n",
]
GOING = [
    "address add 10.0.0.4/16 dev eth0\naddress del 10.0.0.4/24 dev eth0\n",
    "address del 10.0.0.4/16 dev eth0\naddress del 10.0.0.9/32 dev lo\n",
    "link del eth0\nlink set br0 name eth0\naddress add 10.0.0.4/24 dev eth0\n",
]


def probe(steps: "list[str]") -> int:
    """Run the steps; returns how often the kernel was asked for everything."""
    ended = subprocess.run(
        ["unshare", "-n", "-m", "sh", "-c", 'mount -t sysfs none /sys && exec "$@"', "sh"]
        + [sys.executable, "-c", PROBE],
        input="--\n".join(steps),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        universal_newlines=True,
    )
    word, _, count = ended.stdout.partition(" ")
    assert word == "dumps", ended.stdout
    return int(count)


def test_what_comes_needs_no_dump() -> None:
    """One at the start, and one when the watch is armed."""
    need()
    assert probe(CHANGES) == 2


def test_what_goes_is_asked_for() -> None:
    need()
    assert 2 < probe(CHANGES + GOING) <= 2 + len(GOING)


def test_two_thousand_addresses_and_lost_events() -> None:
    """More events than the socket holds, two thousand addresses on one NIC."""
    need()
    many = "".join(
        "address add 10.9.%d.%d/16 dev eth0\n" % (number // 250, number % 250 + 1)
        for number in range(2000)
    )
    assert probe([CHANGES[0], many, "address add 10.0.0.4/24 dev eth0\n"]) in (2, 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 15,
        b"\0" * 64,
        HEADER.pack(17, RTM_NEWLINK, 0, 0, 0) + b"\0",
        HEADER.pack(24, RTM_NEWADDR, 0, 0, 0) + struct.pack("=BBBBI", 2, 24, 0, 0, 1),
        HEADER.pack(32, RTM_NEWADDR, 0, 0, 0)
        + struct.pack("=BBBBI", 2, 24, 0, 0, 1)
        + struct.pack("=HHI", 3, 2, 1),
    ],
)
def test_a_message_that_is_cut_short_changes_nothing(data: bytes) -> None:
    picture = Picture()
    picture.hear(data)
    assert picture.links == {}
    assert picture.addresses_of(1) == ()
