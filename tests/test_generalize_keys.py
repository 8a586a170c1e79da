"""`lightinit generalize` and SSH host keys: they go only where the next boot makes new ones; the
rest is told.
"""

from __future__ import annotations

import os
from typing import Any, Callable, List

import pytest

from tests.lib.provisioned import enable
from tests.lib.scratch import Machine

KEY = "/etc/ssh/ssh_host_rsa_key"
CONF = "/etc/lightinit/lightinit.conf"
WANTED = "/etc/systemd/system/multi-user.target.wants/lightinit.service"
UNIT = "/usr/lib/systemd/system/lightinit.service"


def with_keys(root: Any) -> Machine:
    """A machine with host keys, whose systemd starts lightinit."""
    machine = Machine(root)
    for name in (KEY, KEY + ".pub", "/usr/lib/systemd/systemd"):
        machine.put(name, "x\n")
    enable(machine)
    return machine


def notes(machine: Machine) -> List[str]:
    ended = machine.run("generalize", "--yes")
    assert ended.returncode == 0, ended.stderr
    return [line[6:] for line in ended.stdout.splitlines() if line.startswith("note: ")]


def settings(text: str) -> Callable[[Machine], None]:
    return lambda machine: machine.put(CONF, text)


def unlink(*names: str) -> Callable[[Machine], None]:
    def remove(machine: Machine) -> None:
        for name in names:
            os.unlink(machine.root + name)

    return remove


def link(target: str, name: str) -> Callable[[Machine], None]:
    def make(machine: Machine) -> None:
        os.makedirs(os.path.dirname(machine.root + name), exist_ok=True)
        os.symlink(target, machine.root + name)

    return make


def mark_once(machine: Machine) -> None:
    machine.put(CONF, "[module.ssh_host_keys]\nfrequency = once\n")
    machine.put("/var/lib/lightinit/sem/module.ssh_host_keys", "{}")


def other_init(machine: Machine) -> None:
    os.unlink(machine.root + WANTED)
    machine.put("/usr/lib/sysvinit/init", "")
    link("/usr/lib/sysvinit/init", "/sbin/init")(machine)


STAY = [
    (
        lambda machine: machine.put("/etc/lightinit/disabled", ""),
        "/etc/lightinit/disabled switches lightinit off",
        "remove that file",
    ),
    (settings("[lightinit]\nenabled = no\n"), "`enabled = no` (%s:2)" % CONF, "set it to yes"),
    (
        settings("[lightinit]\nmodules = users hostname\n"),
        "`modules =` (%s:2) does not list ssh_host_keys" % CONF,
        "add it there",
    ),
    (
        settings("[module.ssh_host_keys]\nkeep_existing = yes\n"),
        "`keep_existing = yes` (%s:2)" % CONF,
        "set it to no",
    ),
    (
        mark_once,
        "ssh_host_keys has `frequency = once` (%s:2), and has run" % CONF,
        "remove /var/lib/lightinit/sem/module.ssh_host_keys",
    ),
    (unlink(WANTED), "lightinit.service is not enabled", "systemctl enable lightinit.service"),
    (unlink(UNIT), "there is no lightinit.service", "install it"),
    (
        link("/dev/null", "/etc/systemd/system/lightinit.service"),
        "lightinit.service is masked",
        "systemctl unmask lightinit.service",
    ),
    (
        lambda machine: machine.put("/etc/systemd/system/lightinit.service", ""),
        "lightinit.service is masked",
        "systemctl unmask lightinit.service",
    ),
]


@pytest.mark.parametrize("change, why, remedy", STAY, ids=[why for _, why, _ in STAY])
def test_they_stay_where_nobody_makes_new_ones(
    tmp_path: Any, change: Any, why: str, remedy: str
) -> None:
    machine = with_keys(tmp_path)
    change(machine)
    assert (
        notes(machine)[-1] == "the SSH host keys stay: %s, so lightinit would make no new ones; "
        "every VM made from this image would have the same ones: %s, then run this again; "
        "or, if something else makes new ones: lightinit clean --ssh-host-keys" % (why, remedy)
    )
    assert machine.exists(KEY) and machine.exists(KEY + ".pub")
    assert machine.run("clean", "--ssh-host-keys").returncode == 0
    assert not machine.exists(KEY) and not machine.exists(KEY + ".pub"), (
        "asked for in so many words"
    )
    assert not [line for line in notes(machine) if "host keys" in line], "there are none any more"


GO = [
    lambda machine: None,
    lambda machine: machine.put("/etc/lightinit/disabled", "# made-by: lightinit package\nx\n"),
    settings("[module.ssh_host_keys]\nfrequency = once\n"),
    unlink(WANTED, UNIT, "/usr/lib/systemd/systemd"),
    # systemd is there, and another init system starts the machine
    other_init,
    # some other unit pulls it in; one of the administrator's own
    lambda machine: os.renames(
        machine.root + WANTED,
        machine.root + "/etc/systemd/system/a.target.requires/lightinit.service",
    ),
    link("/opt/lightinit.service", "/etc/systemd/system/lightinit.service"),
]


@pytest.mark.parametrize("change", GO)
def test_they_go_where_lightinit_makes_new_ones(tmp_path: Any, change: Any) -> None:
    machine = with_keys(tmp_path)
    change(machine)
    assert notes(machine) == []
    assert not machine.exists(KEY) and not machine.exists(KEY + ".pub")


@pytest.mark.parametrize("init", ["/lib/systemd/systemd", "../usr/lib/systemd/systemd"])
def test_systemd_is_known_by_the_link_that_the_kernel_starts(tmp_path: Any, init: str) -> None:
    machine = with_keys(tmp_path)
    link(init, "/sbin/init")(machine)
    machine.put("/lib/systemd/systemd", "")
    unlink(WANTED)(machine)
    assert "lightinit.service is not enabled" in notes(machine)[0]


def test_host_keys_elsewhere_are_told(tmp_path: Any) -> None:
    machine = with_keys(tmp_path)
    web = "/etc/ssh/ssh_host_web_key"
    machine.put(
        "/etc/ssh/sshd_config",
        "Include sshd_config.d/*.conf\nHostKey %s\nHostKey /etc/keys/a\nHostKey %s\n"
        "HostKey /etc/keys/missing\nHostKey relative\n" % (KEY, web),
    )
    machine.put("/etc/ssh/sshd_config.d/1.conf", "HostKey /etc/keys/b\n")
    for name in (
        web,
        web + ".pub",
        "/etc/ssh/ssh_host_old_key",
        "/etc/keys/a",
        "/etc/keys/b",
        "/etc/dropbear/dropbear_rsa_host_key",
    ):
        machine.put(name, "x")
    named = (
        "the SSH host key %s stays: sshd_config names it, and lightinit makes no new one in its"
        " place; every VM made from this image would have the same one: remove it from sshd_config,"
        " or have each VM make its own"
    )
    assert notes(machine) == [
        named % "/etc/keys/b",
        named % "/etc/keys/a",
        named % web,
        (
            "the host keys of dropbear stay (/etc/dropbear/dropbear_rsa_host_key): dropbearkey is"
            " not installed, so lightinit would make no new ones; every VM made from this image"
            " would have the same ones: install it, then run this again"
        ),
    ]
    assert sorted(name for name in os.listdir(machine.root + "/etc/ssh") if "key" in name) == [
        "ssh_host_web_key",
        "ssh_host_web_key.pub",
    ]
    assert all(
        machine.exists(name)
        for name in ("/etc/keys/a", "/etc/keys/b", "/etc/dropbear/dropbear_rsa_host_key")
    )


@pytest.mark.parametrize(
    "files",
    [
        {"/usr/bin/dropbearkey": "x"},
        {"/etc/init.d/S50dropbear": '#!/bin/sh\nDROPBEAR_ARGS="$DROPBEAR_ARGS -R"\n'},
    ],
)
def test_host_keys_of_dropbear_go_if_new_ones_come(tmp_path: Any, files: Any) -> None:
    machine = with_keys(tmp_path)
    place = "/etc/dropbear/dropbear_rsa_host_key"
    files.update({place: "x", place + ".pub": "x"})
    for name, text in files.items():
        machine.put(name, text)
    assert not [each for each in notes(machine) if "dropbear" in each]
    assert not machine.exists(place) and not machine.exists(place + ".pub")


@pytest.mark.parametrize("folder", ["/etc/dropbear/initramfs", "/etc/dropbear-initramfs"])
def test_host_keys_of_a_dropbear_in_the_initramfs_are_told(tmp_path: Any, folder: str) -> None:
    machine = with_keys(tmp_path)
    machine.put(folder + "/dropbear_ed25519_host_key", "x")
    told = "the SSH host key %s/dropbear_ed25519_host_key stays: lightinit makes no" % folder
    assert [each for each in notes(machine) if each.startswith(told)]
    assert machine.exists(folder + "/dropbear_ed25519_host_key")


def test_the_secret_of_credentials_is_told(tmp_path: Any) -> None:
    machine = with_keys(tmp_path)
    machine.put("/var/lib/systemd/credential.secret", "x")
    assert (
        len(
            [
                line
                for line in notes(machine)
                if line.startswith("/var/lib/systemd/credential.secret stays")
            ]
        )
        == 1
    )
    assert machine.exists("/var/lib/systemd/credential.secret")


def test_another_address_of_the_host_stays_and_is_told(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    hosts = "127.0.0.1 image\n10.0.0.4 image.example.org image\n"
    machine.put("/etc/hosts", hosts)
    ended = machine.run("generalize", "--yes")
    assert machine.read("/etc/hosts") == "10.0.0.4 image.example.org image\n"
    assert "note: /etc/hosts still gives the host name the address 10.0.0.4" in ended.stdout
    assert "removed the host name from /etc/hosts" in ended.stdout
    assert machine.run("generalize", "--yes").stdout == "nothing left to do\n"
