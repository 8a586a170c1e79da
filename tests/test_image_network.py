"""What generalize does with network files that have this VM's MAC address, and with the names by
which others know this VM.
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Tuple

import pytest

from lightinit.commands import generalize
from lightinit.commands.removal.changes import carry_out
from lightinit.host.system import System
from lightinit.registry import load_settings
from tests.lib.scratch import Machine

MAC = "00:0d:3a:01:02:03"
OTHER = "00:0d:3a:ff:ff:01"
LAN = "/etc/netplan/60-lan.yaml"


def machine_with(root: Any, files: Dict[str, str], mac: str = MAC) -> Machine:
    machine = Machine(root)
    if mac:
        machine.put("/sys/class/net/eth0/address", mac + "\n")
    machine.put("/sys/class/net/lo/address", "00:00:00:00:00:00\n")
    for path, text in files.items():
        machine.put(path, text)
    return machine


def run(machine: Machine) -> Tuple[List[str], List[str]]:
    """(what was done to network files, the notes about them); the plan is carried out."""
    system = System(machine.root)
    context, planned = generalize.plan(system, False, load_settings(system))
    names = ("network cards", "MAC addresses", "network files", "iSCSI", "host id", "DNS")
    done: List[str] = []
    assert carry_out([each for each in planned if each.step.name in names], done.append) == []
    return done, [note.text for note in context.notes if note.step in names]


NOTED: Dict[str, str] = {
    LAN: "network: {ethernets: {lan: {match: {macaddress: '%s'}, dhcp4: true}}}\n" % MAC,
    "/etc/systemd/network/10-lan.link": "[Match]\nPermanentMACAddress=%s\n" % MAC.upper(),
    "/etc/systemd/network/10-lan.network": "[Match]\nMACAddress=%s\n" % MAC.replace(":", "-"),
    "/etc/systemd/network/10-lan.network.d/a.conf": "[Match]\nMACAddress=000d.3a01.0203\n",
    "/etc/systemd/network/10-lan.netdev": "[NetDev]\nMACAddress=%s\n" % MAC,
    "/etc/NetworkManager/system-connections/lan.nmconnection": "[ethernet]\nmac-address=%s\n" % MAC,
    "/etc/NetworkManager/conf.d/1.conf": "[keyfile]\nunmanaged-devices=mac:%s\n" % MAC,
    "/etc/sysconfig/network-scripts/ifcfg-lan": "NAME=lan\nHWADDR=%s\n" % MAC,
    "/etc/sysconfig/network-scripts/ifcfg-x": "DEVICE=x\nMACADDR=%s\n" % MAC,
    "/etc/sysconfig/network/ifcfg-eth0": "LLADDR='%s'\n" % MAC,
    "/etc/network/interfaces": "iface eth0 inet dhcp\n  hwaddress ether %s\n" % MAC,
    "/etc/udev/rules.d/71-mine.rules": 'ATTR{address}=="%s", NAME="lan0"\n' % MAC,
    "/var/lib/connman/ethernet_000d3a010203_cable/settings": "[x]\n",
    "/etc/conf.d/net": 'config_000d3a010203="dhcp"\n',
    "/etc/default/grub": 'GRUB_CMDLINE_LINUX="ifname=lan0:%s"\n' % MAC,
    "/etc/netplan/50-cloud-init.yaml": "network: {ethernets: {a: {match: {macaddress: %s}}}}\n"
    % MAC,
}


def test_an_administrators_files_stay_and_are_noted(tmp_path: Any) -> None:
    machine = machine_with(tmp_path, NOTED)
    done, notes = run(machine)
    assert done == []
    assert {path: machine.read(path) for path in NOTED} == NOTED
    assert sorted(note.split(" ")[0] for note in notes) == sorted(NOTED)
    assert all("it has the MAC address %s, of this VM; " % MAC in note for note in notes)


STAYS: Dict[str, str] = {
    LAN: "network: {ethernets: {lan: {match: {macaddress: '%s'}}}}\n" % OTHER,
    "/etc/netplan/61-comment.yaml": "# was %s\nnetwork: {}\n" % MAC,
    "/etc/netplan/50-cloud-init.yaml": (
        "network:\n  ethernets:\n    a:\n      match:\n        macaddress: %s\n      set-name: a\n"
        % OTHER
    ),
    "/etc/systemd/network/50-cloud-init-a.link": "[Match]\nMACAddress=%s\n" % OTHER,
    "/etc/systemd/network/20-wired.network": "[Match]\nName=eth0\n[Network]\nDHCP=yes\n",
    "/etc/sysconfig/network-scripts/ifcfg-eth1": "DEVICE=eth1\nHWADDR=%s\n" % OTHER,
    "/etc/NetworkManager/system-connections/cloud-init-eth1.nmconnection": (
        "[ethernet]\nmac-address=%s\n" % OTHER
    ),
    "/etc/resolv.conf": "nameserver 10.0.0.1\n",
}


def test_what_is_bound_to_another_card_or_to_none_stays_without_a_word(tmp_path: Any) -> None:
    machine = machine_with(tmp_path, STAYS)
    assert run(machine) == ([], [])
    assert {path: machine.read(path) for path in STAYS} == STAYS


def test_a_block_that_has_nothing_else_goes_with_its_name(tmp_path: Any) -> None:
    """netplan allows no set-name without a match, and takes the id for the name then."""
    path = "/etc/netplan/50-cloud-init.yaml"
    text = (
        "# cloud-init's\nnetwork:\n  version: 2\n  ethernets:\n    eth0:\n      set-name: eth0\n"
        '      match:\n        macaddress: "%s"\n      dhcp4: true\n    eth1:\n      match:\n'
        "        macaddress: '%s'\n      set-name: eth1\n" % (MAC, OTHER)
    )
    machine = machine_with(tmp_path, {path: text})
    assert run(machine) == (["removed the MAC address of this VM from " + path], [])
    assert machine.read(path) == (
        "# cloud-init's\nnetwork:\n  version: 2\n  ethernets:\n    eth0:\n      dhcp4: true\n"
        "    eth1:\n      match:\n        macaddress: '%s'\n      set-name: eth1\n" % OTHER
    )
    assert run(machine) == ([], [])


def test_a_network_file_that_would_match_nothing_stays_and_is_noted(tmp_path: Any) -> None:
    path = "/etc/systemd/network/10-cloud-init-eth0.network"
    machine = machine_with(tmp_path, {path: "[Match]\nMACAddress=%s\n[Network]\nDHCP=yes\n" % MAC})
    done, notes = run(machine)
    assert done == [] and [note.split(" ")[0] for note in notes] == [path]


def test_the_addresses_that_the_platform_told_count(tmp_path: Any) -> None:
    """A disk whose machine is not here: the records of the instance have the addresses."""
    machine = machine_with(tmp_path, {LAN: NOTED[LAN]}, mac="")
    raw = {"imds": {"network": {"interface": [{"macAddress": "000D3A010203"}, 7]}}}
    instance: Dict[str, Any] = {
        "id": "x",
        "platform": "azure",
        "hostnames": [],
        "admin": None,
        "raw": raw,
    }
    machine.put("/var/lib/lightinit/instances/x/instance.json", json.dumps(instance))
    assert ", of this VM; " in run(machine)[1][0]


def test_where_no_address_is_known_any_is_told(tmp_path: Any) -> None:
    machine = machine_with(tmp_path, {LAN: NOTED[LAN]}, mac="")
    assert ", that may be this VM's; " in run(machine)[1][0]


DEBIAN = {"/lib/open-iscsi/startup-checks.sh": "x"}
INITIATOR = "/etc/iscsi/initiatorname.iscsi"


@pytest.mark.parametrize(
    "files, left, noted",
    [
        (DEBIAN, "GenerateName=yes\n", False),
        ({"/usr/lib/systemd/system/iscsi-init.service": "x"}, None, False),
        ({}, "InitiatorName=iqn.x\n", True),
        (dict(DEBIAN, **{"/etc/iscsi/nodes/iqn.y/default": "x"}), "InitiatorName=iqn.x\n", True),
    ],
)
def test_an_initiators_name_goes_where_a_new_one_is_made(
    tmp_path: Any, files: Dict[str, str], left: Any, noted: bool
) -> None:
    machine = machine_with(tmp_path, dict(files, **{INITIATOR: "InitiatorName=iqn.x\n"}))
    assert bool(run(machine)[1]) == noted
    assert (machine.read(INITIATOR) if machine.exists(INITIATOR) else None) == left


def test_the_host_id_stays_where_zfs_is(tmp_path: Any) -> None:
    machine = machine_with(tmp_path, {"/etc/hostid": "abcd", "/etc/zfs/zpool.cache": "x"})
    assert run(machine)[0] == [] and machine.exists("/etc/hostid")


@pytest.mark.parametrize(
    "text, goes, noted",
    [
        ("; generated by /usr/sbin/dhclient-script\nsearch x\n", True, False),
        ("# Generated by dhcpcd from eth0.dhcp\n", True, False),
        ("### /etc/resolv.conf file autogenerated by netconfig!\n", True, False),
        ("# Created by cloud-init on instance boot automatically, do not edit.\n", False, False),
        ("search abc.bx.internal.cloudapp.net\nnameserver 168.63.129.16\n", False, True),
    ],
)
def test_resolv_conf_goes_if_its_writer_comes_again(
    tmp_path: Any, text: str, goes: bool, noted: bool
) -> None:
    machine = machine_with(tmp_path, {"/etc/resolv.conf": text})
    assert bool(run(machine)[1]) == noted
    assert machine.exists("/etc/resolv.conf") == (not goes)


def test_a_link_in_place_of_resolv_conf_stays(tmp_path: Any) -> None:
    machine = machine_with(tmp_path, {"/run/x/resolv.conf": "# Generated by NetworkManager\n"})
    os.symlink("../run/x/resolv.conf", machine.root + "/etc/resolv.conf")
    assert run(machine) == ([], [])
    assert machine.exists("/etc/resolv.conf") and machine.exists("/run/x/resolv.conf")
